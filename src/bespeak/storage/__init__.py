"""Where everything is kept: one small protocol, two transactional stores, one contract suite.

base        what a store can do: sessions, transactions, a handful of primitives
schema      every table as data: columns, keys, subject key, purpose, retention class
sqlite      the embedded store            postgres    the server store
log         the event log, message ids, rejects, typed counts
people      persons, links, claims, profiles, consents
records     items, decisions, counters, models, configuration versions, jobs
migrations  numbered steps; a newer schema refuses older code
backup      backup and restore            blobs       files by key (models, lake)
lake/       events, decisions and profile snapshots in Parquet
"""
