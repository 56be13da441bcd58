"""People folded anew when the way of folding changes, or what is known of items.

refold  the job, a few people at a time     facets_now  what an entry's items are known as now
"""
