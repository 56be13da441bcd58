"""From the log to the models that decide.

run          one training at a time, and its progress       models       log -> interactions -> a stored set
stored_sets  trained sets as holders of personal data       checkpoints  a training that goes on where it was stopped
machine      how much memory a training may take
traits, ratings, held_signals   what people told, rated and did, as training may use it
exposures    what was shown and what came of it             weights  learned weights of placements
promotion    whether these would have won on the log        policy_values  what they foretold and brought
predictions  what `[predictions]` asks for
evaluation   models on one cut of the log                   incumbent    somebody else's recommendations beside them
"""
