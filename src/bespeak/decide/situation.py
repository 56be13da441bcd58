"""An occasion resolved: what is known now, and which items may be shown at all.

Eligibility is decided before any candidate is looked for, over the whole catalogue, so a source spends its places on
items that can be shown, and no later step can bring back what a rule removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.counters import DAY_MS
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.rankers.score import Weights
from bespeak.decide.reading import HOUR_MS, Known, Reading, Touched
from bespeak.decide.request import DecideRequest
from bespeak.decide.serving.model_scores import ModelScores
from bespeak.decide.serving.question import Past
from bespeak.decide.settings.parts import CoolingSettings
from bespeak.decide.settings.placements import Placement
from bespeak.decide.subjects import Subject, subject_of
from bespeak.decide.world import World, rule_of
from bespeak.errors import RuleError, UnknownName
from bespeak.rules import Rule
from bespeak.rules.columns import NumberColumn, TextColumn
from bespeak.signals.decisions import Mode

ON_REQUEST = ("offer", "action")
"""Kinds of items that stand only where a placement names them."""

NOT_KNOWN = "{} of the {} items listed are not in the catalogue."

Bools: TypeAlias = npt.NDArray[np.bool_]
Int32s: TypeAlias = npt.NDArray[np.int32]
Float32s: TypeAlias = npt.NDArray[np.float32]
Float64s: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Situation:
    """One decision's inputs, resolved.

    Attributes:
        occasion: what is asked, for whom, with which snapshot, when.
        placement: the settings that decide.
        mode: what the decision goes by.
        market: the market that holds.
        eligible: bool[n]: what may be shown at all.
        removed: rule -> how many items of the catalogue it was the first to remove.
        reading: what is known of the person, resolved.
        subject: what the placement is about.
        match: float32[n] in 0..1, or None when there is no query.
        listed: (int32 catalogue indices, float64 relevance in 0..1) of the caller's own list, or None.
    """

    occasion: Occasion
    placement: Placement
    mode: Mode
    reading: Reading
    market: str
    eligible: Bools
    removed: Mapping[str, int]
    subject: Subject
    match: Float32s | None
    listed: tuple[Int32s, Float64s] | None
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        occasion: Occasion,
        placement: Placement,
        *,
        mode: Mode | None = None,
        reading: Reading | None = None,
        subject: Subject | None = None,
    ) -> Situation:
        """Resolves an occasion.

        Args:
            occasion: what is asked, for whom, with which snapshot, when.
            placement: the settings that decide.
            mode: in place of the occasion's own.
            reading: in place of the occasion's own; the rows of a page share one.
            subject: what the slate is about, in place of what the request says.

        Raises:
            UnknownName: no item has the request's market.
            RuleError: the request's filter is wrong.
        """
        request, world, now_ms = occasion.request, occasion.world, occasion.now_ms
        rule = rule_of_request(request, world)
        reading = reading or occasion.reading
        notes: list[str] = []
        market = request.market or placement.market
        match = _match(request, world) if request.query else None
        subject = subject or subject_of(request, reading, placement, notes)
        listed = _listed(request, world)
        sieve = Sieve(len(world.catalogue))
        available = reading.once(("available", market), lambda: world.catalogue.available(market, now_ms))
        sieve.keep("unavailable", available)
        if world.used_up:
            sieve.drop("used_up", world.catalogue.positions(sorted(world.used_up)))
        _sieve_placement(sieve, placement, reading, market, notes)
        if rule is not None:
            sieve.keep("filter", rule.mask(world.catalogue.market(market).columns, now_ms))
        if listed is not None:
            sieve.keep_only("not_listed", listed[0])
        elif match is not None:  # a list comes from an engine that may know more words
            sieve.keep("no_match", match > 0)
        sieve.drop("excluded", world.catalogue.positions(request.exclude))
        if subject.item >= 0:
            sieve.drop("itself", np.array([subject.item], np.int32))
        if subject.value is not None:
            facet, code = subject.value
            sieve.keep("value", (world.catalogue.facets[facet].codes == code).any(axis=1))
        _sieve_person(sieve, placement, reading)
        removed = {rule: n for rule, n in sieve.removed.items() if n and rule not in {"not_listed", "no_match"}}
        if request.items is not None:
            unknown = sum(entry.id not in world.catalogue.index for entry in request.items)
            if unknown:
                removed["unknown"] = unknown
                notes.append(NOT_KNOWN.format(unknown, len(request.items)))
        return cls(
            occasion=occasion,
            placement=placement,
            mode=mode or occasion.mode,
            reading=reading,
            market=market,
            eligible=sieve.eligible,
            removed=removed,
            subject=subject,
            match=match,
            listed=listed,
            notes=tuple(notes),
        )

    @cached_property
    def request(self) -> DecideRequest:
        """What is asked."""
        return self.occasion.request

    @cached_property
    def world(self) -> World:
        """The snapshot to decide with."""
        return self.occasion.world

    @cached_property
    def now_ms(self) -> int:
        """The moment."""
        return self.occasion.now_ms

    @property
    def person(self) -> PersonView | None:
        """Whom it is for; None whenever nothing personal may be read."""
        return self.reading.person

    @property
    def known(self) -> Known:
        """What the person brings."""
        return self.reading.known

    @property
    def touched(self) -> Touched:
        """Everything that the person touched."""
        return self.reading.touched

    @property
    def past(self) -> Past:
        """The history as the models are asked about it."""
        return self.reading.past

    @property
    def model_scores(self) -> ModelScores:
        """What the models say."""
        return self.reading.model_scores

    @property
    def about(self) -> int:
        """Catalogue index of the item that the placement is about, -1 for none."""
        return self.subject.item

    @property
    def is_about_asked(self) -> bool:
        """Whether the request named the item."""
        return self.subject.is_asked

    @cached_property
    def facet_names(self) -> tuple[str, ...]:
        """The facets that affinities are scored on."""
        wanted = self.placement.facets
        return tuple(name for name in self.world.catalogue.facets if not wanted or name in wanted)

    @property
    def weights(self) -> Weights:
        """The weights that hold.

        Weights are learned of people who had done something before. Beside personal signals the others weigh little; a
        slate of these alone would come out in a poor order, so for whoever is not known the default weights hold.
        """
        if self.mode != "profiled" or (self.person is not None and not self.person.has_acted):
            return self.world.weights
        return self.world.weights_of(self.request.placement, self.placement)

    @property
    def count(self) -> int:
        """How many items are wanted."""
        return self.request.count or self.placement.count


def rule_of_request(request: DecideRequest, world: World) -> Rule | None:
    """The request's filter, None for none, once what it names is known to the catalogue.

    Raises:
        UnknownName: no item has the request's market.
        RuleError: the request's filter is wrong.
    """
    if request.market and request.market not in world.catalogue.markets:
        raise UnknownName("market", request.market, world.catalogue.markets)
    return rule_of(request.filter, world.catalogue.schema) if request.filter else None


class Sieve:
    """Removes items rule by rule and remembers which rule was the first to remove how many."""

    def __init__(self, n_items: int) -> None:
        self.eligible: Bools = np.ones(n_items, np.bool_)
        self.removed: dict[str, int] = {}
        self._n_left = n_items

    def keep(self, rule: str, allowed: Bools) -> None:
        """Keeps what is allowed."""
        self.eligible &= allowed
        self._count(rule)

    def keep_only(self, rule: str, rows: Int32s) -> None:
        """Keeps these items alone."""
        allowed = np.zeros(len(self.eligible), np.bool_)
        allowed[rows] = True
        self.keep(rule, allowed)

    def drop(self, rule: str, rows: Int32s) -> None:
        """Drops these items."""
        if len(rows):
            self.eligible[rows] = False
            self._count(rule)

    def _count(self, rule: str) -> None:
        left = int(np.count_nonzero(self.eligible))
        self.removed[rule] = self.removed.get(rule, 0) + self._n_left - left
        self._n_left = left


def _sieve_placement(sieve: Sieve, placement: Placement, reading: Reading, market: str, notes: list[str]) -> None:
    """The placement's own rules about items."""
    world, now_ms = reading.world, reading.now_ms
    if placement.kinds:
        sieve.keep("kind", world.catalogue.is_kind(placement.kinds))
    elif _has_kind(ON_REQUEST, world):
        sieve.keep("kind", ~world.catalogue.is_kind(ON_REQUEST))
    if placement.filter:
        sieve.keep("placement_filter", _placement_filter(placement.filter, market, world, now_ms, notes))
    if placement.new_days is not None:
        sieve.keep("old", world.catalogue.born_ms > max(now_ms - int(placement.new_days * DAY_MS), 0))
    if placement.min_stock:
        sieve.keep("stock", _in_stock(placement.min_stock, world))


def _sieve_person(sieve: Sieve, placement: Placement, reading: Reading) -> None:
    """The placement's rules about what the person did."""
    if placement.exclude_cart:
        sieve.drop("cart", reading.known.cart)
    if placement.cooling_off:
        sieve.drop("cooling_off", _resting(placement.cooling_off, reading))
    if placement.hide_seen:
        sieve.drop("seen", reading.touched.within(placement.hide_seen, reading.now_ms))


def _match(request: DecideRequest, world: World) -> Float32s:
    scores = world.text_index.scores(request.query, request.context.locale)
    if request.context.locale and not scores.any():
        scores = world.text_index.scores(request.query)  # who writes another language than their device is set to
    top = float(scores.max()) if len(scores) else 0.0
    return scores / np.float32(top) if top > 0 else scores


def _listed(request: DecideRequest, world: World) -> tuple[Int32s, Float64s] | None:
    """The caller's items; without their own relevance an earlier place counts more (1 for the first, down to 0)."""
    if request.items is None:
        return None
    find = world.catalogue.index.get
    relevance: dict[int, float | None] = {}
    for entry in request.items:
        row = find(entry.id)
        if row is not None and row not in relevance:
            relevance[row] = entry.relevance
    rows = np.fromiter(relevance, np.int32, len(relevance))
    known = [value for value in relevance.values() if value is not None]
    if len(rows) and not known:
        return rows, 1.0 - np.arange(len(rows)) / len(rows)
    given = np.array([np.nan if value is None else value for value in relevance.values()], np.float64)
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    if not low < high:
        return rows, np.where(np.isnan(given), 0.0, 1.0)
    halved, least = given / 2, low / 2  # the difference of two huge numbers is none
    return rows, np.nan_to_num((halved - least) / (high / 2 - least), nan=0.0)


def _has_kind(kinds: tuple[str, ...], world: World) -> bool:
    column = world.catalogue.columns["kind"]
    return isinstance(column, TextColumn) and any(kind in column.code_of for kind in kinds)


def _in_stock(least: int, world: World) -> Bools:
    """bool[n]: not fewer than so many, as far as the items say how many there are."""
    column = world.catalogue.columns.get("stock")
    if not isinstance(column, NumberColumn):
        return np.ones(len(world.catalogue), np.bool_)
    return np.asarray(~(column.values < least))  # NaN, an unknown number, is never less


def _resting(rules: tuple[CoolingSettings, ...], reading: Reading) -> Int32s:
    """int32: the items that were shown so often, so lately, that a rule lets them rest."""
    found = [
        row
        for row, times_ms in reading.shown.items()
        for rule in rules
        if sum(reading.now_ms - time_ms < rule.hours * HOUR_MS for time_ms in times_ms) >= rule.times
    ]
    return np.array(found, np.int32)


def _placement_filter(text: str, market: str, world: World, now_ms: int, notes: list[str]) -> Bools:
    """A placement's own filter. A column that no item has (any more) is no reason to fail a page, nor to show all."""
    try:
        rule = rule_of(text, world.catalogue.schema)
    except RuleError:
        notes.append("The placement's filter names columns that no item has; it lets nothing pass.")
        return np.zeros(len(world.catalogue), np.bool_)
    return rule.mask(world.catalogue.market(market).columns, now_ms)
