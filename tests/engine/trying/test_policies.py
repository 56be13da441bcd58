"""Policies as versions: numbered by what they are, rolled out, rolled back, and decided beside without being shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bespeak.engine.engine import Engine
from bespeak.errors import ConfigError, UnknownName

ITEMS = [{"id": f"p{n}", "title": f"Item {n}", "attributes": {"category": f"c{n % 4}"}} for n in range(24)]
N_PEOPLE = 60


def view(item: str, **ids: str) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "properties": {"product_id": item}, **ids}


@pytest.fixture
def shop(make: Callable[..., Engine]) -> Engine:
    engine = make({"placements": {"home": {"count": 8}}})
    engine.items.put(ITEMS)
    engine.track([view(f"p{n % 24}", userId=f"u{n}") for n in range(N_PEOPLE)], source="backend")
    return engine


def set_home(engine: Engine, lines: str) -> None:
    """Applies other settings of `home`."""
    path = engine.core.folder.config_path
    before, rest = path.read_text(encoding="utf-8").split("[placements.home]\n", 1)
    after = rest[rest.index("[placements.similar]") :]
    path.write_text(f"{before}[placements.home]\n{lines}\n{after}", encoding="utf-8")
    engine.core.apply()


def shown(engine: Engine, user: str = "u1"):
    return engine.decide("home", user_id=user).decision


def test_settings_that_come_back_are_the_version_they_were(shop):
    assert shown(shop).policy == "home@1"
    set_home(shop, "count = 5")
    assert (shown(shop).policy, len(shown(shop).items)) == ("home@2", 5)
    set_home(shop, "count = 8")
    assert shown(shop).policy == "home@1"
    rows = shop.policies.rows("home")
    assert [(row.version, row.state, row.what_for) for row in rows] == [
        (2, "", "placement"), (1, "decides", "placement"),
    ]  # fmt: skip


def test_an_older_version_decides_at_once_and_until_other_settings_are_applied(shop, make):
    set_home(shop, "count = 5")
    other = make()  # another process of the same project
    shop.policies.roll_back("home", 1, shop.core.now_ms(), "test")
    for engine in (shop, other):
        engine.core.refresh()
        assert (shown(engine).policy, len(shown(engine).items)) == ("home@1", 8)
    assert [row.state for row in shop.policies.rows("home")] == ["configured", "decides"]
    assert len(make().decide("home", user_id="u1")) == 8  # and after a start
    set_home(shop, "count = 6")
    assert (shown(shop).policy, len(shown(shop).items)) == ("home@3", 6)
    shop.policies.roll_back("home", 2, shop.core.now_ms(), "test")
    shop.policies.roll_back("home", 3, shop.core.now_ms(), "test")
    shop.core.refresh()
    assert [row.state for row in shop.policies.rows("home")] == ["decides", "", ""]


def test_only_versions_that_exist_can_be_gone_back_to(shop):
    with pytest.raises(UnknownName, match="version of home '7'"):
        shop.policies.roll_back("home", 7, 0, "test")
    with pytest.raises(UnknownName, match="placement 'hom'"):
        shop.policies.roll_back("hom", 1, 0, "test")
    with pytest.raises(UnknownName, match="placement 'hom'"):
        shop.policies.rows("hom")


def test_a_roll_out_grows_and_never_takes_the_newest_away_again(shop):
    newest: list[set[str]] = []
    for share in (0.2, 0.6, 1.0):
        set_home(shop, f"count = 5\nrollout = {share}")
        found = {f"u{n}": shown(shop, f"u{n}").policy for n in range(N_PEOPLE)}
        assert set(found.values()) <= {"home@1", "home@2"}
        newest.append({user for user, policy in found.items() if policy == "home@2"})
    assert 0 < len(newest[0]) < len(newest[1]) < len(newest[2]) == N_PEOPLE
    assert newest[0] <= newest[1]


def test_a_roll_out_that_changes_on_its_way_starts_from_what_everybody_had(shop):
    set_home(shop, "count = 5\nrollout = 0.5")
    set_home(shop, "count = 6\nrollout = 0.5")
    counts = Counter(shown(shop, f"u{n}").policy for n in range(N_PEOPLE))
    assert set(counts) == {"home@1", "home@3"}
    assert [row.state for row in shop.policies.rows("home")] == ["decides", "", "rolled out from"]


def test_a_shadow_is_recorded_and_never_shown(shop):
    set_home(shop, "count = 8\nshadow = { count = 4, weights = { popular = -5.0, fresh = 9.0 } }")
    preview = shop.decide("home", user_id="u1", is_preview=True).decision
    assert preview.shadow == ()
    decision = shown(shop)
    assert decision.items == preview.items
    assert (decision.policy, decision.shadow_policy) == ("home@1", "home@2")
    assert len(decision.shadow) == 4
    shop.core.drain()
    assert shop.decision(decision.decision_id).shadow == decision.shadow
    assert "shadow" not in shop.decide("home", user_id="u1").to_json()


def test_a_look_at_a_shadow_says_how_much_it_shares(shop):
    set_home(shop, "count = 8\nshadow = { count = 4 }")
    for n in range(5):
        shown(shop, f"u{n}")
    shop.core.drain()
    found = shop.policies.shadow("home")
    assert (found.n_decisions, found.shared, found.same_first) == (5, 0.5, 1.0)
    assert found.policies == [("home@1", "home@2")]
    assert shop.policies.shadow("similar").shared is None
    with pytest.raises(UnknownName, match="placement 'hom'"):
        shop.policies.shadow("hom")


def test_a_wrong_shadow_is_refused_with_its_key(shop):
    with pytest.raises(ConfigError) as refused:
        set_home(shop, "shadow = { launch = 0.5 }")
    assert refused.value.key == "placements.home.shadow"
