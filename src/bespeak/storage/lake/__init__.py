"""The lake: signals, decisions and profile snapshots as Parquet files that DuckDB reads.

datasets   the columns of each dataset
parquet    how a table becomes files: split by day and person, sorted, compressed
sums       sums over people, in one query
lake       append, read, erase, compact; the live files are rows of the table `lake_files`

Queries are DuckDB's SQL for now. Portable expressions (Ibis) come with the second engine that would run them, Spark:
one more layer over one engine would only add a dependency and its limits.
"""

from bespeak.storage.lake.lake import Lake

__all__ = ["Lake"]
