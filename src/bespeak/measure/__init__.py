"""Honest measurement: assignment, and the statistics of experiments."""
