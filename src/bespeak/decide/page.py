"""A whole page: which rows it shows, in which order, each item once.

    value(row | rows above) = weight of the row * sum over its places c of worth(item at c) / log2(1 + c)
    value(page) = sum over its rows r of value(row at r | rows above) / log2(1 + r)

worth(i) lies between 0 and 1 and goes by one set of weights for all rows, so that the items of rows with weights of
their own can be compared. Where weights were learned for a row's placement, those of the first such row: worth is then
the learned chance of a reward. Else the weights of the project: worth is then the logistic of how many standard
deviations the score lies above the mean of all candidates of the page.

Rows are chosen one at a time, from the top, the most valuable first, with the slate that each would show given what
stands above it; so an item, a group or a capped value that one row has used up counts for no other. A row that would
hold too few items is left out. Rows are compared by the slates without exploration; when one is chosen, its positions
are drawn where its placement explores. So which rows stand where depends on nothing but what was drawn above, and the
propensities, given everything above and before, are exact.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import expit

from bespeak.decide.by_policy import row_policy
from bespeak.decide.constraints import column_of
from bespeak.decide.creatives import with_creatives
from bespeak.decide.decide import Prepared, Ranked, prepare, prepare_fallback, readable, recorded, under
from bespeak.decide.features import FeatureMatrix
from bespeak.decide.launch import Assigned
from bespeak.decide.page_settings import Page, RowSettings
from bespeak.decide.person import PersonView
from bespeak.decide.reading import Reading
from bespeak.decide.request import DecideRequest
from bespeak.decide.slate import Cap, Constraints, Values
from bespeak.decide.subjects import Subject, subjects
from bespeak.decide.trial import Policy
from bespeak.decide.world import World
from bespeak.signals.decisions import Decision, PagePlace

Bools: TypeAlias = npt.NDArray[np.bool_]
Int64s: TypeAlias = npt.NDArray[np.int64]
Float64s: TypeAlias = npt.NDArray[np.float64]

ROW_BUDGET = 200
"""Candidates that are scored for a row: enough for its items and for those that other rows take."""

NO_SUBJECT = "nothing is known that it could be about"
EMPTY_CART = "the cart is empty"
TOO_FEW = "too few items are left for it"
NO_ROOM = "other rows are worth more"


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One question for a whole page.

    Attributes:
        page: its settings.
        requests: what each of the page's rows asks for.
        keeps_order: the caller put the rows together: all of them are answered, in this order.
    """

    page: Page
    requests: tuple[DecideRequest, ...]
    keeps_order: bool = False


@dataclass(frozen=True)
class PageDecision:
    """The answer.

    Attributes:
        page_id: shared by the rows.
        page: name of the page, "" for rows that the caller put together.
        rows: a record for each row, from the top.
        left_out: (placement, why) of the rows that are not shown.
    """

    page_id: str
    page: str
    rows: tuple[Decision, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def page_request(page: Page, asked: DecideRequest) -> PageRequest:
    """The request for a page of the project; `asked` says everything but placement and count."""
    requests = tuple(
        msgspec.structs.replace(asked, placement=row.placement, count=row.count or page.count) for row in page.rows
    )
    return PageRequest(page=page, requests=requests)


def rows_request(requests: Sequence[DecideRequest], caps: Mapping[str, int], *, one_per_group: bool) -> PageRequest:
    """The request for rows that the caller put together."""
    rows = tuple(RowSettings(placement=request.placement) for request in requests)
    page = Page(rows=rows, max_rows=max(len(rows), 1), min_items=1, caps=dict(caps), one_per_group=one_per_group)
    return PageRequest(page=page, requests=tuple(requests), keeps_order=True)


def decide_page(
    request: PageRequest,
    person: PersonView | None,
    world: World,
    now_ms: int,
    page_id: str,
    assigned: Mapping[str, Assigned] | None = None,
    *,
    ids: Sequence[str] = (),
    explores: bool = False,
) -> PageDecision:
    """Decides a whole page.

    Args:
        request: what is asked.
        person: who it is for; None when nobody is recognised.
        world: the snapshot to decide with.
        now_ms: the moment.
        page_id: of the page; the same id repeats its draws. Row k has the decision id `page_id-k`.
        assigned: placement -> the experiment that the person takes part in there; the rows of a control read nothing
            about them.
        ids: ids of the request, the strongest first: what a roll-out goes by.
        explores: whether positions are drawn where placements say so.

    Raises:
        UnknownName, RuleError, InvalidInput: as `decide`, for any of the rows.
    """
    held, budget = assigned or {}, max(ROW_BUDGET, 4 * max(asked.count or 0 for asked in request.requests))
    readings: dict[bool, Reading] = {}
    rows: list[_Row] = []
    left_out: list[tuple[str, str]] = []
    for place, asked in enumerate(request.requests):
        trial, policy = row_policy(world, asked.placement, held.get(asked.placement), ids, is_preview=not explores)
        is_unread = trial is not None and trial.is_unread
        whom = None if is_unread else person
        if is_unread not in readings:
            readings[is_unread] = Reading.of(readable(whom), world, now_ms)
        reading = readings[is_unread]
        about, why = _subjects(asked, request, request.page.rows[place], reading)
        left_out += [(asked.placement, why)] if why else []
        for subject in about:
            prepared = prepare(
                asked, whom, world, now_ms, reading=reading, subject=subject, policy=policy, budget=budget
            )
            rows.append(
                _Row(
                    number=len(rows),
                    settings=request.page.rows[place],
                    prepared=prepared,
                    draw=f"{page_id}-{len(rows) + 1}" if explores and not is_unread else "",
                    is_further=subject != about[0],
                    assigned=trial,
                    policy=policy,
                )
            )
    shown, dropped = _chosen(rows, request, world)
    records = []
    for row, ranked in shown:
        made = recorded(ranked, f"{page_id}-{row.number + 1}", person, row.policy)
        made = made if row.assigned is None else under(row.assigned, made)
        whom = None if row.is_unread else person
        asked = row.prepared.situation.request
        records.append(with_creatives(made, asked, whom, world, explores=explores and not row.is_unread))
    return _page(request, page_id, records, [*left_out, *dropped])


def fallback_page(request: PageRequest, world: World, now_ms: int, page_id: str, note: str = "") -> PageDecision:
    """The page of popular rows, for when a full one fails or takes too long; errors as `decide_page`."""
    rows: list[_Row] = []
    left_out: list[tuple[str, str]] = []
    for settings, asked in zip(request.page.rows, request.requests, strict=True):
        prepared = prepare_fallback(asked, world, now_ms)
        if (prepared.situation.placement.fill and not prepared.situation.placement.needs_cart) or request.keeps_order:
            rows.append(_Row(len(rows), settings, prepared))
        else:
            left_out.append((asked.placement, NO_SUBJECT))
    shown, dropped = _chosen(rows, request, world)
    records = []
    for row, ranked in shown:
        made = recorded(ranked, f"{page_id}-{row.number + 1}", None)
        made = msgspec.structs.replace(made, notes=(*made.notes, note) if note else made.notes)
        records.append(with_creatives(made, row.prepared.situation.request, None, world, explores=False))
    return _page(request, page_id, records, [*left_out, *dropped])


@dataclass(frozen=True, eq=False)
class _Row:
    """One row that may be shown.

    Attributes:
        number: from 0, in the order declared.
        draw: what its positions are drawn for; "" takes the best.
        is_further: not the first of several rows of its placement.
        assigned, policy: the experiment that counts for it, and what decides in place of the placement's own settings.
    """

    number: int
    settings: RowSettings
    prepared: Prepared
    draw: str = ""
    is_further: bool = False
    assigned: Assigned | None = None
    policy: Policy | None = None

    @property
    def position(self) -> int | None:
        """Where it stands if it stands at all; None where it may stand anywhere."""
        return None if self.is_further else self.settings.position

    @property
    def is_unread(self) -> bool:
        """Whether nothing about the person may be read for it."""
        return self.assigned is not None and self.assigned.is_unread


@dataclass(eq=False)
class _Shown:
    """What stands on the page so far.

    Attributes:
        items: bool[n], the items.
        groups: bool, by group code; None where groups may repeat.
        values: attribute -> (int32[n, width] codes, n_values, int64[n_values] how many items have each).
    """

    page: Page
    world: World
    items: Bools
    groups: Bools | None
    values: dict[str, tuple[npt.NDArray[np.int32], int, Int64s]] = field(default_factory=dict)

    @classmethod
    def nothing(cls, page: Page, world: World) -> _Shown:
        catalogue = world.catalogue
        n_groups = int(catalogue.groups.max()) + 1 if len(catalogue) else 0
        shown = cls(
            page,
            world,
            np.zeros(len(catalogue), np.bool_),
            np.zeros(n_groups, np.bool_) if page.one_per_group else None,
        )
        for name in page.caps:
            column = column_of(name, world)
            if column is not None:
                n_values = len(column.vocabulary)
                shown.values[name] = column.codes, n_values, np.zeros(n_values, np.int64)
        return shown

    def constraints(self, prepared: Prepared) -> Constraints:
        """The constraints of a row, and those of the page given what stands on it."""
        rows, own = prepared.candidates.rows, prepared.constraints
        taken = self.items[rows]
        if self.groups is not None:
            taken |= self.groups[self.world.catalogue.groups[rows]]
        caps = tuple(
            Cap(name, self.page.caps[name], Values(codes[rows], n_values), held=held)
            for name, (codes, n_values, held) in self.values.items()
        )
        groups = self.world.catalogue.groups[rows] if self.groups is not None else own.groups
        return replace(own, groups=groups, caps=(*own.caps, *caps), taken=taken)

    def add(self, ranked: Ranked) -> None:
        """Takes note of a row that is shown."""
        rows = ranked.candidates.rows[[choice.candidate for choice in ranked.slate.chosen]]
        self.items[rows] = True
        if self.groups is not None:
            self.groups[self.world.catalogue.groups[rows]] = True
        for codes, n_values, held in self.values.values():
            for row in rows.tolist():
                own = np.unique(codes[row])
                held[own[own < n_values]] += 1


class _Values:
    """What slates are worth."""

    def __init__(self, rows: Sequence[_Row], world: World) -> None:
        known = (world.weights_of(row.settings.placement) for row in rows)
        self._weights = next((weights for weights in known if weights.slope > 0), world.weights)
        self._scores = {row.number: self._common(row.prepared.matrix, world.models.best) for row in rows}
        every = np.concatenate([*self._scores.values(), np.zeros(0)])
        self._mean = float(every.mean()) if len(every) else 0.0
        self._spread = (float(every.std()) if len(every) else 0.0) or 1.0

    def of(self, row: _Row, ranked: Ranked) -> float:
        """The value of a row with this slate."""
        scores = self._scores[row.number][[choice.candidate for choice in ranked.slate.chosen]]
        if self._weights.slope > 0:
            worth = expit(self._weights.intercept + self._weights.slope * scores)
        else:
            worth = expit((scores - self._mean) / self._spread)
        return row.settings.value * float((worth / np.log2(np.arange(2, len(scores) + 2))).sum())

    def _common(self, matrix: FeatureMatrix, best_model: str) -> Float64s:
        """float64[c]: the scores under the weights that hold for all rows."""
        return np.asarray(matrix.values @ self._weights.of(matrix.names, best_model), np.float64)


def _chosen(
    rows: Sequence[_Row], request: PageRequest, world: World
) -> tuple[list[tuple[_Row, Ranked]], list[tuple[str, str]]]:
    """The rows that are shown, from the top, with their slates; and (placement, why) of the others."""
    page, shown = request.page, _Shown.nothing(request.page, world)
    made: list[tuple[_Row, Ranked]] = []
    dropped: list[tuple[str, str]] = []
    queue = _Queue(rows, _Values(rows, world), shown, 0 if request.keeps_order else page.min_items)
    while len(made) < page.max_rows and rows:
        row = queue.declared(len(made)) if request.keeps_order else queue.best(len(made) + 1)
        if row is None:
            break
        ranked = row.prepared.ranked(row.draw, shown.constraints(row.prepared))
        shown.add(ranked)
        made.append((row, ranked))
    dropped += [(row.settings.placement, TOO_FEW) for row in queue.too_few]
    dropped += [(row.settings.placement, NO_ROOM) for row in queue.waiting()]
    return made, dropped


class _Queue:
    """The rows that are not shown yet, the most valuable first.

    What stands on the page only takes from the value of a row, so the value that a row had before is a bound: only the
    row that leads by these bounds is worked out again, until it leads by its value.
    """

    def __init__(self, rows: Sequence[_Row], values: _Values, shown: _Shown, min_items: int) -> None:
        self._rows = list(rows)
        self._values = values
        self._shown = shown
        self._min_items = min_items
        self._fixed = {row.position: row for row in rows if row.position is not None}
        free = [row for row in rows if row.position is None]
        self._heap: list[tuple[float, int, int]] = [(-np.inf, row.number, -1) for row in free]
        heapq.heapify(self._heap)
        self.too_few: list[_Row] = []

    def declared(self, place: int) -> _Row | None:
        """The row at a place of the order declared."""
        return self._rows[place] if place < len(self._rows) else None

    def best(self, position: int) -> _Row | None:
        """Takes out the row that is to stand at a position; None where none is left."""
        fixed = self._fixed.pop(position, None)
        if fixed is not None and self._value(fixed) is not None:
            return fixed
        while self._heap:
            _, number, seen_at = heapq.heappop(self._heap)
            row = self._rows[number]
            if seen_at == position:
                return row
            value = self._value(row)
            if value is not None:
                heapq.heappush(self._heap, (-value, number, position))
        return None

    def waiting(self) -> list[_Row]:
        """The rows that are left, in the order declared."""
        left = [self._rows[number] for _, number, _ in self._heap] + list(self._fixed.values())
        return sorted(left, key=lambda row: row.number)

    def _value(self, row: _Row) -> float | None:
        """The value of a row given what is shown; None, and the row is out, where it would hold too few items."""
        ranked = row.prepared.ranked("", self._shown.constraints(row.prepared))
        if len(ranked.slate.chosen) < min(self._min_items, row.prepared.situation.count):
            self.too_few.append(row)
            return None
        return self._values.of(row, ranked)


def _subjects(
    asked: DecideRequest, request: PageRequest, row: RowSettings, reading: Reading
) -> tuple[list[Subject | None], str]:
    """What the rows of one placement are about, None for what its request says; and why there is none."""
    placement = reading.world.placement(asked.placement)
    if request.keeps_order or asked.item or asked.value:
        return [None], ""
    if placement.needs_cart and not len(reading.known.cart):
        return [], EMPTY_CART
    if not placement.has_subject:
        return [None], ""
    found = subjects(reading, placement, row.at_most)
    return [*found], "" if found else NO_SUBJECT


def _page(
    request: PageRequest, page_id: str, records: Sequence[Decision], left_out: Sequence[tuple[str, str]]
) -> PageDecision:
    name = request.page.name
    rows = tuple(
        msgspec.structs.replace(record, page=PagePlace(page_id=page_id, page=name, row=place))
        for place, record in enumerate(records, 1)
    )
    return PageDecision(page_id, name, rows, tuple(left_out))
