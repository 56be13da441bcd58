"""From candidates to scores: one matrix of named signals, which a ranker sums up.

features    one matrix for all candidates       affinity    tastes as lookup tables
crosses     what counts only in some circumstances
past_items  what the person did before          similarity  what a few items pull in, and which may be shown as a pair
nearness    how near items are to a place       adjust      what a placement adds: boosts, rotation
"""
