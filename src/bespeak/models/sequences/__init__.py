"""What comes next, from the order of what came before.

visits          logs cut into visits                transformer           by attention, served with NumPy
sequence_rules  what people went on to              transformer_training  ... and fitted with torch
session_links   what stands near in visits          attention             its layers in NumPy
"""
