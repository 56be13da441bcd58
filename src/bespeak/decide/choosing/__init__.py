"""One thing chosen out of a few declared ones.

choose     a variant: by rule, learned, by split or default -> the record of the decision
creatives  with which of its creatives an item is shown
actions    the next best action: value, probability, cost
"""
