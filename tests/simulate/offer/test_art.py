"""Artwork is small, well formed, repeatable and says what it shows."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bespeak.simulate import ShopWorld, artwork
from bespeak.simulate.offer.ranges import CATEGORIES

SVG = "{http://www.w3.org/2000/svg}"


def test_every_item_has_a_small_well_formed_picture_with_its_title() -> None:
    for item in ShopWorld(2, n_people=1, n_items=240, days=1, end_ms=1_750_000_000_000).items():
        svg = artwork(item)
        assert len(svg.encode()) < 2048
        root = ElementTree.fromstring(svg)
        assert root.tag == f"{SVG}svg"
        assert root.findtext(f"{SVG}title") == item["title"]
        assert artwork(item) == svg


def test_each_category_has_its_own_glyph() -> None:
    def glyph(category: str) -> str:
        item = {"id": "p1", "attributes": {"category": category}}
        return ElementTree.fromstring(artwork(item)).findall(f"{SVG}path")[-1].attrib["d"]

    assert len({glyph(category.key) for category in CATEGORIES} | {glyph("anything else")}) == len(CATEGORIES) + 1


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", 'a"b&c', "x" * 5000, "line\x00\x0bbreak"])
def test_hostile_titles_stay_text(title: str) -> None:
    svg = artwork({"id": '"><b>', "title": title, "attributes": {"category": "<i>", "colour": "url(x)"}})
    root = ElementTree.fromstring(svg)
    assert root.findtext(f"{SVG}title") == "".join(c for c in title[:200] if c.isprintable())
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg", "title", "linearGradient", "stop", "rect", "circle", "path",
    }  # fmt: skip
