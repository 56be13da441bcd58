"""From candidates to scores: one matrix of named signals, and `score = sum of value * weight`.

features    one matrix for all candidates       affinity    tastes as lookup tables
crosses     what counts only in some circumstances
past_items  what the person did before          similarity  what a few items pull in, and which may be shown as a pair
score       weights, and the sum                forest      boosted trees on top of it
adjust      what a placement adds: boosts, rotation
"""
