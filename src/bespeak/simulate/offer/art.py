"""Artwork for simulated items: a glyph of the category on a gradient of the item's colour, as a small SVG."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any
from xml.sax.saxutils import escape

from bespeak.simulate.offer.ranges import COLOURS

SIZE = 240
"""Width and height of the view box."""

# Line drawings in a 100 x 100 box, drawn with a round pen.
_GLYPHS = {
    "audio": "M18 62V52a32 32 0 0 1 64 0v10M18 60h10v24H22a4 4 0 0 1-4-4zM82 60H72v24h6a4 4 0 0 0 4-4z",
    "cameras": "M14 32h18l7-10h22l7 10h18v46H14zM50 38a16 16 0 1 1 0 32a16 16 0 1 1 0-32M74 42h4",
    "coffee": "M20 40h50v22a20 20 0 0 1-20 20H40a20 20 0 0 1-20-20zM70 46h6a10 10 0 0 1 0 20h-7M36 30v-10M52 30v-10",
    "kitchen": "M22 46h56v22a14 14 0 0 1-14 14H36a14 14 0 0 1-14-14zM12 46h76M28 36h44M50 36v-8",
    "outdoor": "M50 20L14 82h72zM50 20v20M50 48L34 82h32zM12 82h76",
    "running": "M14 40l16 8 12-14 8 4c4 14 12 20 36 22v18H14zM14 68h72M46 46l8-6M54 52l8-6",
    "cycling": "M26 50a18 18 0 1 1 0 36a18 18 0 1 1 0-36M74 50a18 18 0 1 1 0 36a18 18 0 1 1 0-36"
    "M26 68l14-32h24l10 32M40 36l14 32H26M54 68l12-26M34 36h10M64 36l-3-12h10",
    "books": "M50 30c-10-8-24-8-34-6v52c10-2 24-2 34 6c10-8 24-8 34-6V24c-10-2-24-2-34 6zM50 30v52",
    "games": "M24 24h52v52H24zM38 38h.1M62 38h.1M50 50h.1M38 62h.1M62 62h.1",
    "home": "M34 18h32l14 34H20zM50 52v28M34 82h32",
    "garden": "M50 84V46M50 56C34 56 24 46 24 30C40 30 50 40 50 56M50 46c0-14 10-24 26-24c0 16-10 26-26 26M28 84h44",
    "beauty": "M36 44h28v36a4 4 0 0 1-4 4H40a4 4 0 0 1-4-4zM42 44V32h16v12M50 32V20h14M36 58h28",
}
_ANY = "M22 36l28-14 28 14v32L50 82 22 68zM22 36l28 14 28-14M50 50v32"


def artwork(item: Mapping[str, Any], tag: str = "") -> str:
    """The picture of one item: an SVG text under 2 kB, the same for the same item, with its title for screen readers.

    Any item record will do; an unknown category gets a box, an unknown colour one that follows from the id.

    Args:
        item: the record.
        tag: one of its tags, which stands on a label then; another word gets none.

    Example:
        >>> svg = artwork({"id": "p1", "title": "Salt & Pepper", "attributes": {"category": "kitchen"}})
        >>> svg.startswith("<svg "), "<title>Salt &amp; Pepper</title>" in svg
        (True, True)
    """
    attributes = item.get("attributes") or {}
    digest = blake2b(str(item["id"]).encode(), digest_size=4).digest()
    hue, lightness, saturation = _base_colour(attributes.get("colour"), digest[0])
    turn = (digest[1] / 255 - 0.5) * 0.12
    top = _shade(hue + turn, min(lightness + 0.2, 0.93), saturation * 0.8)
    bottom = _shade(hue - turn, max(lightness * 0.85, 0.2), saturation)
    pen = "#fff" if _luminance(hue, lightness, saturation) < 0.58 else _shade(hue, 0.24, min(saturation, 0.5))
    x, y, radius = 40 + digest[2] * 160 // 255, 30 + digest[3] * 60 // 255, 50 + digest[1] % 50
    named = str(item.get("title") or item["id"])[:200]
    title = escape(
        "".join(character for character in named if character.isprintable())
    )  # XML has no control characters
    glyph = _GLYPHS.get(str(attributes.get("category")), _ANY)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" role="img">'
        f"<title>{title}</title>"
        f'<linearGradient id="g" x2=".4" y2="1"><stop stop-color="{top}"/><stop offset="1" stop-color="{bottom}"/>'
        f'</linearGradient><rect width="{SIZE}" height="{SIZE}" fill="url(#g)"/>'
        f'<circle cx="{x}" cy="{y}" r="{radius}" fill="#fff" opacity=".16"/>'
        f'<circle cx="{SIZE - x}" cy="{SIZE - y // 2}" r="{radius // 2}" fill="#fff" opacity=".12"/>'
        f'<path transform="translate(50 52) scale(1.4)" d="{glyph}" fill="none" stroke="{pen}" '
        f'stroke-width="5" stroke-linecap="round" stroke-linejoin="round"/>'
        f"{_label(tag) if tag in attributes.get('tags', ()) else ''}</svg>"
    )


def _label(word: str) -> str:
    """A word on a label in the corner below."""
    width = 26 + 11 * len(word)
    return (
        f'<rect x="{SIZE - width - 12}" y="196" width="{width}" height="32" rx="16" fill="#fff"/>'
        f'<text x="{SIZE - width / 2 - 12:g}" y="218" text-anchor="middle" font-family="system-ui,sans-serif" '
        f'font-size="18" font-weight="600" fill="#2b2d33">{escape(word)}</text>'
    )


def _base_colour(name: object, seed: int) -> tuple[float, float, float]:
    """Hue, lightness and saturation in [0, 1] of a named colour."""
    if name not in COLOURS:
        return seed / 255, 0.5, 0.45
    code = COLOURS[str(name)][1]
    red, green, blue = (int(code[offset : offset + 2], 16) / 255 for offset in (1, 3, 5))
    return colorsys.rgb_to_hls(red, green, blue)


def _luminance(hue: float, lightness: float, saturation: float) -> float:
    """Perceived brightness in [0, 1] (weights of Rec. 709), so that yellow gets a dark pen and blue a white one."""
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _shade(hue: float, lightness: float, saturation: float) -> str:
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, lightness, min(saturation, 1.0))
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
