"""The server store.

store   connections and pools       sql   from the shared SQL to psycopg's
sessions  what can be asked of one  dump  a whole store in one archive, and back
"""
