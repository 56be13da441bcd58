"""The titles of the simulated streaming service. Every title and every studio is invented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.offer.stock import DAY_MS, STYLE_DIMENSIONS, Kind, Stock, zipf

GENRES: tuple[Kind, ...] = (
    Kind("comedy", (("comedy", "Komödie"), ("funny", "lustig")), -0.2, 0.1, 0.2),
    Kind("drama", (("drama", "Drama"), ("based on a book", "nach einem Buch")), 0.3, 0.3, 0.5),
    Kind("crime", (("crime", "Krimi"), ("detective", "Kommissar")), 0.6, 0.2, 0.8),
    Kind("thriller", (("thriller", "Thriller"), ("suspense", "Spannung")), 0.1, -0.1, 0.9),
    Kind("science fiction", (("space", "Weltraum"), ("science fiction", "Science-Fiction")), -0.2, -0.5, 0.3),
    Kind("fantasy", (("fantasy", "Fantasy"), ("dragons", "Drachen")), -0.4, 0.0, 0.2),
    Kind("documentary", (("documentary", "Doku"), ("nature", "Natur")), 0.7, -0.1, -0.3),
    Kind("animation", (("animation", "Trickfilm"), ("cartoon", "Zeichentrick")), -0.7, 0.0, -0.9),
    Kind("romance", (("romance", "Romanze"), ("love", "Liebe")), 0.1, 0.7, 0.4),
    Kind("action", (("action", "Action"), ("chase", "Verfolgung")), -0.4, -0.6, 0.4),
    Kind("family", (("family", "Familie"), ("for children", "für Kinder")), -0.3, 0.3, -1.0),
    Kind("music", (("concert", "Konzert"), ("music", "Musik")), 0.0, 0.0, -0.1),
)
STUDIOS = (
    "Lantern Pictures",
    "Nordlicht",
    "Blue Door",
    "Kite & Key",
    "Studio Marlow",
    "Halbmond",
    "Peregrine",
    "Ostwind",
)
_ADJECTIVES = ("Quiet", "Last", "Northern", "Golden", "Hidden", "Second", "Paper", "Electric", "Winter", "Distant",
               "Borrowed", "Seventh", "Silver", "Wild", "Honest", "Narrow")  # fmt: skip
_NOUNS = ("Harbour", "Letters", "Garden", "Signal", "Orchard", "Witness", "Summer", "Island", "Kitchen", "Station",
          "Promise", "River", "Neighbours", "Machine", "Lighthouse", "Season", "Detour", "Choir")  # fmt: skip
_SERIES_SHARE = 0.4
_LAUNCH_SHARE = 0.15


def make_titles(rng: np.random.Generator, n_items: int, start_ms: int, end_ms: int) -> Stock:
    """Draws `n_items` films and series; genres take turns.

    Args:
        rng: source of all draws.
        n_items: how many titles.
        start_ms: begin of the simulated time; most titles are older, some launch between it and `end_ms`.
        end_ms: end of the simulated time.
    """
    genre = np.arange(n_items, dtype=np.int64) % len(GENRES)
    studio = rng.integers(len(STUDIOS), size=n_items)
    is_series = rng.random(n_items) < _SERIES_SHARE
    minutes = np.where(is_series, rng.integers(22, 58, n_items), rng.integers(74, 131, n_items)).astype(np.float64)
    is_new = rng.random(n_items) < _LAUNCH_SHARE
    older_ms = start_ms - rng.integers(30, 6_000, n_items) * DAY_MS
    published_ms = np.where(is_new, rng.integers(start_ms, end_ms, n_items), older_ms).astype(np.int64)
    quality = rng.standard_normal(n_items)
    names = _names(rng, n_items)
    records = tuple(
        {
            "id": f"t{row + 1:04d}",
            "kind": "video",
            "title": names[row],
            "description": f"{GENRES[genre[row]].key.capitalize()} by {STUDIOS[studio[row]]}.",
            "attributes": {
                "genre": GENRES[genre[row]].key,
                "studio": STUDIOS[studio[row]],
                "format": "series" if is_series[row] else "film",
                "minutes": int(minutes[row]),
                "rating": round(float(np.clip(3.6 + 0.6 * quality[row], 1, 5)), 1),
            },
            "publishedAt": int(published_ms[row]),
            "url": f"/title/t{row + 1:04d}",
        }
        for row in range(n_items)
    )
    return Stock(
        ids=tuple(str(record["id"]) for record in records),
        records=records,
        kinds=GENRES,
        facets={"genre": genre, "studio": studio.astype(np.int64)},
        n_values={"genre": len(GENRES), "studio": len(STUDIOS)},
        style=rng.standard_normal((n_items, STYLE_DIMENSIONS)),
        quality=quality,
        popularity=zipf(rng, n_items),
        price=np.zeros(n_items, dtype=np.int64),
        price_level=np.zeros(n_items),
        minutes=minutes,
        consumable=np.zeros(n_items, dtype=np.bool_),
        published_ms=published_ms,
        available=np.ones(n_items, dtype=np.bool_),
    )


def video_properties(record: Mapping[str, Any]) -> dict[str, Any]:
    """The properties by which tracking clients describe this title; `total_length` is in seconds.

    Example:
        >>> stock = make_titles(np.random.default_rng(1), 1, 0, DAY_MS)
        >>> sorted(video_properties(stock.records[0]))
        ['asset_id', 'genre', 'publisher', 'title', 'total_length']
    """
    attributes = record["attributes"]
    return {
        "asset_id": record["id"],
        "title": record["title"],
        "genre": attributes["genre"],
        "publisher": attributes["studio"],
        "total_length": attributes["minutes"] * 60,
    }


def _names(rng: np.random.Generator, n: int) -> list[str]:
    pairs: NDArray[np.int64] = rng.permutation(len(_ADJECTIVES) * len(_NOUNS))
    found = []
    for row in range(n):
        part, pair = divmod(row, len(pairs))
        first, second = divmod(int(pairs[pair]), len(_NOUNS))
        found.append(f"The {_ADJECTIVES[first]} {_NOUNS[second]}{f' {part + 1}' if part else ''}")
    return found
