"""Training: cut the log, compare models on it, choose, and say in words what was found.

splits       what a model may see and what it is asked    candidates   what training tries
metrics      ranking figures, one per person              blending     finding a blend on the choosing cut
intervals    bootstrap over people                        train        choose, report, fit on everything
leaderboard  models side by side                          report       what was found, in sentences
"""
