"""What comes in beside the requests of clients.

imports  files, in bounded memory and resumable     rejects  what could not be taken in, and trying again
"""
