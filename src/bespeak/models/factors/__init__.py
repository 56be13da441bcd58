"""People and items as short vectors.

item_vectors       what they share, however the vectors come about
implicit_mf        by alternating least squares
least_squares      half a round of them
attribute_factors  foretold by traits and attributes, for the cold
"""
