"""People and items as short vectors.

item_vectors       what they share, however the vectors come about
implicit_mf        by alternating least squares
attribute_factors  foretold by traits and attributes, for the cold
"""
