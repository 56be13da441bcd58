"""A few declared things, one of which is chosen: layouts, calls to action, banners, flags, artwork, actions.

settings       what `[placements.NAME]` with `kind = "variant"` may say, checked and compiled
when           `RULE show VARIANT` lines, and what their rules may name
context        declared features as a vector
bandits        what outcomes say of each variant, and how often it is tried
creative_sums  what came of showing creatives
caused         what doing an action changes
"""
