"""A whole page: which rows it shows, in which order, each item once.

`page_choice` compares rows by their slates without exploration. When a row is chosen, its positions are drawn where its
placement explores. So which rows stand where depends on nothing but what was drawn above, and the propensities, given
everything above and before, are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.decide.choosing.creatives import with_creatives
from bespeak.decide.decide import Proposed, exploration_of, prepare_fallback, propose, recorded, under
from bespeak.decide.headings import about_of
from bespeak.decide.occasion import Occasion
from bespeak.decide.pages.choice import Row, chosen_rows
from bespeak.decide.reading import Reading
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.pages import Page, RowSettings
from bespeak.decide.slates.recording import with_candidates
from bespeak.decide.subjects import Subject, subjects
from bespeak.decide.trial import Policy
from bespeak.decide.trying.by_policy import row_policy
from bespeak.errors import InvalidInput
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
class LeftOut:
    """The rows of a placement that are not shown, for one reason.

    Attributes:
        about: what each would have been about, as `Decision.about` says it; empty where they are about nothing.
    """

    placement: str
    why: str
    about: tuple[dict[str, str], ...] = ()

    @property
    def subjects(self) -> list[str]:
        """The values or items that the rows would have been about."""
        return [about.get("value") or about["item"] for about in self.about]


@dataclass(frozen=True)
class PageDecision:
    """The answer.

    Attributes:
        page_id: shared by the rows.
        page: name of the page, "" for rows that the caller put together.
        rows: a record for each row, from the top.
        left_out: the rows that are not shown, each placement and reason once.
    """

    page_id: str
    page: str
    rows: tuple[Decision, ...]
    left_out: tuple[LeftOut, ...] = ()


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


def decide_page(page: Page, asked: Sequence[Occasion], page_id: str, *, keeps_order: bool = False) -> PageDecision:
    """Decides a whole page.

    Args:
        page: its settings.
        asked: the occasions of the page's rows, one at least, of one person, world and moment. Their decision ids do
            not count: row k has `page_id-k`.
        page_id: of the page; the same id repeats its draws.
        keeps_order: as in `PageRequest`.

    Raises:
        UnknownName, RuleError, InvalidInput: as `decide`, for any of the rows.
    """
    rows, unknown = _rows(page, asked, page_id, keeps_order)
    shown, dropped = chosen_rows(rows, page, asked[0].world, keeps_order=keeps_order)
    records = []
    for row, ranked in shown:
        made, occasion = recorded(ranked, row.policy), row.occasion
        if occasion.draw and exploration_of(ranked.situation, ranked.candidates.rows) is not None:
            made = with_candidates(made, ranked.situation, ranked.candidates.rows, ranked.matrix, ranked.scored)
        made = made if occasion.assigned is None else under(occasion.assigned, made)
        records.append(with_creatives(made, occasion, row.policy))
    return _page(page, page_id, records, _left_out(unknown, dropped))


def _rows(
    page: Page, asked: Sequence[Occasion], page_id: str, keeps_order: bool
) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows that may be shown, and (placement, why) of those for which nothing speaks."""
    budget = max(ROW_BUDGET, 4 * max(occasion.request.count or 0 for occasion in asked))
    readings: dict[bool, Reading] = {}
    found: list[tuple[RowSettings, Policy | None, bool, Proposed]] = []
    unknown: list[tuple[str, str]] = []
    for settings, wanted in zip(page.rows, asked, strict=True):
        _check_is_row(wanted)
        occasion, policy = row_policy(wanted)
        if occasion.is_unread not in readings:
            readings[occasion.is_unread] = Reading.of(occasion.readable, occasion.world, occasion.now_ms)
        reading = readings[occasion.is_unread]
        about, why = _subjects(occasion.request, settings, reading, keeps_order)
        unknown += [(settings.placement, why)] if why else []
        for subject in about:
            of_row = replace(occasion, decision_id=f"{page_id}-{len(found) + 1}")
            proposed = propose(of_row, policy, reading=reading, subject=subject, budget=budget)
            found.append((settings, policy, subject != about[0], proposed))
    beside = np.unique(np.concatenate([np.zeros(0, np.int32), *(one.candidates.rows for *_, one in found)]))
    rows = [
        Row(number, settings, proposed.prepared(beside), is_further=is_further, policy=policy)
        for number, (settings, policy, is_further, proposed) in enumerate(found)
    ]
    return rows, unknown


def fallback_page(
    page: Page, asked: Sequence[Occasion], page_id: str, note: str = "", *, keeps_order: bool = False
) -> PageDecision:
    """The page of popular rows, for when a full one fails or takes too long; arguments and errors as `decide_page`.

    Args:
        note: why, for the records.
    """
    rows: list[Row] = []
    unknown: list[tuple[str, str]] = []
    for settings, occasion in zip(page.rows, asked, strict=True):
        _check_is_row(occasion)
        prepared = prepare_fallback(replace(occasion, decision_id=f"{page_id}-{len(rows) + 1}"))
        placement = prepared.situation.placement
        is_about_nothing = placement.needs_cart or (placement.has_subject and not about_of(prepared.situation))
        if keeps_order or (placement.fill and not is_about_nothing):
            rows.append(Row(len(rows), settings, prepared))
        else:
            unknown.append((settings.placement, NO_SUBJECT))
    shown, dropped = chosen_rows(rows, page, asked[0].world, keeps_order=keeps_order)
    records = []
    for row, ranked in shown:
        made = recorded(ranked)
        made = msgspec.structs.replace(made, notes=(*made.notes, note) if note else made.notes)
        records.append(with_creatives(made, row.occasion))
    return _page(page, page_id, records, _left_out(unknown, dropped))


def _check_is_row(asked: Occasion) -> None:
    name = asked.request.placement
    if asked.world.placement(name).actions is not None:
        problem = f"The placement '{name}' shows the next best action, which is no row of a page."
        raise InvalidInput(problem, hint="Ask for it with POST /api/decide.")


def _subjects(
    asked: DecideRequest, row: RowSettings, reading: Reading, keeps_order: bool
) -> tuple[list[Subject | None], str]:
    """What the rows of one placement are about, None for what its request says; and why there is none."""
    placement = reading.world.placement(asked.placement)
    if keeps_order or asked.item or asked.value:
        return [None], ""
    if placement.needs_cart and not len(reading.known.cart):
        return [], EMPTY_CART
    if not placement.has_subject:
        return [None], ""
    found = subjects(reading, placement, row.at_most)
    return [*found], "" if found else NO_SUBJECT


def _left_out(unknown: Sequence[tuple[str, str]], dropped: Sequence[tuple[Row, str]]) -> tuple[LeftOut, ...]:
    """Each placement and reason once: of those for which nothing speaks, and of rows that are not shown."""
    about: dict[tuple[str, str], list[dict[str, str]]] = {pair: [] for pair in unknown}
    for row, why in dropped:
        held = about.setdefault((row.settings.placement, why), [])
        held += [subject] if (subject := about_of(row.prepared.situation)) else []
    return tuple(LeftOut(placement, why, tuple(held)) for (placement, why), held in about.items())


def _page(page: Page, page_id: str, records: Sequence[Decision], left_out: tuple[LeftOut, ...]) -> PageDecision:
    rows, above = list[Decision](), list[str]()
    for number, record in enumerate(records, 1):
        place = PagePlace(page_id=page_id, page=page.name, row=number)
        if record.candidate_features is not None:
            rules = {"above": tuple(above), "caps": page.caps, "one_per_group": page.one_per_group}
            place = msgspec.structs.replace(place, **rules)
        rows.append(msgspec.structs.replace(record, page=place))
        above += [item.item_id for item in record.items]
    return PageDecision(page_id, page.name, tuple(rows), left_out)
