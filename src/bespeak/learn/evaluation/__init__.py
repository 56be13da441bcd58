"""Trained models on one cut: every figure, for whom, and against somebody else's lists.

evaluate      models side by side               result     what was found, as values
groups        figures for parts of the people   sentences  what was found, and what it cannot tell
list_figures  what lists are like besides being right
"""
