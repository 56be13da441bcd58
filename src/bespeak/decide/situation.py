"""Request, person and world brought together: what is known now, and which items may be shown at all.

Eligibility is decided before any candidate is looked for, over the whole catalogue, so a source spends its places on
items that can be shown, and no later step can bring back what a rule removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.counters import DAY_MS
from bespeak.decide.model_scores import ModelScores
from bespeak.decide.person import PersonView
from bespeak.decide.placements import Placement
from bespeak.decide.question import Past
from bespeak.decide.request import DecideRequest
from bespeak.decide.world import World, rule_of
from bespeak.errors import RuleError
from bespeak.rules.columns import TextColumn
from bespeak.signals.decisions import Mode

Bools: TypeAlias = npt.NDArray[np.bool_]
Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Float32s: TypeAlias = npt.NDArray[np.float32]
Float64s: TypeAlias = npt.NDArray[np.float64]

SESSION_HALF_LIFE_HOURS = 2.0
SESSION_HOURS = 12.0
HOUR_MS = 3_600_000
N_ANCHORS = 5
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Known:
    """What the person brings, in catalogue indices. All empty when nothing personal may be read.

    Attributes:
        touched, weights, times_ms: the history for the models, oldest first.
        session: int32, catalogue items of the latest steps, ascending in time; `session_classes` their classes,
            `session_strengths` float64, class weight times strength, halving every `SESSION_HALF_LIFE_HOURS`.
        anchors: int32, the latest distinct items they turned to, newest first.
        cart: int32.
    """

    touched: Int32s
    weights: Float32s
    times_ms: Int64s
    session: Int32s
    session_classes: tuple[str, ...]
    session_strengths: Float64s
    anchors: Int32s
    cart: Int32s

    @classmethod
    def of(cls, person: PersonView | None, world: World, now_ms: int) -> Known:
        """Resolves a person's items; those that the catalogue does not have are left out."""
        if person is None:
            nothing, none = np.zeros(0, np.int32), np.zeros(0)
            return cls(nothing, none.astype(np.float32), none.astype(np.int64), nothing, (), none, nothing, nothing)
        find = world.catalogue.index.get
        ids, weights, times = person.history
        touched = np.array([find(item_id, -1) for item_id in ids], np.int32)
        known = touched >= 0
        steps: list[tuple[int, str, float]] = []
        anchors: list[int] = []
        for step in reversed(person.recent):
            index, signal_class = find(step.item_id), world.classes.get(step.signal_class)
            if index is None or signal_class is None or step.time_ms > now_ms + HOUR_MS:
                continue
            pull = signal_class.prior_weight * step.strength
            if pull > 0 and index not in anchors and len(anchors) < N_ANCHORS:
                anchors.append(index)
            age_hours = max(now_ms - step.time_ms, 0) / HOUR_MS
            if age_hours <= SESSION_HOURS and pull:
                steps.append((index, step.signal_class, pull * 0.5 ** (age_hours / SESSION_HALF_LIFE_HOURS)))
            elif len(anchors) == N_ANCHORS:
                break
        return cls(
            touched[known],
            np.asarray(weights, np.float32)[known],
            np.asarray(times, np.int64)[known],
            np.array([index for index, _, _ in steps], np.int32),
            tuple(name for _, name, _ in steps),
            np.array([pull for _, _, pull in steps], np.float64),
            np.array(anchors, np.int32),
            world.catalogue.positions(person.cart),
        )


@dataclass(frozen=True, eq=False)
class Touched:
    """Everything the person touched that the catalogue has: one entry per item and class.

    Attributes:
        rows: int32[t], catalogue indices.
        classes: int32[t], indices into `names`.
        counts: float64[t], how many signals, unfaded.
        last_ms: int64[t], the latest of them.
        names: the classes.
    """

    rows: Int32s
    classes: Int32s
    counts: Float64s
    last_ms: Int64s
    names: tuple[str, ...]

    @classmethod
    def of(cls, person: PersonView | None, world: World) -> Touched:
        """Reads a person's items and latest steps once; both, because a full profile lets old items go."""
        codes: dict[str, int] = {}
        entries: list[tuple[int, int, int, int]] = []
        if person is not None:
            find = world.catalogue.index.get
            for item_id, touches in person.items.items():
                row = find(item_id)
                if row is not None:
                    for name, touch in touches.items():
                        entries.append((row, codes.setdefault(name, len(codes)), touch.count, touch.last_ms))
            entries.extend(
                (row, codes.setdefault(step.signal_class, len(codes)), 1, step.time_ms)
                for step in person.recent
                if step.item_id not in person.items and (row := find(step.item_id)) is not None
            )
        table = np.fromiter(chain.from_iterable(entries), np.int64, 4 * len(entries)).reshape(len(entries), 4)
        return cls(
            table[:, 0].astype(np.int32),
            table[:, 1].astype(np.int32),
            table[:, 2].astype(np.float64),
            table[:, 3],
            tuple(codes),
        )

    def within(self, days_of: Mapping[str, float], now_ms: int) -> Int32s:
        """int32: the items touched in one of these classes within that class's days."""
        span = [days_of.get(name, -1.0) for name in self.names]
        oldest = np.array([now_ms - int(days * DAY_MS) if days >= 0 else _NEVER for days in span], np.int64)
        return self.rows[self.last_ms >= oldest[self.classes]] if len(self.rows) else self.rows


@dataclass(frozen=True, eq=False)
class Situation:
    """One decision's inputs, resolved.

    Attributes:
        person: None whenever nothing personal may be read.
        market: the market that holds.
        eligible: bool[n]: what may be shown at all.
        removed: rule -> how many items of the catalogue it was the first to remove.
        about: catalogue index of the item that the placement is about, -1 for none; `is_about_asked` tells whether the
            request named it.
        match: float32[n] in 0..1, or None when there is no query.
        listed: (int32 catalogue indices, float64 relevance in 0..1) of the caller's own list, or None.
        memo: what later steps work out once (they own its keys).
    """

    request: DecideRequest
    placement: Placement
    world: World
    now_ms: int
    mode: Mode
    person: PersonView | None
    known: Known
    touched: Touched
    market: str
    eligible: Bools
    removed: Mapping[str, int]
    about: int
    is_about_asked: bool
    match: Float32s | None
    listed: tuple[Int32s, Float64s] | None
    notes: tuple[str, ...]
    memo: dict[str, object] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        request: DecideRequest,
        placement: Placement,
        person: PersonView | None,
        world: World,
        now_ms: int,
        mode: Mode,
    ) -> Situation:
        """Resolves a request.

        Raises:
            RuleError: the request's filter is wrong.
        """
        known, touched = Known.of(person, world, now_ms), Touched.of(person, world)
        notes: list[str] = []
        market = request.market or placement.market
        match = _match(request.query, world) if request.query else None
        about, is_about_asked = _about(request, placement, known, world, notes)
        listed = _listed(request, world)
        sieve = Sieve(len(world.catalogue))
        sieve.keep("unavailable", world.catalogue.available(market, now_ms))
        if placement.kinds:
            sieve.keep("kind", _is_kind(placement.kinds, world))
        if placement.filter:
            sieve.keep("placement_filter", _placement_filter(placement.filter, market, world, now_ms, notes))
        if request.filter:
            rule = rule_of(request.filter, world.catalogue.schema)
            sieve.keep("filter", rule.mask(world.catalogue.market(market).columns, now_ms))
        if listed is not None:
            sieve.keep_only("not_listed", listed[0])
        if match is not None:
            sieve.keep("no_match", match > 0)
        sieve.drop("excluded", world.catalogue.positions(request.exclude))
        if about >= 0:
            sieve.drop("itself", np.array([about], np.int32))
        if placement.exclude_cart and len(known.cart):
            sieve.drop("cart", known.cart)
        if person is not None and placement.hide_seen:
            sieve.drop("seen", touched.within(placement.hide_seen, now_ms))
        removed = {rule: n for rule, n in sieve.removed.items() if n and rule not in {"not_listed", "no_match"}}
        if request.items is not None:
            unknown = sum(entry.id not in world.catalogue.index for entry in request.items)
            if unknown:
                removed["unknown"] = unknown
        return cls(
            request=request,
            placement=placement,
            world=world,
            now_ms=now_ms,
            mode=mode,
            person=person,
            known=known,
            touched=touched,
            market=market,
            eligible=sieve.eligible,
            removed=removed,
            about=about,
            is_about_asked=is_about_asked,
            match=match,
            listed=listed,
            notes=tuple(notes),
        )

    @cached_property
    def past(self) -> Past:
        """The history as the models are asked about it; they share what they work out of it."""
        traits = self.person.traits if self.person is not None else {}
        return Past(self.known.touched, self.known.weights, self.known.times_ms, self.now_ms, traits)

    @cached_property
    def model_scores(self) -> ModelScores:
        """Model -> float32[n] as `MappedModel.scores` scales them; one that reads nothing that is known is left out."""
        return ModelScores(
            [
                model
                for model in self.world.models.models
                if len(self.known.touched) or not model.is_personal or model.reads(self.past.traits)
            ],
            self.past,
        )

    @cached_property
    def facet_names(self) -> tuple[str, ...]:
        """The facets that affinities are scored on."""
        wanted = self.placement.facets
        return tuple(name for name in self.world.catalogue.facets if not wanted or name in wanted)

    @property
    def count(self) -> int:
        """How many items are wanted."""
        return self.request.count or self.placement.count


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


def _about(
    request: DecideRequest, placement: Placement, known: Known, world: World, notes: list[str]
) -> tuple[int, bool]:
    if request.item:
        found = world.catalogue.index.get(request.item, -1)
        if found < 0:
            notes.append("The item asked about is not in the catalogue; it was left out of account.")
        return found, found >= 0
    if placement.needs_item:
        if len(known.anchors):
            return int(known.anchors[0]), False
        notes.append("No item was named and none is known from before: popular items are shown.")
    return -1, False


def _match(query: str, world: World) -> Float32s:
    scores = world.text_index.scores(query)
    top = float(scores.max()) if len(scores) else 0.0
    return scores / np.float32(top) if top > 0 else scores


def _listed(request: DecideRequest, world: World) -> tuple[Int32s, Float64s] | None:
    """The caller's items; without their own relevance an earlier place counts more (1 for the first, down to 0)."""
    if request.items is None:
        return None
    first = {entry.id: entry for entry in reversed(request.items)}
    ordered = [entry for entry in dict.fromkeys(entry.id for entry in request.items) if entry in world.catalogue.index]
    rows = np.array([world.catalogue.index[item_id] for item_id in ordered], np.int32)
    given = np.array([np.nan if (r := first[item_id].relevance) is None else r for item_id in ordered], np.float64)
    if len(given) and np.isnan(given).all():
        return rows, 1.0 - np.arange(len(rows)) / len(rows)
    low = float(np.nanmin(given)) if len(given) else 0.0
    high = float(np.nanmax(given)) if len(given) else 0.0
    span = high - low
    return rows, np.nan_to_num((given - low) / span if span > 0 else np.ones(len(given)), nan=0.0)


def _is_kind(kinds: tuple[str, ...], world: World) -> Bools:
    column = world.catalogue.columns["kind"]
    assert isinstance(column, TextColumn)
    codes = [column.code_of[kind] for kind in kinds if kind in column.code_of]
    return np.isin(column.codes, codes)


def _placement_filter(text: str, market: str, world: World, now_ms: int, notes: list[str]) -> Bools:
    """A placement's own filter. A column that no item has (any more) is no reason to fail a page, nor to show all."""
    try:
        rule = rule_of(text, world.catalogue.schema)
    except RuleError:
        notes.append("The placement's filter names columns that no item has; it lets nothing pass.")
        return np.zeros(len(world.catalogue), np.bool_)
    return rule.mask(world.catalogue.market(market).columns, now_ms)
