"""Training: cut the log, compare models on it, choose, and say in words what was found.

protocols    which cuts fit the data             splits     what a model may see and what it is asked
spaces       what is tried                       tuning     the race of families and the walk along settings
contest      choosing and reporting              blending   finding a blend on the choosing cut
leaderboard  models side by side                 metrics    ranking figures, one per person
intervals    bootstrap over people               report     what was found, in sentences
evaluation   trained models on one cut: every figure, for whom, and against somebody else's lists
rankers      weights of a placement's score, from what was shown and what came of it
train        choose, report, fit on everything   benchmark  the same on data from outside
lifetime     what customers will buy and spend, held beside what they did
subscriptions the same of subscribers, who tell when they leave
uplift       who is worth treating, judged on people held back
reward_model what a choice earns                 replay       logged decisions under another policy
logged_choices the reward model of a log from outside
predictions  what people will probably do next: churn and propensity
cancelling   who will end their subscription
"""
