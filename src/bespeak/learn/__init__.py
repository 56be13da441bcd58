"""Training: cut the log, compare models on it, choose, and say in words what was found.

train        choose, report, fit on everything    benchmark    the same on data from outside
splits       what a model may see and what it is asked
choosing/    which model, with which settings     evaluation/  trained models on one cut: every figure, for whom
rankers/     weights of a placement's score       replay/      logged decisions under another policy
predicting/  what people will do                  ratings      which model of ratings (`rating_result`: how good)
leaderboard  models side by side                  metrics      ranking figures, one per person
intervals    bootstrap over people                report       what was found, in sentences (`words`)
cold_people  what can be said of people nobody has seen
"""
