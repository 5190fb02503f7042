"""From raw files to records: read, map to codes, check, and keep what is rejected."""
