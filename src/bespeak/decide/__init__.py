"""Decisions: profile + context -> candidates -> features -> score -> build the slate -> explain.

request     what a caller asks for, checked
person      what a decision may read of a person
world       the one snapshot that a decision is made with
occasion    these together, with the moment: everything that one decision goes by
reading     what a profile says in one world at one moment; the rows of a page share it
situation   an occasion resolved: what is known now, and which items are eligible at all
subjects    what a slate is about: an item, a value of a facet; `headings` says it
trial       which policy decides: an arm of an experiment, a roll-out, the placement's own; `launch`: its first one
candidates  several sources fused
decide      the sentence above, as code; and the fallback
by_policy   the same by the policy that whom it is for gets
answer      any decision: a slate, a variant, an action, with creatives
reply       it as callers get it

The rooms, in the order in which a decision walks through them:

settings    what may be shown where, as a project's file says it
serving     the models, asked once each
scoring     signals, weights, scores
slates      from scores to what is shown
reasons     why, and why not
pages       whole pages of rows
variants    one of a few declared things instead of a list
"""
