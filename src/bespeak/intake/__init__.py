"""Pure codecs between what others send and typed events, items and users. No clock, no store: both are arguments.

times     any usual time text or number -> milliseconds     segment   the Segment HTTP API -> events
context   device, place, campaign, local hour               files     CSV, JSONL, Parquet -> events, items, users
items     item records of the HTTP API and of imports       columns   which column means what, as declared
agents    user agents -> device, system, browser, bot       guess     which column means what, as it looks
wire      one Segment-shaped event, checked                 content   message ids for events that came without one
rows      rows of files, in blocks (`lines`: their lines)   build     rows -> records (`cells`: their values)
"""
