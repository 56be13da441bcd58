"""Typed events, items, signals, decisions and the values of the subjects protocol: the words of the whole package.

events      what a client sent           items       something that can be shown
signal      what an event says           decisions   what was shown, and why
catalogue   event -> signals, as data    purposes    what a person consents to
ids         identifiers and their limits subjects    whom a privacy request is about
money       minor units of currencies

Behind the catalogue: `specs` (what an entry may say), `paths`, `readers` and `traits` (its compiled parts),
`data/*.toml` (the entries).
"""
