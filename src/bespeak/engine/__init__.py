"""The facade: one engine over a store, with the write path, the read path, training, privacy and jobs.

engine      the facade and its life        ingest     the write path, one transaction per micro-batch
config      every section of the file      writer     the thread that commits batches
clock       the only reader of the clock   world      the snapshot that decisions are made with
holders     who holds personal data        jobs       leases, fences, what runs beside `serve`
training    log -> lake -> models          project    a project folder: paths, keys, files
"""
