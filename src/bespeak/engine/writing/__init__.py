"""The write path.

ingest     one transaction per micro-batch          imports    files, in bounded memory and resumable
writer     the thread that commits batches          rejects    what could not be taken in, and trying again
directory  who is who within one batch              collector  the garbage collector of a process that ingests
"""
