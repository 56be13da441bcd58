"""Ratings foretold.

base                  who rated what, and the contract of models that foretell it
item_mean             what everybody gives an item
bilinear              one side of a rating given the other, with the uncertainty of both
biased_factorization  what one person would give it
"""
