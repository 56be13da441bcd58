"""`experiment`, `policy` and `replay`: what runs, what decides, and what would have won.

experiments, experiment_page    replay, replay_report    policies
"""
