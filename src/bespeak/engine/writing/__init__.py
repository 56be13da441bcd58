"""The write path.

ingest     one transaction per micro-batch      writer     the thread that commits batches
directory  who is who within one batch          collector  the garbage collector of a process that ingests
known_links  where ids lead, kept in between
"""
