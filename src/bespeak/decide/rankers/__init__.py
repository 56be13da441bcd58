"""What makes one score of named signals: `score = sum of value * weight`.

score  weights, and the sum     forest  boosted trees on top of it     order  by falling value, fast
"""
