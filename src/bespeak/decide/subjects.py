"""What a placement is about: an item ("because you watched Dune"), or a value of a facet ("Westerns")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bespeak.catalogue.counters import DAY_MS
from bespeak.decide.reading import Reading
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.placements import Placement

ABOUT_HALF_LIFE_DAYS = 7.0
NOT_THERE = "The {} asked about is not in the catalogue; it was left out of account."
NO_FACET = "The placement is about no facet; the value asked about was left out of account."
NO_ITEM = "No item was named and none is known from before: popular items are shown."


@dataclass(frozen=True)
class Subject:
    """What one slate is about; by default nothing in particular.

    Attributes:
        item: catalogue index, -1 for none.
        value: (facet, its code), or None.
        is_asked: whether the request named it.
    """

    item: int = -1
    value: tuple[str, int] | None = None
    is_asked: bool = False

    @property
    def is_none(self) -> bool:
        """Whether the slate is about nothing in particular."""
        return self.item < 0 and self.value is None


def subject_of(request: DecideRequest, reading: Reading, placement: Placement, notes: list[str]) -> Subject:
    """The subject of a slate: what the request names, else the first of `subjects`. Adds to the notes."""
    if request.value:
        facets = reading.world.catalogue.facets
        for name in placement.about_facets:
            if name in facets and request.value in facets[name].code_of:
                return Subject(value=(name, facets[name].code_of[request.value]), is_asked=True)
        notes.append(NOT_THERE.format("value") if placement.about_facets else NO_FACET)
    if request.item:
        found = reading.world.catalogue.index.get(request.item, -1)
        if found < 0:
            notes.append(NOT_THERE.format("item"))
        return Subject(found, is_asked=found >= 0)
    if request.value or not placement.has_subject:
        return Subject()
    known = subjects(reading, placement, 1)
    if not known and placement.needs_item:
        notes.append(NO_ITEM)
    return known[0] if known else Subject()


def subjects(reading: Reading, placement: Placement, n: int) -> list[Subject]:
    """At most n things that a placement may be about for this person, the strongest first.

    Items, one of a group: those that they turned to lately in one of `about_classes`, by class weight times decayed
    strength, halved for each week since; without classes the latest items. Values: of the first of `about_facets` that
    the catalogue has, those they like most, then those whose items are most popular.
    """
    if placement.about_facets:
        return _values(reading, placement, n)
    if not placement.about_classes:
        items: list[int] = reading.known.anchors.tolist()
    else:
        strengths = _strengths(reading, placement.about_classes)
        items = sorted(strengths, key=lambda item: (-strengths[item], item))
    groups = reading.world.catalogue.groups
    first_of_group = {int(groups[item]): item for item in reversed(items)}
    return [Subject(item) for item in items if first_of_group[int(groups[item])] == item][:n]


def _strengths(reading: Reading, classes: tuple[str, ...]) -> dict[int, float]:
    """Catalogue index -> how strongly they turned to it; only what is above 0."""
    if reading.person is None:
        return {}
    find, now_ms = reading.world.catalogue.index.get, reading.now_ms
    weights = {name: c.prior_weight for name in classes if (c := reading.world.classes.get(name)) is not None}
    found: dict[int, float] = {}
    for item_id, touches in reading.person.items.items():
        row = find(item_id)
        if row is None:
            continue
        strength = sum(
            weights[name] * touch.value * 0.5 ** (max(now_ms - touch.last_ms, 0) / DAY_MS / ABOUT_HALF_LIFE_DAYS)
            for name, touch in touches.items()
            if name in weights
        )
        if strength > 0:
            found[row] = strength
    return found


def _values(reading: Reading, placement: Placement, n: int) -> list[Subject]:
    facets = reading.world.catalogue.facets
    name = next((name for name in placement.about_facets if name in facets and facets[name].vocabulary), "")
    if not name:
        return []
    facet = facets[name]
    popularity = reading.world.popularity_of_values(name)
    liked = np.zeros(len(facet.vocabulary))
    for value, strength in (reading.person.affinities.get(name, {}) if reading.person is not None else {}).items():
        code = facet.code_of.get(value)
        if code is not None:
            liked[code] = strength
    order = np.lexsort((-popularity, -np.maximum(liked, 0)))
    chosen = [code for code in order.tolist() if liked[code] >= 0 and (liked[code] > 0 or popularity[code] > 0)]
    return [Subject(value=(name, code)) for code in chosen[:n]]
