"""Queries by what they are about, the same on both stores.

log          the event log, message ids, rejects, typed counts
people       persons, links, claims, profiles, consents
records      decisions, models, configuration versions, jobs
memberships  who is in which segment, and when they moved
items        the catalogue and its counters
assignments  who was first assigned to what
offers       codes, each issued once
rows         store values narrowed to the type a column declares
"""
