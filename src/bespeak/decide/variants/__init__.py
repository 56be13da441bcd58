"""Placements that show one of declared variants: layouts, calls to action, banners, flags.

settings   what `[placements.NAME]` with `kind = "variant"` may say, checked and compiled
when       `RULE show VARIANT` lines, and what their rules may name
choose     rule, split or default -> the record of the decision
"""
