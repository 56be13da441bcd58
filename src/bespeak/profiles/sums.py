"""Decayed sums by class: what a profile holds of its items, and of the values of each facet.

The class comes first, so that a person with a hundred facet values costs a few tables and not a hundred small ones:
that is most of what it takes to read, write and forget a profile. No class is there without a key.
"""

from __future__ import annotations

from collections.abc import Mapping

from bespeak.profiles.decay import Decayed

Sums = dict[str, dict[str, Decayed]]
"""Class -> key (an item id, or a value of a facet) -> decayed strength."""


def all_keys(sums: Sums) -> set[str]:
    """Returns every key that any class has a sum of."""
    return set().union(*sums.values())


def sums_of(sums: Sums, key: str) -> dict[str, Decayed]:
    """Returns class -> sum of one key.

    Example:
        >>> sums_of({"view": {"p1": Decayed(2.0, 0)}, "hide": {"p2": Decayed(1.0, 0)}}, "p1")
        {'view': Decayed(value=2.0, last_ms=0, count=1)}
    """
    return {name: held[key] for name, held in sums.items() if key in held}


def join_sums(into: Sums, other: Sums, rates: Mapping[str, float]) -> None:
    """Adds the sums of other events, those of a class without a rate left out; `other` must not be used any more."""
    for name, theirs in other.items():
        rate = rates.get(name)
        if rate is None:
            continue
        ours = into.get(name)
        if ours is None:
            into[name] = theirs
            continue
        for key, decayed in theirs.items():
            held = ours.get(key)
            if held is None:
                ours[key] = decayed
            else:
                held.join(decayed, rate)
