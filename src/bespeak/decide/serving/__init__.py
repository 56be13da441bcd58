"""The models as one decision asks them, all of the same history at once.

model_set     loaded models, their item ids mapped to one catalogue
question      one person's history put to them     model_scores  their answers in one situation
best          the best of many scores
forms         each family in the form that answers in microseconds:
linear_forms  sums over the history                factor_forms  a vector for each item
strengths     what a history amounts to
products      dense products that stay on one thread
new_items     items that came after the training
"""
