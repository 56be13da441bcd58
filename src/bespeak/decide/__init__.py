"""Decisions: profile + context -> candidates -> features -> score -> build the slate -> explain.

The rooms, each importing only those below it (`|` stands between siblings that never import each other):

reply                           a decision as callers get it
answer | pages | why_not        any decision | whole pages of rows | what keeps an item out of a slate
choosing | trying               one of a few declared things instead of a list | policies beside one another
decide                          the sentence above, as code; and the fallback
slates                          from scores to what is shown
candidates | reasons            several sources fused | why, in the terms of the score
scoring                         signals, and the terms that a placement adds
filters | headings              which items a placement's filters let pass | what a slate says it is about
situation                       an occasion resolved: what is known now, and which items are eligible at all
occasion | subjects             what one decision goes by, with its moment | an item, or a value of a facet
reading                         what a profile says in one world at one moment; the rows of a page share it
world                           the one snapshot that a decision is made with
launch | request | trial        a policy's first experiment | what a caller asks for | which policy decides
settings | variants             what may be shown where, as a project's file says it | declared things, and their sums
person | serving                what may be read of a person | the models, asked once each
rankers                         weights, trees, and the order of many scores
"""
