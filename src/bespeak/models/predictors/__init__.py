"""What somebody will do: predictors of people, as numbers in and probabilities, counts or money out.

repeat_purchases        how often, how late and how long since: what a purchase history is boiled down to
bg_nbd                  how often a customer will buy again, where leaving is silent
gamma_gamma             what they will spend on average
renewals                how often subscriptions were renewed, and which have ended
shifted_beta_geometric  how long subscriptions last, by their age alone
hazard                  how probably a subscription ends, by its age and by whose it is
logistic                logistic regression with a prior, bounds, and rows that may not have been looked at
choices                 which of several things were chosen (conditional logit)
newton                  priors, and the solver that these share
ridge                   the probability of something, or an amount, by a penalised regression
design                  columns of a file or a profile as a matrix
activity                what people did by day, as features at a point in time
uplift                  whom a treatment moves: T-learner and DR-learner

All hold parameters of the population only, none of a single person.
"""
