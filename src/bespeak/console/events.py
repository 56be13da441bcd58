"""Live events, one event in full, and what was not taken in with the reason."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from bespeak.console.answers import html, unchanged
from bespeak.console.desk import Desk, Visit
from bespeak.engine.views.queries import EventRow
from bespeak.errors import UnknownName
from bespeak.signals.events import EVENT_TYPES

SHOWN = 60
LOOKED_AT = 1000
MAX_SAID = 70
MAX_REJECT_CHARACTERS = 2000

# What an event is about, from the properties that clients send, the most telling first.
_TELLING = ("name", "title", "product_id", "query", "path", "promotion_name", "coupon", "order_id", "url")


def events_page(desk: Desk, visit: Visit) -> Response:
    """Shows the newest events, which refresh themselves each second."""
    values = _events(desk, visit)
    return html(desk.render("console/events.html", visit, page="events", title="Live events", **values))


def events_rows(desk: Desk, visit: Visit) -> Response:
    """Answers the table; nothing when no event came in since `seen`."""
    if visit.query.get("seen") == str(desk.queries.newest_position()):
        return unchanged()
    return html(desk.render("console/parts/events.html", visit, **_events(desk, visit)))


def event_page(desk: Desk, visit: Visit) -> Response:
    """Shows one event as it stands in the log."""
    row = desk.queries.event(visit.path["log_id"])
    if row is None:
        raise UnknownName("event", str(visit.path["log_id"]), [])
    return html(
        desk.render(
            "console/event.html",
            visit,
            page="events",
            title=row.event.name or row.event.type,
            row=row,
            label=desk.queries.labels([row.person]).get(row.person, ""),
            body=_pretty(msgspec.json.encode(row.event)),
        )
    )


def rejects_page(desk: Desk, visit: Visit) -> Response:
    """Shows rejects by reason, and what consent kept out."""
    reason, source = visit.query.get("reason", ""), visit.query.get("source", "")
    found = desk.queries.rejects(SHOWN, reason=reason, source=source)
    return html(
        desk.render(
            "console/rejects.html",
            visit,
            page="events",
            title="Rejected events",
            counts=desk.queries.reject_counts(),
            gated=desk.queries.gated_counts(),
            sources=sorted(desk.engine.core.config.settings.sources),
            rejects=[(number, reject, _body(reject.body)) for number, reject in found],
            keeps_days=desk.engine.core.config.settings.retention.rejects_days,
            reason=reason,
            source=source,
        )
    )


def about(row: EventRow) -> str:
    """Returns in a few words what an event is about."""
    event = row.event
    named: dict[str, Any] = {**event.context.page, **event.properties}
    if event.type == "identify":
        return ", ".join(sorted(event.traits))[:MAX_SAID]
    products = named.get("products") or named.get("items")
    if isinstance(products, list):
        first = products[0] if products and isinstance(products[0], dict) else {}
        title = first.get("name") or first.get("product_id") or first.get("item_id") or ""
        more = f" and {len(products) - 1} more" if len(products) > 1 else ""
        return f"{title}{more}"[:MAX_SAID]
    said = next((str(named[key]) for key in _TELLING if isinstance(named.get(key), str | int) and named[key]), "")
    return said if len(said) <= MAX_SAID else said[: MAX_SAID - 1] + "…"


def _events(desk: Desk, visit: Visit) -> dict[str, Any]:
    query = visit.query
    chosen = {"source": query.get("source", ""), "kind": query.get("kind", ""), "name": query.get("name", "")[:100]}
    newest = desk.queries.newest_position()
    rows = desk.queries.events(limit=SHOWN, among=LOOKED_AT, **chosen)
    return {
        "rows": [(row, about(row)) for row in rows],
        "labels": desk.queries.labels(row.person for row in rows),
        "newest": newest,
        "looked_at": LOOKED_AT,
        "sources": sorted(desk.engine.core.config.settings.sources),
        "kinds": EVENT_TYPES,
        **chosen,
    }


def _body(body: bytes | None) -> str:
    return "" if body is None else body[: 4 * MAX_REJECT_CHARACTERS].decode("utf-8", "replace")[:MAX_REJECT_CHARACTERS]


def _pretty(body: bytes) -> str:
    return msgspec.json.format(body, indent=2).decode()
