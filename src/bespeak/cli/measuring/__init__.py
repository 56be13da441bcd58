"""`measure`: statistics on data from outside.

compare   measure compare     lifetime, subscriptions   measure lifetime
replay    measure replay      uplift                    measure uplift
columns and file read, report says what was found, customers what both of `lifetime` say, table writes `--out`
"""
