"""A whole page: which rows it shows, in which order, each item once.

`page_choice` compares rows by their slates without exploration. When a row is chosen, its positions are drawn where its
placement explores. So which rows stand where depends on nothing but what was drawn above, and the propensities, given
everything above and before, are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.decide.by_policy import row_policy
from bespeak.decide.decide import prepare, prepare_fallback, readable, recorded, under
from bespeak.decide.launch import Assigned
from bespeak.decide.pages.choice import Row, chosen_rows
from bespeak.decide.person import PersonView
from bespeak.decide.reading import Reading
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.pages import Page, RowSettings
from bespeak.decide.subjects import Subject, subjects
from bespeak.decide.variants.creatives import with_creatives
from bespeak.decide.world import World
from bespeak.signals.decisions import Decision, PagePlace

Bools: TypeAlias = npt.NDArray[np.bool_]
Int64s: TypeAlias = npt.NDArray[np.int64]
Float64s: TypeAlias = npt.NDArray[np.float64]

ROW_BUDGET = 200
"""Candidates that are scored for a row: enough for its items and for those that other rows take."""

NO_SUBJECT = "nothing is known that it could be about"
EMPTY_CART = "the cart is empty"


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
    rows, left_out = _rows(request, person, world, now_ms, page_id if explores else "", assigned or {}, ids)
    shown, dropped = chosen_rows(rows, request.page, world, keeps_order=request.keeps_order)
    records = []
    for row, ranked in shown:
        made = recorded(ranked, f"{page_id}-{row.number + 1}", person, row.policy)
        made = made if row.assigned is None else under(row.assigned, made)
        whom = None if row.is_unread else person
        asked = row.prepared.situation.request
        records.append(with_creatives(made, asked, whom, world, explores=explores and not row.is_unread))
    return _page(request, page_id, records, [*left_out, *dropped])


def _rows(
    request: PageRequest,
    person: PersonView | None,
    world: World,
    now_ms: int,
    draw: str,
    assigned: Mapping[str, Assigned],
    ids: Sequence[str],
) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows that may be shown, and (placement, why) of those for which nothing speaks."""
    budget = max(ROW_BUDGET, 4 * max(asked.count or 0 for asked in request.requests))
    readings: dict[bool, Reading] = {}
    rows: list[Row] = []
    left_out: list[tuple[str, str]] = []
    for settings, asked in zip(request.page.rows, request.requests, strict=True):
        trial, policy = row_policy(world, asked.placement, assigned.get(asked.placement), ids, is_preview=not draw)
        is_unread = trial is not None and trial.is_unread
        whom = None if is_unread else person
        if is_unread not in readings:
            readings[is_unread] = Reading.of(readable(whom), world, now_ms)
        reading = readings[is_unread]
        about, why = _subjects(asked, request, settings, reading)
        left_out += [(asked.placement, why)] if why else []
        for subject in about:
            prepared = prepare(
                asked, whom, world, now_ms, reading=reading, subject=subject, policy=policy, budget=budget
            )
            row = Row(
                number=len(rows),
                settings=settings,
                prepared=prepared,
                draw=f"{draw}-{len(rows) + 1}" if draw and not is_unread else "",
                is_further=subject != about[0],
                assigned=trial,
                policy=policy,
            )
            rows.append(row)
    return rows, left_out


def fallback_page(request: PageRequest, world: World, now_ms: int, page_id: str, note: str = "") -> PageDecision:
    """The page of popular rows, for when a full one fails or takes too long; errors as `decide_page`."""
    rows: list[Row] = []
    left_out: list[tuple[str, str]] = []
    for settings, asked in zip(request.page.rows, request.requests, strict=True):
        prepared = prepare_fallback(asked, world, now_ms)
        if (prepared.situation.placement.fill and not prepared.situation.placement.needs_cart) or request.keeps_order:
            rows.append(Row(len(rows), settings, prepared))
        else:
            left_out.append((asked.placement, NO_SUBJECT))
    shown, dropped = chosen_rows(rows, request.page, world, keeps_order=request.keeps_order)
    records = []
    for row, ranked in shown:
        made = recorded(ranked, f"{page_id}-{row.number + 1}", None)
        made = msgspec.structs.replace(made, notes=(*made.notes, note) if note else made.notes)
        records.append(with_creatives(made, row.prepared.situation.request, None, world, explores=False))
    return _page(request, page_id, records, [*left_out, *dropped])


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
