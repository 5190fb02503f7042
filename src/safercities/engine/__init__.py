"""One SQL text for two engines, DuckDB and Spark: Arrow tables and Parquet files in, Arrow tables out."""

from safercities.engine.cube import cube, group

__all__ = ["cube", "group"]
