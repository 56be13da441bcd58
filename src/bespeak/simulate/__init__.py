"""Worlds with known truth, on which every claim of the package can be tested.

    ranges     what a shop sells: categories, invented brands, words (data)
    goods      items: catalogue records and the hidden numbers behind them
    people     people: who they are, what they like, what they allow
    choice     utility, attention by position, probability of a click
    rhythm     when somebody visits
    shopper    one person's life in the shop
    purchases  cart and order events
    response   the reaction to a slate that is shown (closed loop)
    envelope   Segment-shaped events
    shop       `ShopWorld`, which puts these together
    art        artwork for items, as SVG

Nothing here reads a clock or a global random generator: a seed and an end time make a world.
"""

from bespeak.simulate.art import artwork
from bespeak.simulate.envelope import Event
from bespeak.simulate.people import Consent, Device, Person
from bespeak.simulate.shop import ShopWorld

__all__ = ["Consent", "Device", "Event", "Person", "ShopWorld", "artwork"]
