"""The catalogue of indicators: one TOML file each, and its loader."""
