"""What a project's file may say about what is shown where.

placements     the settings of a place where a decision is shown
parts          the parts of them that are tables of their own
checks         what the parts must not say, beyond their types
built_in_rows  placements that every project has: the rows of a page, the lists of a shop
pages          whole pages: which rows they may show, and what holds across them
"""
