"""The embedded store.

store   connections and files       errors      what went wrong, in our words
sessions  what can be asked of one  queue_lock  fair turns between processes
scrub   overwriting what SQLite leaves behind
"""
