"""Weights of a placement's score, learned from what was shown and what came of it.

shown          exposures and outcomes as arrays
position_bias  how likely each position is looked at
click_rate     what popularity cannot tell
weights        learned weights, and whether they are worth their place
trees          LambdaMART on top of the sum; `tree_ranker`: whether it is worth its place
"""
