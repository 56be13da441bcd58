"""Settings of placements."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.decide.candidates import SOURCES
from bespeak.decide.settings.built_in_rows import ROWS
from bespeak.decide.settings.placements import BUILT_IN, placements_from
from bespeak.errors import ConfigError


def test_a_new_project_has_home_similar_search_and_the_rows_of_a_page() -> None:
    assert set(placements_from({})) == {"home", "similar", "search", *ROWS}


def test_a_file_overrides_what_it_names_and_keeps_the_rest() -> None:
    own = placements_from(
        {"home": {"count": 4, "weights": {"popular": 2.0}}, "cart": {"like": "similar", "weights": {"popular": 1.0}}}
    )
    assert own["home"].count == 4
    assert own["home"].sources == BUILT_IN["home"].sources
    assert own["cart"].needs_item
    assert own["cart"].weights["similar"] == BUILT_IN["similar"].weights["similar"]
    assert own["cart"].weights["popular"] == 1.0
    assert own["cart"].name == "cart"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"cuont": 3}, "cuont"),
        ({"count": 0}, "count"),
        ({"count": 101}, "count"),
        ({"count": "three"}, "count"),
        ({"like": "nowhere"}, "home, similar, search"),
        ({"caps": {"brand": 0}}, "caps"),
        ({"sources": [{"name": "models", "limit": 0}]}, "sources"),
        ({"sources": [{"name": "magic"}]}, "popular"),
        ({"sources": [{"nam": "models"}]}, "nam"),
        ({"hide_seen": {"view": -1}}, "hide_seen"),
        ({"diversity": 1.5}, "diversity"),
        ({"explore": -0.1}, "explore"),
        ({"temperature": 1.0}, "`explore` is 0"),
        ({"explore_new_days": 7}, "`explore` is 0"),
        ({"shadow": {"actions": {}}}, "shadow.actions"),
        ({"pins": [{"position": 0, "item": "a"}]}, "pins"),
        ({"pins": [{"position": 1}]}, "an item or a filter"),
        ({"pins": [{"position": 1, "item": "a", "filter": "price < 1"}]}, "not both"),
        ({"pins": [{"position": 1, "item": "a"}, {"position": 1, "item": "b"}]}, "position 1 is pinned twice"),
        ({"pins": [{"position": 1, "item": "a"}, {"position": 2, "item": "a"}]}, "'a' is pinned twice"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_key(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        placements_from({"shelf": section})
    assert "placements.shelf" in str(refusal.value)
    assert said in str(refusal.value)


def test_least_shares_may_add_up_to_everything_and_to_no_more() -> None:
    def shelf(*shares: float) -> dict[str, Any]:
        return {"shares": [{"name": f"s{n}", "filter": "price > 1", "at_least": one} for n, one in enumerate(shares)]}

    assert len(placements_from({"shelf": shelf(0.8, 0.05, 0.05, 0.1)})["shelf"].shares) == 4  # more than 1 by rounding
    with pytest.raises(ConfigError, match="more than all positions"):
        placements_from({"shelf": shelf(0.8, 0.05, 0.05, 0.11)})


def test_a_changed_setting_changes_the_digest_and_nothing_else_does() -> None:
    home = placements_from({})["home"]
    assert home.digest() == placements_from({"home": {}})["home"].digest()
    assert home.digest() != placements_from({"home": {"count": 9}})["home"].digest()


def test_the_built_in_placements_name_sources_that_exist() -> None:
    for placement in BUILT_IN.values():
        assert {source.name for source in placement.sources} <= {*SOURCES, "models", "match"}
