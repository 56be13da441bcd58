"""Trying a placement: which slate would be shown, and every term of every score. Nothing is logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from bespeak.console.answers import html
from bespeak.console.desk import Desk, Visit
from bespeak.engine.slates import Slate
from bespeak.errors import BespeakError, InvalidInput

FIELDS = ("placement", "person", "count", "item", "query", "filter", "device", "locale", "declared", "missed")
DEVICES = ("", "desktop", "mobile", "tablet", "tv")


def try_page(desk: Desk, visit: Visit) -> Response:
    """Shows the form, filled from the address (`?person=NUMBER` from a profile page), with its slate."""
    form = _fields(desk, visit.query)
    number = visit.query.get("number", "")
    if number.isdecimal():
        form["person"] = desk.queries.labels([int(number)]).get(int(number), "")
    return html(_page(desk, visit, form))


def try_slate(desk: Desk, visit: Visit) -> Response:
    """Answers the slate for the form: a part of the page, or the whole page without htmx."""
    form = _fields(desk, visit.form)
    if visit.is_fragment:
        return html(desk.render("console/parts/slate.html", visit, **_decided(desk, form)))
    return html(_page(desk, visit, form))


def _page(desk: Desk, visit: Visit, form: dict[str, str]) -> str:
    return desk.render(
        "console/tryout.html",
        visit,
        page="try",
        title="Try a placement",
        form=form,
        placements=desk.queries.placements(),
        devices=DEVICES,
        declared_keys=desk.engine.core.config.settings.context.declared,
        **_decided(desk, form),
    )


def _fields(desk: Desk, given: Mapping[str, str]) -> dict[str, str]:
    form = {name: given.get(name, "").strip()[:500] for name in FIELDS}
    placements = desk.queries.placements()
    if not form["placement"]:
        form["placement"] = "home" if "home" in placements else next(iter(placements))
    return form


def _decided(desk: Desk, form: Mapping[str, str]) -> dict[str, Any]:
    nothing: dict[str, Any] = {"slate": None, "error": None, "person": None, "note": "", "why": None}
    try:
        person = desk.queries.find_person(form["person"]) if form["person"] else None
        asked: dict[str, Any] = {
            "count": _count(form["count"]),
            "context": _context(form),
            "item": form["item"],
            "query": form["query"],
            "filter": form["filter"],
        }
        slate = desk.queries.preview(form["placement"], person, **asked)
        why = desk.queries.why_not(form["placement"], form["missed"], person, **asked) if form["missed"] else None
    except BespeakError as error:
        return {**nothing, "error": error}
    note = ""
    if form["person"] and person is None:
        note = "Nobody is known by this id: this is what somebody unknown would see."
    told = {"slate": slate, "cards": _cards(slate), "person": person, "note": note, "why": why, "raw": _raw(slate)}
    return {**nothing, **told}


def _cards(slate: Slate) -> list[dict[str, Any]]:
    """The items with their terms, the largest first, and the largest term of the slate for the bars."""
    items = list(slate)
    largest = max((abs(reason.contribution) for item in items for reason in item.reasons), default=0.0)
    return [
        {
            "item": item,
            "properties": slate.properties(item.item_id),
            "reasons": sorted(item.reasons, key=lambda reason: -abs(reason.contribution)),
            "sum": sum(reason.contribution for reason in item.reasons),
            "largest": largest,
        }
        for item in items
    ]


def _raw(slate: Slate) -> str:
    return msgspec.json.format(msgspec.json.encode(slate.to_json()), indent=2).decode()


def _count(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise InvalidInput("`count` is not a whole number.", hint="Leave it empty for the placement's own number.")
    return int(text)


def _context(form: Mapping[str, str]) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if form["device"]:
        context["device"] = form["device"]
    if form["locale"]:
        context["locale"] = form["locale"]
    for pair in filter(None, (part.strip() for part in form["declared"].split(","))):
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInput("The context is not readable.", hint="Write key=value, separated by commas.")
        context[key.strip()] = value.strip()
    return context
