"""Where everything is kept: one small protocol, two transactional stores, one contract suite.

base        what a store can do: sessions, transactions, a handful of primitives
schema      every table as data: columns, keys, subject key, purpose, retention class
sqlite/     the embedded store            postgres/   the server store
tables/     queries by what they are about
open        a store by its address        dialect     the SQL text that both stores share
migrations  numbered steps; a newer schema refuses older code
statistics  sums that a metric asks for
backup      a project in one file, and back
blobs       files by key (models, lake)   files       writing them so that a kill does no harm
lake/       events, decisions and profile snapshots in Parquet
"""
