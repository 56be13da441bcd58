"""The log, read back.

granted    which rows a purpose may use     slate_log  lists and rows of pages, for replays
outcomes   what came of shown items         lake_feed  the log in Parquet, and erasing from it
"""
