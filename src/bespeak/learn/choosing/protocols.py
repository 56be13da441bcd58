"""Which cuts fit the data: who will be asked, and what the log can tell about order and time.

    served      people are asked in the midst of their visits: `live` decides, `calendar`, `per_person` stand beside it
    returning   those who come back by date are asked with what was known by then: `calendar` decides
    everybody   each person of the log is asked after their last row: `per_person`; without times `leave_one_out`
    strangers   visits of nobody known are asked row by row

Without times "by date" means nothing, without an order neither does "the next row": then a random part of each
person's rows is held out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from bespeak.learn.splits import Protocol as Cut
from bespeak.learn.splits import (
    Relevant,
    Split,
    calendar,
    held_out,
    leave_one_out,
    live,
    per_person,
    repeated,
    rolling,
    rolling_by_person,
    strangers,
)
from bespeak.models.base import Interactions

Asked: TypeAlias = Literal["served", "returning", "everybody", "strangers"]
"""Who the model will be asked about."""

_MANY_PEOPLE = 500
"""A small log is cut for choosing at several dates or rows, or by several draws, until so many people are asked."""
_SMALL_LOG = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Protocol:
    """How models are compared.

    Attributes:
        cut: the log -> a cut.
        earlier: the rows that a reporting cut may see -> the cuts on which models are chosen.
        baseline: the family that figures are compared with.
        is_dated: whether a cut stands for its days, so that earlier ones ask about other days.
    """

    cut: Callable[[Interactions], Split]
    earlier: Callable[[Interactions], Sequence[Split]]
    baseline: str = "popularity"
    is_dated: bool = False


def protocols(
    log: Interactions, asked: Asked = "served", *, relevant: Relevant = "positive", allows_seen: bool = False
) -> list[Protocol]:
    """The protocols that fit a log, the one that decides first.

    Args:
        log: what will be trained on.
        asked: who the model will be asked about.
        relevant: which rows count as right answers.
        allows_seen: whether what a person touched before may be answered; then repeats are right answers too.
    """

    def of_persons(cut: Cut) -> Protocol:
        return Protocol(
            cut=partial(cut, relevant=relevant, allows_seen=allows_seen),
            earlier=partial(
                rolling_by_person, cut, relevant=relevant, allows_seen=allows_seen, enough_people=_MANY_PEOPLE
            ),
        )

    if asked == "strangers":
        of_strangers = partial(strangers, relevant=relevant, allows_seen=allows_seen)
        return [Protocol(cut=of_strangers, earlier=lambda fit: [of_strangers(fit)])]
    if not log.is_ordered:
        drawn = partial(held_out, relevant=relevant, allows_seen=allows_seen)
        again = partial(repeated, relevant=relevant, allows_seen=allows_seen, enough_people=_MANY_PEOPLE)
        return [Protocol(cut=drawn, earlier=again)]
    by_person = of_persons(per_person)
    if not log.has_times:
        return [of_persons(leave_one_out)] if asked == "everybody" else [by_person]
    if asked == "everybody":
        return [by_person]
    enough = _MANY_PEOPLE if len(log) <= _SMALL_LOG else 1
    served, returning = (
        Protocol(
            cut=partial(cut, relevant=relevant, allows_seen=allows_seen),
            earlier=partial(rolling, cut, relevant=relevant, allows_seen=allows_seen, enough_people=enough),
            baseline="recent_popularity",
            is_dated=True,
        )
        for cut in (live, calendar)
    )
    return [returning, by_person] if asked == "returning" else [served, returning, by_person]
