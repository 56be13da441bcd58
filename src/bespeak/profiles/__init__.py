"""Profiles: what is known of one person, live, readable and mergeable.

observation  one event as the profile sees it      profile   the record of one person
settings     what is kept, how long, how much      decay     sums that fade
fold         event -> profile, in place            merge     two profiles of one person become one
commerce     orders, refunds and the cart           withdrawal a withdrawn purpose drops its classes
sessions     visits as a union of intervals        limits    what is dropped first when a limit bites
progress     how much of an item was played         subscription since when, and whether it has ended
codec        bytes <-> profile                      stored     a profile, and up to where it is folded
identity     which ids belong to one person
view         what a reader may know now            record    the columns of the rule language
readable     a profile for people                  stage      where on their journey they are

Everything is pure: no store, no clock, no configuration. A fold is deterministic, so a replay in log order gives the
same bytes; any other order of arrival gives the same profile to 1e-9, below the limits.
"""
