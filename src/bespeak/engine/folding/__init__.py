"""From the log to the live profiles.

observe       one entry of the log as the profile sees it     profile_book  the profiles of a batch
facets_now    what an entry's items are known as now          membership    segments, kept live
fold_version  which way of folding holds                      refold        people folded anew when it changes
baselines     what the removed part of the log made of them
"""
