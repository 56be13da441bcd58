"""The lake: what training and reports read, in Parquet files by day of receipt and person bucket.

`lake_files` rows are the truth: a file counts while a row lists it. Files are written and synced before the transaction
that lists them, and deleted after the transaction that drops them, so a kill at any moment leaves at most a file that
nobody lists, which `sweep` removes. DuckDB reads the files; its SQL is written here directly, since one engine needs no
expression layer. Ibis comes with the second one (Spark).
"""

from bespeak.storage.lake.lake import Lake

__all__ = ["Lake"]
