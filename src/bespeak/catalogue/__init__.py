"""The catalogue: items, the columnar snapshot that decisions read, text search, and item counters.

items       one item: checks, merging a patch, completing a stub, JSON out
changes     writes that need to read first: put, patch
snapshot    all items as columns, for one catalogue version
columns     how those columns are made; `joined`: several facets as one
lexicon     words, and which of them are a typo apart
text_index  search over titles, brands, attributes and descriptions
counters    decayed popularity and trend from the daily counters
"""
