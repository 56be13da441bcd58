"""Decisions: profile + context -> candidates -> features -> score -> build the slate -> explain.

placements  the settings of a place where a decision is shown; the built-in ones stand in `built_in_rows` too
request     what a caller asks for, checked
person      what a decision may read of a person
model_set   loaded models, their item ids mapped to the catalogue's
world       the one snapshot that a decision is made with
reading     what a profile says in one world at one moment; the rows of a page share it
subjects    what a slate is about: an item, a value of a facet; `headings` says it
situation   request, person and world brought together; which items are eligible at all
candidates  several sources fused
past_items  what the person did before, as sources: viewed, bought, started, next
features    one matrix for all candidates
score       weights, and score = sum of value * weight
adjust      what a placement adds to scores: boosts, rotation
slate       one position at a time, under constraints
constraints what a placement demands of a slate, said of the candidates
exploration positions that are drawn, with exact propensities
explain     the terms of the score as sentences
decide      the sentence above, as code; and the fallback
variants    placements that show one of declared variants instead
creatives   with which of its creatives an item is shown
actions     the next best action: value, probability, cost
answer      any of these, with creatives
recording   which decisions keep all candidates with their features
rewalk      such a decision walked again, under its policy and another one
page        whole pages; `page_choice`: which rows, in which order, each item once; `page_settings`: what may be set
why_not     why an item is not in a slate
"""
