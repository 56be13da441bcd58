"""Built-in placements beside home, similar and search: the rows of a page and the lists of a shop.

They are written as a project writes its own in `bespeak.toml`, so each can be taken as a pattern.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

FOREVER_DAYS = 36_500.0
NEVER_AGAIN: Mapping[str, float] = MappingProxyType({"dislike": FOREVER_DAYS, "hide": FOREVER_DAYS})


def _sources(**limits: int) -> Sequence[Mapping[str, Any]]:
    return [{"name": name, "limit": limit} for name, limit in limits.items()]


ROWS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "complements": {
            "like": "home",
            "heading": {"en": "Goes with your cart", "de": "Passt zu deinem Warenkorb"},
            "sources": _sources(cart=100, affinity=40, popular=40),
            "weights": {
                "bought_with": 3.0,
                "cart": 1.0,
                "model.*": 0.1,
                "model.best": 0.3,
                "affinity.*": 0.2,
                "session.*": 0.0,
                "just_viewed": 0.0,
                "popular": 0.2,
            },
            "hide_seen": dict(NEVER_AGAIN),
            "needs_cart": True,
        },
        "buy_again": {
            "like": "home",
            "heading": {"en": "Buy again", "de": "Noch einmal kaufen"},
            "sources": _sources(bought=200),
            "weights": {"*": 0.0, "bought": 1.0},
            "hide_seen": {**NEVER_AGAIN, "refund": FOREVER_DAYS},
            "min_score": 0.1,
            "fill": False,
        },
        "recently_viewed": {
            "like": "home",
            "heading": {"en": "Recently viewed", "de": "Zuletzt angesehen"},
            "sources": _sources(viewed=100),
            "weights": {"*": 0.0, "viewed": 1.0},
            "learn": False,
            "hide_seen": dict(NEVER_AGAIN),
            "exclude_cart": False,
            "fill": False,
        },
        "continue_watching": {
            "like": "home",
            "heading": {"en": "Continue watching", "de": "Weiterschauen"},
            "sources": _sources(started=100),
            "weights": {"*": 0.0, "started": 1.0},
            "learn": False,
            "hide_seen": dict(NEVER_AGAIN),
            "exclude_cart": False,
            "fill": False,
        },
        "next_episode": {
            "like": "home",
            "heading": {"en": "Next episodes", "de": "Nächste Folgen"},
            "sources": _sources(next=100),
            "weights": {"*": 0.0, "next": 1.0},
            "learn": False,
            "hide_seen": dict(NEVER_AGAIN),
            "exclude_cart": False,
            "fill": False,
        },
        "because_you_watched": {
            "like": "similar",
            "heading": {"en": "Because you watched {title}", "de": "Weil du {title} gesehen hast"},
            "about_classes": ["watch", "play"],
            "hide_seen": {**NEVER_AGAIN, "watch": 365.0, "purchase": 365.0, "rating": 3650.0},
        },
        "new_for_you": {
            "like": "home",
            "heading": {"en": "New for you", "de": "Neu für dich"},
            "sources": _sources(recent=200, models=60, affinity=60),
            "new_days": 30.0,
        },
        "trending_for_you": {
            "like": "home",
            "heading": {"en": "Trending now", "de": "Gerade angesagt"},
            "sources": _sources(trending=200),
            "weights": {"trending": 1.5},
            "fill": False,
        },
        "genres": {
            "like": "home",
            "heading": "{value}",
            "about_facets": ["genres", "genre", "category", "topic"],
            "sources": _sources(models=80, affinity=40, value=100, recent=20),
            "hide_seen": {**NEVER_AGAIN, "watch": 365.0, "purchase": 365.0},
        },
    }
)
"""Name -> settings; each starts from the placement that it names as `like`."""
