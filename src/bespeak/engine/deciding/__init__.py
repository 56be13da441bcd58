"""The read path.

decisions   people read, experiments looked up, the record logged
slates      what a decision looks like to its caller
pages       the same for whole pages               flags     ... for clients of OpenFeature and GrowthBook
offers      codes and budgets
"""
