"""From the log to the live profiles.

observe       one entry of the log as the profile sees it     profile_book  the profiles of a batch
live          what is stored, and what waits in the log       membership    segments, kept live
fold_version  which way of folding holds                      baselines     what they owe to the log's removed part
others        what other processes wrote about people
"""
