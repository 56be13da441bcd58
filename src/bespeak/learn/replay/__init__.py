"""Logged decisions under another policy, as arrays that `measure.off_policy` evaluates.

slates          lists of items: walked again under both policies
single          one thing taken of a few: a variant, an action, the creative of an item
reward_model    what a choice earns
logged_choices  the same of a log from outside
"""
