"""Worlds with known truth, on which every claim of the package can be tested.

A world is its items, its people and the laws by which they live. A seed and an end time make one; nothing here reads a
clock or a global random generator. A *policy* fills its placement. Playing a world gives days, days give events.

    worlds      `ShopWorld` and `StreamingWorld`
    world       the parts of a world
    behaviour   what is planted: weights, position curve, shares, effects, faults
    draws       counter-based random numbers: the same luck under every policy

    stock       what a world offers           goods, ranges, purchases (shop)   titles (streaming)   art (pictures)
    people      tastes, consent, responses    identities   devices, households, forgotten cookies
    calendar    when people come and leave    memory       what lasts from day to day

    life        the days: `play`              acts         what is done, as columns
    choice      features, utility, clicks     browsing     slates and shelves
    buying      from a look to an order       watching     from a click to the credits
    mailing     the newsletter                errands      what is due days later
    policies    random, popular, oracle, an experiment

    truth       what each policy would have brought, exactly
    events      days as Segment-shaped events; wording says how acts are called
    faults      what goes wrong between a world and its events
    loop        the closed loop with a running engine
"""

from bespeak.simulate.art import artwork
from bespeak.simulate.behaviour import Behaviour, Faults, Weights
from bespeak.simulate.events import Event, events_of
from bespeak.simulate.life import Day, play
from bespeak.simulate.people import Consent, Person
from bespeak.simulate.policies import Experiment, Policy, Slates
from bespeak.simulate.worlds import WORLDS, ShopWorld, StreamingWorld

__all__ = [
    "WORLDS",
    "Behaviour",
    "Consent",
    "Day",
    "Event",
    "Experiment",
    "Faults",
    "Person",
    "Policy",
    "ShopWorld",
    "Slates",
    "StreamingWorld",
    "Weights",
    "artwork",
    "events_of",
    "play",
]
