"""The embedded store.

store        connections and files                  errors      what went wrong, in our words
connections  what is asked of a bare one            queue_lock  fair turns between processes
sessions     what can be asked of one in a session  scrub       overwriting what SQLite leaves behind
"""
