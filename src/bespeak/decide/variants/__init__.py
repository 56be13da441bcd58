"""Placements that show one of declared variants: layouts, calls to action, banners, flags.

settings   what `[placements.NAME]` with `kind = "variant"` may say, checked and compiled
when       `RULE show VARIANT` lines, and what their rules may name
context    declared features as a vector
bandits    what outcomes say of each variant, and how often it is tried
choose     rule, learned, split or default -> the record of the decision
"""
