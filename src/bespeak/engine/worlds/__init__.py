"""What decisions are made with.

keeper       the snapshot: notices what changed, swaps it in at once
trained_set  what is recorded of a trained set     neighbour_tables  what decisions need of it besides the models
weights      learned weights as they are stored    predictors        predictions of people as they are stored
used_up      which offers are spent
"""
