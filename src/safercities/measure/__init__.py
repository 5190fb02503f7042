"""From located records to estimates: counts, rates, comparisons, smoothing."""
