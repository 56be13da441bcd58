"""Would another policy have won? The decision log of a placement under it.

asked     words and files -> the policy to evaluate
choices   single choices: the same; kinds: variants, creatives, next best actions
report    the evaluation, and how many decisions were left out for which reason

Used are decisions of people who agreed to being measured then and have not withdrawn it since, whose attribution window
has passed: what may still be clicked is no failure yet.
"""
