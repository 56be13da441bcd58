"""The read path.

decisions   people read, experiments looked up, the record logged
slates      what a decision looks like to its caller
pages       the same for whole pages               flags     ... for clients of OpenFeature and GrowthBook
worlds      the snapshot that decisions are made with
weights     learned weights as they are stored     predictors  predictions of people as they are stored
offers      codes and budgets                      used_up     which of them are spent
"""
