"""Worlds with known truth, on which every claim of the package can be tested.

A world is its items, its people and the laws by which they live. A seed and an end time make one; nothing here reads a
clock or a global random generator. A *policy* fills its placement. Playing a world gives days, days give events.

    worlds      `ShopWorld` and `StreamingWorld`
    world       the parts of a world
    behaviour   what is planted: weights, position curve, shares, effects, faults
    draws       counter-based random numbers: the same luck under every policy

    offer       what a world offers: goods, titles, pictures
    crowd       who lives in it: tastes, consent, devices, attachment, how they choose
    doing       what they do: browse, buy, watch, read mail
    life        the days: `play`
    policies    random, popular, oracle, an experiment

    truth       what each policy would have brought, exactly
    events      days as Segment-shaped events; wording says how acts are called
    faults      what goes wrong between a world and its events
    loop        the closed loop with a running engine
    sites       where that engine runs: in this process, or behind an address
    proof       the closed loop as it is watched, day by day
"""

from bespeak.simulate.behaviour import Behaviour, Faults, Weights
from bespeak.simulate.crowd.people import Consent, Person
from bespeak.simulate.events import Event, events_of
from bespeak.simulate.life import Day, play
from bespeak.simulate.offer.art import artwork
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
