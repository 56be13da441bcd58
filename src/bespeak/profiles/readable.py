"""A profile for people: what is known, from which events, how strong. Plain JSON values; times are ISO 8601 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bespeak.profiles.profile import PageView, Session, Trait
from bespeak.profiles.view import Affinity, Evidence, ProfileView

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def readable(view: ProfileView, *, n_values: int = 20, n_items: int = 50, n_sessions: int = 10) -> dict[str, Any]:
    """Returns the parts of a profile that the view may read, the strongest and latest first.

    Args:
        view: the profile with its granted purposes.
        n_values: values per facet.
        n_items: items with a history, and steps of the sequence.
        n_sessions: visits.
    """
    profile = view.profile
    consent = {
        purpose: {"granted": word.is_granted, "since": iso(word.time_ms)}
        for purpose, word in sorted(profile.consent.items())
    }
    if not profile.n_events:
        return {"events": 0, "consent": consent}
    result: dict[str, Any] = {"events": profile.n_events, "consent": consent}
    if view.is_profiled:
        result |= {
            "firstSeen": iso(profile.first_ms),
            "lastSeen": iso(profile.last_ms),
            "stage": view.stage,
            "identities": {kind: sorted(values) for kind, values in sorted(profile.identities.items())},
            "traits": {name: _trait(held) for name, held in view.traits().items()},
            "places": {name: _trait(held) for name, held in sorted(profile.places.items())},
            "devices": [
                {"device": name, "events": d.n_events, "firstSeen": iso(d.first_ms), "lastSeen": iso(d.last_ms)}
                for name, d in sorted(profile.devices.items(), key=lambda entry: (-entry[1].last_ms, entry[0]))
            ],
            "sessions": [_session(session, view) for session in reversed(profile.sessions[-n_sessions:])],
        }
    foretold = view.predictions()
    if foretold:
        result["predictions"] = foretold
    return result | {
        "affinities": {facet: _affinities(view, facet, n_values) for facet in view.facets()},
        "numbers": _numbers(view),
        "items": _items(view, n_items),
        "recent": [
            {"item": s.item_id, "class": s.signal_class, "time": iso(s.time_ms), "strength": s.strength}
            for s in reversed(view.recent()[-n_items:])
        ],
        "counts": {name: _counts(view, name) for name in sorted(profile.counts) if name in view.classes},
        "orders": _orders(view),
        "cart": dict(sorted(view.cart().items())),
        "played": {item_id: told.fraction for item_id, told in sorted(view.progress().items())},
        "subscription": _subscription(view),
    }


def iso(time_ms: int) -> str:
    """Returns a time as text.

    Example:
        >>> iso(1_700_000_000_000)
        '2023-11-14T22:13:20.000Z'
    """
    return (_EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trait(held: Trait) -> dict[str, Any]:
    return {"value": held.value, "source": held.source, "time": iso(held.time_ms)}


def _evidence(parts: list[Evidence]) -> list[dict[str, Any]]:
    return [
        {"class": e.signal_class, "verb": e.verb, "count": e.count, "last": iso(e.last_ms), "strength": e.strength}
        for e in parts
    ]


def _affinities(view: ProfileView, facet: str, limit: int) -> list[dict[str, Any]]:
    def strongest(entry: tuple[str, Affinity]) -> tuple[float, str]:
        return -abs(entry[1].strength), entry[0]

    return [
        {
            "value": value,
            "strength": affinity.strength,
            "share": affinity.share,
            "last": iso(affinity.last_ms),
            "evidence": _evidence(view.evidence(facet, value)),
        }
        for value, affinity in sorted(view.affinities(facet).items(), key=strongest)[:limit]
    ]


def _numbers(view: ProfileView) -> dict[str, Any]:
    found = {}
    for facet in view.settings.numeric_facets:
        typical = view.numeric(facet)
        if typical is not None:
            found[facet] = {"mean": typical.mean, "spread": typical.spread, "count": typical.count}
    return found


def _items(view: ProfileView, limit: int) -> list[dict[str, Any]]:
    ids, weights, times = view.history()
    rows = list(zip(ids, weights, times, strict=True))[::-1][:limit]
    return [
        {"item": item_id, "strength": weight, "last": iso(time_ms), "evidence": _evidence(view.item_evidence(item_id))}
        for item_id, weight, time_ms in rows
    ]


def _counts(view: ProfileView, name: str) -> dict[str, int]:
    return {"last7Days": view.count(name, 7), "last30Days": view.count(name, 30), "all": view.count(name)}


def _orders(view: ProfileView) -> dict[str, Any]:
    rfm = view.rfm()
    if not rfm.n_orders and not rfm.n_refunds:
        return {}
    return {
        "count": rfm.n_orders,
        "refunds": rfm.n_refunds,
        "daysSinceLast": rfm.recency_days,
        "moneyMinor": dict(rfm.money),
    }


def _subscription(view: ProfileView) -> dict[str, Any]:
    held = view.subscription()
    if held is None:
        return {}
    ends = {} if held.end_ms is None else {"ended": iso(held.end_ms)}
    return {"since": iso(held.start_ms), "lastRenewed": iso(held.last_ms), **ends}


def _page(page: PageView | None) -> str:
    return page.path if page is not None else ""


def _session(session: Session, view: ProfileView) -> dict[str, Any]:
    return {
        "start": iso(session.start_ms),
        "end": iso(session.end_ms),
        "events": session.n_events,
        "entry": _page(session.entry),
        "exit": _page(session.exit),
        "referrer": session.entry.referrer if session.entry is not None else "",
        "pages": [page.path for page in session.pages],
        "devices": sorted(session.devices),
        "counts": {name: n for name, n in sorted(session.counts.items()) if name in view.classes},
    }
