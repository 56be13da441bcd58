"""Which model with which settings, found on cuts that the report does not use.

protocols  which cuts fit the data             contest      choosing and reporting
spaces     what is tried                       blending     finding a blend on the choosing cut
tuning     the race of families and the walk   beyond_noise which gains are more than luck
choice     what comparing came to
ranked     one model's best items of everybody memory       stated before training starts
steps      how far a training is               checkpoints  what a killed one had found
"""
