"""Context crosses: what counts only in some circumstances, as declared by a placement: `daypart * category`.

The left side says when, the right side what:

    cross.daypart=evening*category=thriller   1 for an item with the value, in the evening
    cross.device=mobile*price_percentile      a number of the item, -1..1: its distance from the mean in spreads, halved
    cross.stage=new*popular                   the value of another signal, for somebody new
    cross.prediction.churn=high*discount      what is foretold of the person: the lowest, middle or highest third

Circumstances are those of the request, so they hold for everybody; `stage`, `intent`, `trait.NAME` and
`prediction.NAME` are the person's, and nothing where none may be read. What is foretold of somebody is the same for all
candidates, so it counts only crossed with something of theirs. An unknown circumstance has no crosses. A cross weighs 0
until its weight is learned: it costs where it is declared, and is logged from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.snapshot import CatalogueSnapshot, FacetColumn
from bespeak.decide.person import PersonView
from bespeak.decide.situation import Situation
from bespeak.rules.columns import TextColumn
from bespeak.signals.events import Context

Int32s: TypeAlias = npt.NDArray[np.int32]
Column: TypeAlias = tuple[str, npt.NDArray[np.floating]]

MAX_VALUES = 40
"""Of an attribute, its most common values are crossed."""

DAYPARTS = ("night", "morning", "afternoon", "evening")
TRAIT, DECLARED, PREDICTION = "trait.", "declared.", "prediction."

_OF_REQUEST: Mapping[str, Callable[[Context], str]] = MappingProxyType(
    {
        "hour": lambda context: str(context.local_hour) if context.local_hour >= 0 else "",
        "daypart": lambda context: DAYPARTS[context.local_hour // 6] if context.local_hour >= 0 else "",
        "weekday": lambda context: str(context.local_weekday) if context.local_weekday >= 0 else "",
        "day": lambda context: _day(context.local_weekday),
        "device": lambda context: context.device,
        "os": lambda context: context.os,
        "locale": lambda context: context.locale,
        "language": lambda context: context.language,
        "country": lambda context: context.country,
        "referrer": lambda context: context.referrer_class,
        "campaign": lambda context: context.campaign.get("name", ""),
        "medium": lambda context: context.campaign.get("medium", ""),
    }
)
CIRCUMSTANCES = (*_OF_REQUEST, "stage", "intent")
"""What may stand on the left, beside `trait.NAME`, `declared.KEY` and `prediction.NAME`."""


class Cross(NamedTuple):
    """One declared cross."""

    when: str
    what: str


def read_cross(text: str) -> Cross | None:
    """Returns `WHEN * WHAT` taken apart; None for what is no cross of a known circumstance.

    Example:
        >>> read_cross("daypart * category"), read_cross("moon * category")
        (Cross(when='daypart', what='category'), None)
    """
    when, star, what = (part.strip() for part in text.partition("*"))
    is_known = when in CIRCUMSTANCES or (when.startswith((TRAIT, DECLARED, PREDICTION)) and not when.endswith("."))
    return Cross(when, what) if star and what and is_known and "*" not in what else None


def circumstance(situation: Situation, name: str) -> str:
    """Returns what holds now; "" where that is unknown or may not be read.

    `day` is weekday or weekend; `daypart` the quarter of the local day; `intent` what the session is about: buying (the
    cart holds something), searching, browsing, arriving.
    """
    context = situation.request.context
    if name in _OF_REQUEST:
        return _OF_REQUEST[name](context)
    if name.startswith(DECLARED):
        told = context.declared.get(name.removeprefix(DECLARED))
        return told if isinstance(told, str) else ""
    person = situation.person
    if person is None:
        return ""
    if name.startswith(TRAIT):
        return next(iter(person.traits.get(name.removeprefix(TRAIT), ())), "")
    if name.startswith(PREDICTION):
        return "" if person.view is None else person.view.prediction_level(name.removeprefix(PREDICTION))
    return _stage(person) if name == "stage" else _intent(situation)


def crossed(situation: Situation, rows: Int32s, columns: Mapping[str, npt.NDArray[np.floating]]) -> Iterator[Column]:
    """Every declared cross that holds now, for the candidates `rows` (int32 catalogue indices).

    Args:
        situation: what is asked.
        rows: int32[c].
        columns: the other signals of these candidates.
    """
    for text in situation.placement.crosses:
        cross = read_cross(text)
        held = circumstance(situation, cross.when) if cross is not None else ""
        if cross is not None and held:
            yield from _columns(f"cross.{cross.when}={held}*{cross.what}", cross.what, situation, rows, columns)


def _columns(
    name: str, what: str, situation: Situation, rows: Int32s, columns: Mapping[str, npt.NDArray[np.floating]]
) -> Iterator[Column]:
    catalogue = situation.world.catalogue
    facet = catalogue.facets.get(what)
    attribute = catalogue.columns.get(what)
    if what in columns:
        yield name, columns[what]
    elif facet is not None:
        yield from _values(name, facet.codes[rows], _common(facet.items_of[1]), facet)
    elif isinstance(attribute, TextColumn):
        counts = np.bincount(attribute.codes[attribute.codes >= 0], minlength=len(attribute.code_of))
        words = {code: word for word, code in attribute.code_of.items()}
        for code in np.argsort(-counts, kind="stable")[:MAX_VALUES].tolist():
            yield f"{name}={words[code]}", (attribute.codes[rows] == code).astype(np.float64)
    elif what in catalogue.numbers:
        yield name, _number(catalogue, what, rows)


def _common(starts: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    return np.argsort(-np.diff(starts), kind="stable")[:MAX_VALUES]


def _values(name: str, codes: Int32s, common: npt.NDArray[np.intp], facet: FacetColumn) -> Iterator[Column]:
    """A column of 0 and 1 for each of the most common values."""
    place = np.full(len(facet.vocabulary) + 1, len(common), np.int64)
    place[common] = np.arange(len(common))
    table = np.zeros((len(common) + 1, len(codes)))
    table[place[codes], np.arange(len(codes))[:, None]] = 1.0
    for row, code in enumerate(common.tolist()):
        yield f"{name}={facet.vocabulary[code]}", table[row]


def _number(catalogue: CatalogueSnapshot, name: str, rows: Int32s) -> npt.NDArray[np.float64]:
    spread = catalogue.spreads[name]
    if not spread > 0:
        return np.zeros(len(rows))
    numbers = catalogue.numbers[name]
    return np.nan_to_num(np.clip((numbers[rows] - np.nanmean(numbers)) / (2 * spread), -1, 1))


def _day(weekday: int) -> str:
    return "" if weekday < 0 else "weekend" if weekday >= 5 else "weekday"


def _stage(person: PersonView) -> str:
    return "" if person.view is None else person.view.stage


def _intent(situation: Situation) -> str:
    if len(situation.known.cart):
        return "buying"
    if situation.request.query:
        return "searching"
    return "browsing" if len(situation.known.session) else "arriving"
