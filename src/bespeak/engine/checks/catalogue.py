"""Checks of the catalogue and of what can be shown from it."""

from __future__ import annotations

from collections import Counter
from math import inf

import numpy as np

from bespeak.decide.choosing.actions import eligible_text, number
from bespeak.decide.occasion import Occasion
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.parts import MAX_COUNT
from bespeak.decide.situation import ON_REQUEST, Situation
from bespeak.decide.slates.constraints import pinned
from bespeak.decide.world import World
from bespeak.engine.checks.finding import FAIL, WARN, Finding, named, passed
from bespeak.engine.core import Core
from bespeak.errors import ConfigError, RuleError
from bespeak.signals.items import Item

_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP
CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD
IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR
MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP
SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF
XPF YER ZAR ZMW ZWG
"""
ISO_4217 = frozenset(_CODES.split())
STUBS_WARN_SHARE = 0.2
_ANY = (-inf, inf)
_BOUNDS = {"probability": (0.0, 1.0), "uplift": (-1.0, 1.0), "value": _ANY, "cost": _ANY, "repeat_days": _ANY,
           "max_times": _ANY, "budget": _ANY}  # fmt: skip
"""What the numbers of an action or an offer may be."""


def titles(core: Core) -> Finding:
    """Items have a title: without one a person cannot be told what is shown, nor why."""
    return _share(core, "item titles", [i.id for i in core.world.catalogue.items if not i.title], "without a title")


def prices(core: Core) -> Finding:
    """Products have a price, so that filters and the price habit of people work."""
    bare = [
        item.id
        for item in core.world.catalogue.items
        if item.kind == "product" and not any(market.price is not None for market in item.markets.values())
    ]
    if len(bare) == len(core.world.catalogue):
        return passed("item prices", "no item has one: prices are not used")
    return _share(core, "item prices", bare, "without a price")


def stubs(core: Core) -> Finding:
    """Most items were imported, not only seen in events."""
    name = "stubs"
    known = core.world.catalogue.items
    bare = [item.id for item in known if item.is_stub]
    if len(bare) <= STUBS_WARN_SHARE * len(known):
        return passed(name, f"{len(bare):,} of {len(known):,} items are known only from events")
    return Finding(
        name=name,
        status=WARN,
        message=f"{len(bare):,} of {len(known):,} items are known only from events",
        n=len(bare),
        advice="Import the catalogue: bespeak import items FILE.",
    )


def currencies(core: Core) -> Finding:
    """Every currency is one of ISO 4217."""
    name = "currencies"
    found = {market.currency for item in core.world.catalogue.items for market in item.markets.values()}
    table = core.lake.read("signals", ("currency",), where="currency IS NOT NULL")
    found |= set(table.column("currency").unique().to_pylist())
    unknown = sorted(code for code in found if code and code not in ISO_4217)
    if not unknown:
        return passed(name, named(sorted(code for code in found if code)) or "none used")
    return Finding(
        name=name,
        status=WARN,
        message=f"unknown, kept and left out of sums: {named(unknown)}",
        n=len(unknown),
        advice="Send ISO 4217 codes, for example EUR.",
    )


def attribute_types(core: Core) -> Finding:
    """An attribute is a number on every item that has it or on none: filters compare it as one or the other."""
    name = "attribute types"
    numbers: Counter[str] = Counter()
    others: dict[str, list[str]] = {}
    for item in core.world.catalogue.items:
        for attribute, value in item.attributes.items():
            if isinstance(value, str) and value:
                others.setdefault(attribute, []).append(item.id)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                numbers[attribute] += 1
    mixed = sorted(others.keys() & numbers.keys(), key=lambda attribute: (-len(others[attribute]), attribute))
    if not mixed:
        return passed(name, "no attribute is a number here and a text there")
    first = mixed[0]
    counts = f"{numbers[first]:,} numbers, {len(others[first]):,} texts such as on {others[first][0]}"
    return Finding(
        name=name,
        status=WARN,
        message=f"numbers here and texts there: {named(mixed)} ({first}: {counts})",
        n=len(mixed),
        advice="Send numbers as numbers: PATCH /api/items. A few texts count as unknown; many make it all a text.",
    )


def markets(core: Core) -> Finding:
    """Every market that a placement names is one that items have; else prices of `default` are shown there."""
    name = "markets"
    known = core.world.catalogue.markets
    unknown = sorted({placement.market for placement in core.world.placements.values()} - set(known))
    if not unknown:
        return passed(name, named(list(known)))
    return Finding(
        name=name,
        status=WARN,
        message=f"no item has what placements name: {named(unknown)}",
        n=len(unknown),
        advice=f"Give items these markets, or name one of: {named(list(known))}.",
    )


def filters(core: Core) -> Finding:
    """The filter of every placement names columns that items have."""
    name = "placement filters"
    try:
        core.check_filters(core.config)
    except ConfigError as error:
        return Finding(
            name=name,
            status=FAIL,
            message=f"{error.message} It lets nothing pass.",
            n=1,
            advice=error.hint or "Mend the filter, or import items with this attribute.",
        )
    n = sum(len(placement.filters()) for placement in core.config.placements.values())
    return passed(name, f"{n:,} can be used")


def placements(core: Core) -> Finding:
    """Every placement has something to show to somebody who is not known."""
    name = "placements"
    world, now_ms = core.world, core.now_ms()
    if not len(world.catalogue):
        return Finding(
            name=name,
            status=WARN,
            message="there are no items yet",
            n=1,
            advice="Import some: bespeak import items FILE, or let events name them.",
        )
    empty = []
    for label, placement in world.placements.items():
        if placement.new_days is not None:
            continue  # a time without new items is no fault
        situation = Situation.of(Occasion(DecideRequest(placement=label), None, world, now_ms), placement)
        if not np.any(situation.eligible):
            empty.append(label)
    if not empty:
        return passed(name, f"all {len(world.placements)} have eligible items")
    return Finding(
        name=name,
        status=FAIL,
        message=f"nothing may be shown at: {named(empty)}",
        n=len(empty),
        advice="Look at their kinds, filter and market, and at availability: `bespeak decide PLACEMENT --explain`.",
    )


def pins(core: Core) -> Finding:
    """Every position that a placement keeps has something that may stand there, by its own filter and kinds."""
    name = "pins"
    world, now_ms = core.world, core.now_ms()
    n, idle = 0, []
    for label, placement in world.placements.items():
        if not placement.pins or not len(world.catalogue):
            continue
        asked = DecideRequest(placement=label, count=MAX_COUNT)
        situation = Situation.of(Occasion(asked, None, world, now_ms), placement)
        n += len(placement.pins)
        idle += [f"{label} at {pin.position}" for pin in pinned(situation) if not pin.allowed.any()]
    if not idle:
        return passed(name, f"{n:,} keep a position for something that may stand there")
    return Finding(
        name=name,
        status=WARN,
        message=f"nothing may stand where it is kept: {named(idle)}",
        n=len(idle),
        advice="Look at the pin's item or filter beside the placement's: `bespeak decide PLACEMENT --why-not ITEM`.",
    )


def actions(core: Core) -> Finding:
    """What actions and offers say of themselves can be read: for whom they are, what they are worth and may cost."""
    name = "actions"
    found = [item for item in core.world.catalogue.items if item.kind in ON_REQUEST]
    wrong = {item.id: problem for item in found if (problem := _problem_of(item, core.world))}
    if not wrong:
        return passed(name, f"{len(found):,} can be read")
    item_id, problem = next(iter(wrong.items()))
    return Finding(
        name=name,
        status=WARN,
        message=f"{len(wrong):,} of {len(found):,} say what cannot be used: {named(list(wrong))}; {item_id}: {problem}",
        n=len(wrong),
        advice="Mend their attributes: PATCH /api/items, or bespeak import items FILE.",
    )


def _problem_of(action: Item, world: World) -> str:
    try:
        world.rule_about_people(eligible_text(action))
    except RuleError as error:
        return f"`eligible` cannot be read, so it is never done: {error.message}"
    for attribute, (low, high) in _BOUNDS.items():
        if attribute not in action.attributes:
            continue
        value = number(action, attribute)
        if value is None:
            return f"`{attribute}` is no number and counts as left out."
        if not low <= value <= high:
            return f"`{attribute}` is {value:g}, and counts as the nearest between {low:g} and {high:g}."
    if number(action, "budget") is not None and number(action, "cost") is None:
        return "`budget` holds nothing back without `cost`, what one code costs."
    return ""


def _share(core: Core, name: str, bare: list[str], what: str) -> Finding:
    n_all = len(core.world.catalogue)
    if not bare:
        return passed(name, f"none of {n_all:,} items is {what}")
    return Finding(
        name=name,
        status=WARN,
        message=f"{len(bare):,} of {n_all:,} items are {what}: {named(bare)}",
        n=len(bare),
        advice="Complete them: bespeak import items FILE, or PATCH /api/items.",
    )
