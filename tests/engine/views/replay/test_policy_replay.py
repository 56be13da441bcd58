"""Would another policy have won: a project whose visitors click by a known rule, replayed under other policies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.views.replay.asked import policy_of
from bespeak.engine.views.replay.report import replay_policy
from bespeak.errors import ConfigError, InvalidInput, UnknownName
from bespeak.web.tokens import make_token_key

START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
MINUTE_MS = 60_000
N_DECISIONS, N_PEOPLE = 500, 100
GENRES = ("audio", "books")
RATES = (0.5, 0.1)
"""Of an item of the genre that somebody came for, and of another."""
EXAMINED = (1.0, 0.6)
HOME = {
    "explore": 0.4,
    "temperature": 0.3,
    "record_features": 1.0,
    "count": 2,
    "launch": 0.0,
    "hide_seen": {"click": 0.0, "view": 0.0},
    "weights": {"session.*": 0.0, "just_viewed": 0.0, "repeat": 0.0, "fresh": 1.0},
}
TASTE = '[placements.home]\nexplore = 0.3\n[placements.home.weights]\n"affinity.*" = 3.0\n'
DISTASTE = '[placements.home]\nexplore = 0.3\n[placements.home.weights]\n"affinity.*" = -3.0\n'


@dataclass(frozen=True)
class Shop:
    engine: Engine
    clock: VirtualClock
    taste: dict[str, str]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Eight items in two genres; everybody viewed one genre and clicks on it more, at the first position most."""
    root = tmp_path_factory.mktemp("replayed") / "project"
    create(root, token_key=make_token_key(), settings={"placements": {"home": HOME}})
    clock, rng = VirtualClock(START_MS), np.random.default_rng(11)
    taste = {f"u{n}": GENRES[n % 2] for n in range(N_PEOPLE)}
    with Engine.open(root, clock=clock) as engine:
        engine.items.put(
            [
                {
                    "id": f"p{n}",
                    "title": "x",
                    "attributes": {"category": GENRES[n % 2]},
                    "publishedAt": iso(START_MS - n * DAY_MS),
                }
                for n in range(8)
            ]
        )
        engine.track([_event("Product Viewed", u, f"p{GENRES.index(g) + 2}", START_MS - 3 * DAY_MS, u) for u, g in taste.items()])  # fmt: skip  # noqa: E501
        clicks = []
        for n in range(N_DECISIONS):
            user, at_ms = f"u{rng.integers(N_PEOPLE)}", START_MS + n * MINUTE_MS
            clock.set(at_ms)
            for place, shown in enumerate(engine.decide("home", user_id=user, decision_id=f"d{n}")):
                is_wanted = GENRES[int(shown.item_id[1:]) % 2] == taste[user]
                if rng.random() < RATES[not is_wanted] * EXAMINED[place]:
                    clicks.append(_event("Product Clicked", user, shown.item_id, at_ms + 1_000, f"c{n}-{place}"))
        engine.track(clicks)
        clock.set(START_MS + 3 * DAY_MS)
        yield Shop(engine, clock, taste)


def _event(name, user, item, at_ms, message_id):
    return {
        "type": "track", "event": name, "userId": user, "messageId": message_id, "timestamp": iso(at_ms),
        "properties": {"product_id": item},
    }  # fmt: skip


def replayed(shop, text, placement="", **options):
    policy, name = policy_of(shop.engine.core, text, placement)
    return replay_policy(shop.engine.core, policy, name, days=28, **options)


@pytest.fixture
def written(tmp_path):
    def of(text: str) -> str:
        path = tmp_path / "policy.toml"
        path.write_text(text)
        return str(path)

    return of


@pytest.fixture(scope="module")
def same(shop):
    """The policy that ran, on its own log."""
    return replayed(shop, "home")


def test_the_policy_that_ran_is_worth_what_it_earned(same):
    found, evaluation = same, same.evaluation
    assert (found.n_decisions, found.n_used, found.left_out) == (N_DECISIONS, N_DECISIONS, {})
    assert found.logged_policies == {"home@1": N_DECISIONS}
    assert 0.3 < evaluation.logged.value < 0.65
    for name in ("ips", "snips"):
        assert evaluation.estimates[name].value == pytest.approx(evaluation.logged.value, abs=0.02)
    low, high = evaluation.estimates["dr"].difference_interval
    assert low < 0 < high
    assert not evaluation.overlap.has_wrong_propensities


def test_taste_would_have_won_and_distaste_would_have_lost(shop, written):
    """Two items of the wanted genre earn .5 (1 + .6), two of the other .1 (1 + .6); exploring lies between."""
    better, worse = (replayed(shop, written(text)).evaluation for text in (TASTE, DISTASTE))
    assert better.estimates["dr"].difference_interval[0] > 0
    assert worse.estimates["dr"].difference_interval[1] < 0
    assert 0.16 < worse.estimates["dr"].value < better.estimates["dr"].value < 0.8


def test_both_assumptions_agree_where_nothing_hangs_on_what_stands_before(shop, same):
    by_cascade = replayed(shop, "home", assumption="cascade").evaluation
    (low, high), (other_low, other_high) = (e.estimates["dr"].interval for e in (same.evaluation, by_cascade))
    assert low < other_high
    assert other_low < high


def test_fewer_positions_are_worth_less(shop, same):
    first, both = replayed(shop, "home", n_positions=1).evaluation, same.evaluation
    assert first.overlap.n == N_DECISIONS
    assert first.logged.value < both.logged.value


def test_what_may_still_be_clicked_is_no_failure(shop):
    window_days = 3 - (N_DECISIONS // 2) * MINUTE_MS / DAY_MS
    found = replayed(shop, "home", window_days=window_days, n_positions=1)
    assert found.n_used == N_DECISIONS // 2 + 1
    assert found.left_out == {"outcomes may still come": N_DECISIONS - found.n_used}


def test_another_class_of_signals_may_count(shop):
    assert replayed(shop, "home", outcome="purchase", n_positions=1).evaluation.logged.value == 0
    with pytest.raises(UnknownName, match="clik"):
        replayed(shop, "home", outcome="clik")


def test_a_policy_file_goes_on_top_of_the_project(shop, written):
    policy, placement = policy_of(shop.engine.core, written("[placements.home]\ncount = 1\n"))
    assert (policy.placement.count, policy.placement.explore, placement) == (1, 0.4, "home")
    still, _ = policy_of(shop.engine.core, written("[placements.home]\nexplore = 0\n"))
    assert (still.placement.explore, still.placement.temperature) == (0, 0)


def test_popular_knows_nobody_and_explores_nothing(shop):
    policy, placement = policy_of(shop.engine.core, "popular")
    assert (policy.is_personal, policy.placement.explore, placement) == (False, 0, "home")


def test_what_names_no_policy_is_refused(shop, written):
    core = shop.engine.core
    with pytest.raises(UnknownName, match="popular"):
        policy_of(core, "popula")
    with pytest.raises(UnknownName, match="nowhere"):
        policy_of(core, "popular", "nowhere")
    with pytest.raises(InvalidInput, match=r"no file nothing\.toml"):
        policy_of(core, "nothing.toml")
    with pytest.raises(ConfigError, match="no placement"):
        policy_of(core, written("count = 1\n"))
    with pytest.raises(ConfigError, match="there is no setting 'cuont'"):
        policy_of(core, written("[placements.home]\ncuont = 1\n"))
    with pytest.raises(InvalidInput, match="several"):
        policy_of(core, written("[placements.home]\ncount = 1\n[placements.b]\ncount = 1\n"))


def test_a_placement_that_never_explored_gives_no_figure(shop):
    shop.engine.decide("similar", user_id="u1", item="p1")
    found = replayed(shop, "similar")
    assert found.evaluation is None
    assert found.n_used == 0


def test_who_withdraws_is_left_out(shop):
    """Last, because it changes the project."""
    at_ms = shop.clock.now_ms()
    consent = {"consent": {"categoryPreferences": {"measure": False}}}
    shop.engine.track([{"type": "identify", "userId": "u1", "messageId": "w", "timestamp": iso(at_ms), "context": consent}])  # fmt: skip  # noqa: E501
    found = replayed(shop, "home", n_positions=1)
    assert found.left_out.keys() == {"nobody who agreed to being measured"}
    assert found.n_used + sum(found.left_out.values()) == N_DECISIONS
