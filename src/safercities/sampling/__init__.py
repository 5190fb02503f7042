"""Survey sampling: designs, variances, intervals, calibration, replicates, publication rules; on arrays."""
