"""What people look at.

queries   what a screen asks: events, rejects, people, a slate that is only tried
pulse     what came in per minute
report    the first report; `launches` and `experiments` say what came of each, `lifts` all of them in a line each
exports   log, profiles and decisions as files      recommendations  the lists of everybody
replay/   other policies replayed on the decision log

Of an experiment: `experiment_units` who is compared, `experiment_metrics` in what, `experiment_plan` how many people it
needs, `interleavings` whose items people clicked, `foreign_money` what no metric adds up, `experiment_report` what is
said, `experiment_words` in which words.
"""
