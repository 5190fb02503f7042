"""One SQL text, two engines: Arrow tables and Parquet files in, Arrow tables out."""
