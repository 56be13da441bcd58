"""Learning from the outcomes of decisions, for placements whose variants or creatives are chosen by a bandit.

outcomes   decisions joined to what came of them
lessons    what is learned of a placement: how decisions become sums
state      the sums as the store keeps them, one row of settings for each lesson
fold       the job: new decisions into the sums, or all anew from the log; and the holder of an erasure
"""
