"""Trying a placement or a page: what would be shown, and every term of every score. Nothing is logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from bespeak.console.answers import html
from bespeak.console.desk import Desk, Visit
from bespeak.engine.deciding.slates import Slate
from bespeak.errors import BespeakError, InvalidInput

FIELDS = ("placement", "person", "count", "item", "query", "filter", "device", "locale", "declared", "missed")
DEVICES = ("", "desktop", "mobile", "tablet", "tv")
PAGE = "page:"
"""Stands before the name of a page among what can be chosen."""


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
        places=_places(desk),
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


def _places(desk: Desk) -> dict[str, list[tuple[str, str]]]:
    """What can be tried: group -> (what the form says, what is read)."""
    queries = desk.queries
    return {
        "Items": [(name, name) for name in queries.placements()],
        "Variants": [(name, name) for name in queries.variant_placements()],
        "Pages": [(f"{PAGE}{name}", name) for name in queries.pages()],
    }


def _decided(desk: Desk, form: Mapping[str, str]) -> dict[str, Any]:
    nothing: dict[str, Any] = {"slate": None, "rows": None, "error": None, "person": None, "note": "", "why": None}
    try:
        person = desk.queries.find_person(form["person"]) if form["person"] else None
        asked: dict[str, Any] = {
            "count": _count(form["count"]),
            "context": _context(form),
            "item": form["item"],
            "query": form["query"],
            "filter": form["filter"],
        }
        note = ""
        if form["person"] and person is None:
            note = "Nobody is known by this id: this is what somebody unknown would see."
        if form["placement"].startswith(PAGE):
            return {**nothing, "person": person, "note": note, **_page_tried(desk, form, person, asked)}
        slate = desk.queries.preview(form["placement"], person, **asked)
        why = desk.queries.why_not(form["placement"], form["missed"], person, **asked) if form["missed"] else None
    except BespeakError as error:
        return {**nothing, "error": error}
    return {
        **nothing,
        "slate": slate,
        "cards": _cards(slate),
        "value": _formatted(slate.variant.value) if slate.variant is not None else "",
        "person": person,
        "note": note,
        "why": why,
        "raw": _formatted(slate.to_json()),
    }


def _page_tried(desk: Desk, form: Mapping[str, str], person: int | None, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The rows of a page, and why others are not there; what means nothing for a page is refused."""
    for name in ("count", "item", "query", "missed"):
        if form[name]:
            raise InvalidInput(f"`{name}` means nothing for a whole page.", hint="Leave it empty, or try a placement.")
    page = desk.queries.preview_page(
        form["placement"].removeprefix(PAGE), person, context=asked["context"], filter=asked["filter"]
    )
    return {"rows": list(page), "left_out": page.left_out, "raw": _formatted(page.to_json())}


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


def _formatted(answer: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()


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
