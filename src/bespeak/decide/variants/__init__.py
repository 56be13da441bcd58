"""One thing chosen out of a few declared ones: layouts, calls to action, banners, flags, artwork, the next best action.

settings   what `[placements.NAME]` with `kind = "variant"` may say, checked and compiled
when       `RULE show VARIANT` lines, and what their rules may name
context    declared features as a vector
bandits    what outcomes say of each variant, and how often it is tried
choose     rule, learned, split or default -> the record of the decision
creatives  with which of its creatives an item is shown; `creative_sums`: what came of showing them
actions    the next best action: value, probability, cost; `caused`: what doing it changes
"""
