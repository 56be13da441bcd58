"""Who gets what, and what came of it, with an honest interval: assignment, and the statistics of experiments.

metrics        what an experiment is judged by, declared as data
assignment     which variant a unit gets: hashed, so that it stays
sums           what is kept of the units of a variant; sums of parts add to the sums of the whole
pair           two groups side by side: ratios by the delta method, adjusted for a covariate (CUPED)
welch          a test that is looked at once
sequential     intervals and p-values that hold however often they are looked at
lift           the relative difference and its interval
comparison     the difference of a variant from its control, with all of the above
sample_ratio   whether the groups are as big as they should be; if not, nothing else counts
multiplicity   p-values raised for having looked at many: Holm, Benjamini and Hochberg
subgroups      the effect in parts of the population, and whether it differs between them
planner        how many units show an effect, how probable that is, how many days it takes
winsor         a cap on values that would drown all others
reliability    whether probabilities mean what they say
uplift         whether an order of people by uplift is worth anything
drift          the day on which people's past stopped telling what they turn to
interleaving   which of two policies people prefer that took turns in one slate
ranks          ranks of values with ties
words          a comparison as a sentence
choices        a log of choices with their propensities, and another policy beside it
overlap        whether such a log can say anything of that policy
off_policy     what that policy would have earned: IPS, SNIPS, DM, DR and their kin

All statistics of experiments follow from `Sums`, so that logs can be analysed as they come in, in pieces, and where
they lie.
"""
