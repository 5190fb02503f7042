"""One SQL text for any engine (DuckDB so far): Arrow tables and Parquet files in, Arrow tables out."""

from safercities.engine.cube import cube, group

__all__ = ["cube", "group"]
