"""Learning from the outcomes of decisions, for placements whose variants, creatives or actions are learned.

outcomes      decisions joined to what came of them
lessons       what is learned of a placement: how decisions become sums
shares        how much a decision counts while its window is open
state         the sums as the store keeps them, one row of settings for each lesson
news          what is new in the log, and which decisions it is about
sums_in_work  the sums of one lesson while a turn brings them up to date
fold          the job: what is new into the sums, or all anew from the log; and the holder of an erasure
"""
