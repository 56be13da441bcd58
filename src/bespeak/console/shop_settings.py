"""What the demo's project says so that its storefront has something to show: placements, a page, pictures of items.

It is written as any project would write it: the settings land in `bespeak.toml`, the pictures in the items' records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

FACETS = ["category", "brand", "type", "colour", "tags"]
PAGE = "front"
HERO = "hero"

_BY_TASTE = {"creatives": {"choose": "affinity"}}
_ROWS: dict[str, dict[str, Any]] = {
    "home": {"heading": {"en": "Picked for you", "de": "Für dich ausgesucht"}, "caps": {"category": 4}},
    "looked_at": {
        "like": "because_you_watched",
        "about_classes": ["view", "cart"],
        "heading": {"en": "Because you looked at {title}", "de": "Weil du {title} angesehen hast"},
        "hide_seen": {"view": 30.0, "purchase": 365.0, "dislike": 36_500.0, "hide": 36_500.0},
    },
    "trending_for_you": {},
    "new_for_you": {},
    "complements": {},
    "buy_again": {},
    "genres": {"heading": {"en": "More in {value}", "de": "Mehr aus {value}"}},
    "similar": {},
    "search": {},
}


def shop_settings() -> dict[str, Any]:
    """Returns the sections of the demo's configuration file that its storefront lives by."""
    return {
        "profiles": {"facets": FACETS},
        "placements": {HERO: _hero(), **{name: {**row, **_BY_TASTE} for name, row in _ROWS.items()}},
        "pages": {
            PAGE: {
                "rows": [
                    {"placement": "home", "position": 1},
                    {"placement": "looked_at", "value": 1.4},
                    {"placement": "complements", "value": 1.4},
                    {"placement": "buy_again", "value": 1.2},
                    {"placement": "trending_for_you"},
                    {"placement": "new_for_you"},
                    {"placement": "genres", "at_most": 2},
                ],
                "count": 8,
                "min_items": 4,
            }
        },
        "segments": {
            "buyers": "orders >= 1",
            "regulars": "orders_90d >= 3",
            "audio_fans": "affinity('category', 'audio') > 0.3",
        },
    }


def with_pictures(items: Iterable[Mapping[str, Any]], art: str) -> Iterator[dict[str, Any]]:
    """The items, each with one picture more for each of its tags, so that a card can show what the visitor likes.

    Args:
        items: records of items.
        art: where pictures are served, as `/demo/art`.

    Example:
        >>> lamp = {"id": "p1", "imageUrl": "/art/p1.svg", "attributes": {"tags": ["gift"]}}
        >>> [picture["id"] for picture in next(with_pictures([lamp], "/art"))["creatives"]]
        ['plain', 'gift']
    """
    for record in items:
        pictures: list[dict[str, Any]] = [{"id": "plain", "imageUrl": record["imageUrl"]}]
        for tag in record["attributes"]["tags"]:
            address = f"{art}/{record['id']}.svg?tag={tag}"
            pictures.append({"id": tag, "imageUrl": address, "attributes": {"tags": tag}})
        yield {**record, "creatives": pictures}


_BANNERS = {
    "welcome": (
        "A shop that follows you",
        "Look at three things of one kind, and watch the rows below move.",
        "Show the rows",
        "#rows",
        "fresh",
    ),
    "evening": (
        "Made for long evenings",
        "Board games, good light, something warm to drink.",
        "Browse games",
        "/demo/c/games",
        "night",
    ),
    "outside": (
        "Out of the door",
        "Tents, shoes, bikes: all for the next free day.",
        "Browse outdoor",
        "/demo/c/outdoor",
        "calm",
    ),
    "kitchen": (
        "Something is cooking",
        "Pans that last, knives that cut, and what goes with them.",
        "Browse kitchen",
        "/demo/c/kitchen",
        "warm",
    ),
}
"""Variant -> title, text, label of the link, where it leads, look."""


def _hero() -> dict[str, Any]:
    """The banner: for newcomers by a line, for everybody else what earns most clicks."""
    words = ("title", "text", "label", "url", "class")
    return {
        "kind": "variant",
        "variants": {name: dict(zip(words, banner, strict=True)) for name, banner in _BANNERS.items()},
        "when": ["events < 3 show welcome"],
        "learn": "thompson",
        "features": ["device", "day_part", "affinity.category"],
        "half_life_days": 30,
    }
