"""Variants, creatives and actions replayed under other policies, on a log whose outcomes follow a known rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bespeak.decide.decide import IN_CONTROL
from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.views.replay.asked import policy_of
from bespeak.engine.views.replay.kinds import choice_log
from bespeak.engine.views.replay.report import ReplayReport, replay_policy
from bespeak.errors import InvalidInput, UnknownName
from bespeak.storage.tables import records
from bespeak.web.tokens import make_token_key

START_MS = 1_767_225_600_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
N_PEOPLE = 600
CLICKS = {("a", "mobile"): 0.6, ("a", "desktop"): 0.2, ("b", "mobile"): 0.2, ("b", "desktop"): 0.6}
"""How often a variant is clicked on a device: each is worth .4, and the better one of each device .6."""
LIKED = {"dull": 0.1, "bright": 0.5}
SUCCESSES = {"call": 0.3, "mail": 0.4}
"""Calls are worth 100 less 8, mails 20 less 1: 22 and 7 on average."""
ALL = ["essential", "personalize", "measure", "improve"]
HERO = {
    "kind": "variant",
    "variants": ["a", "b"],
    "when": ["context.hour = 99 show b"],
    "learn": "epsilon",
    "explore": 1.0,
    "features": ["device"],
    "window_minutes": 10,
}
SETTINGS: dict[str, Any] = {
    "placements": {
        "hero": HERO,
        "split": {"kind": "variant", "variants": ["a", "b"], "split": {"b": 0.5}},
        "home": {
            "hide_seen": {},
            "launch": 0.0,
            "creatives": {"choose": "epsilon", "explore": 1.0, "window_minutes": 10},
        },
        "next": {
            "kinds": ["action"],
            "hide_seen": {},
            "launch": 0.0,
            "actions": {"explore": 1.0, "window_minutes": 30, "prior_rows": 1e6},
        },
    },
    "sources": {"shop": {"kind": "import", "consent": ALL}},
}


@dataclass(frozen=True)
class Site:
    engine: Engine
    clock: VirtualClock


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Everybody comes once; what they do hangs on what they were shown alone."""
    root = tmp_path_factory.mktemp("chosen") / "project"
    create(root, token_key=make_token_key(), settings=SETTINGS)
    clock, rng = VirtualClock(START_MS), np.random.default_rng(5)
    with Engine.open(root, clock=clock) as engine:
        pair = [{"id": "dull"}, {"id": "bright"}]
        engine.items.put(
            [
                *({"id": f"p{n}", "title": "x", "creatives": pair} for n in range(2)),
                {"id": "call", "kind": "action", "attributes": {"value": 100.0, "cost": 8.0, "probability": 0.2}},
                {"id": "mail", "kind": "action", "attributes": {"value": 20.0, "cost": 1.0, "probability": 0.9}},
            ]
        )
        users = [f"u{n}" for n in range(N_PEOPLE)]
        engine.track([_event("Page Seen", user, START_MS) for user in users], source="shop")
        done: list[dict[str, Any]] = []
        for n, user in enumerate(users):
            clock.set(at_ms := START_MS + (n + 1) * 1_000)
            device = "mobile" if rng.random() < 0.5 else "desktop"
            for name in ("hero", "split"):
                shown = engine.decide(name, user_id=user, context={"device": device}, decision_id=f"{name}-{n}").variant
                assert shown is not None
                if rng.random() < CLICKS[shown.id, device]:
                    done.append(_event("Variant Clicked", user, at_ms + 10, name, decision_id=f"{name}-{n}"))
            for item in engine.decide("home", user_id=user, count=2, decision_id=f"home-{n}"):
                assert item.creative is not None
                if rng.random() < LIKED[item.creative["id"]]:
                    about = {"decision_id": f"home-{n}", "product_id": item.item_id}
                    done.append(_event("Product Clicked", user, at_ms + 10, f"home-{item.item_id}", **about))
            action = engine.decide("next", user_id=user, decision_id=f"next-{n}").item_ids[0]
            if rng.random() < SUCCESSES[action]:
                done.append(_event("Order Completed", user, at_ms + 10, order_id=f"o{n}"))
        engine.track(done, source="shop")
        clock.advance(HOUR_MS)
        yield Site(engine, clock)


def _event(name: str, user: str, at_ms: int, number: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "track", "event": name, "userId": user, "messageId": f"{name}-{user}-{number}",
        "timestamp": iso(at_ms), "properties": properties,
    }  # fmt: skip


def replayed(site: Site, text: str, placement: str = "", *, of_creatives: bool = False, **options: Any) -> ReplayReport:
    policy, name = policy_of(site.engine.core, text, placement, of_creatives=of_creatives)
    return replay_policy(site.engine.core, policy, name, days=28, **options)


def value(found: ReplayReport, name: str = "dr") -> float:
    assert found.evaluation is not None
    assert not found.evaluation.refusal
    assert not found.evaluation.overlap.has_wrong_propensities
    return found.evaluation.estimates[name].value


def covers(found: ReplayReport, truth: float) -> bool:
    assert found.evaluation is not None
    low, high = found.evaluation.estimates["dr"].interval
    return low < truth < high


def test_one_variant_for_all_is_worth_its_mean(site: Site) -> None:
    for arm in "ab":
        found = replayed(site, f"always:{arm}", "hero")
        assert (found.n_used, found.left_out, found.outcome) == (N_PEOPLE, {}, "reward")
        assert covers(found, 0.4)
        assert value(found, "ips") == pytest.approx(value(found), abs=0.06)


def test_what_is_learned_by_device_would_have_won(site: Site) -> None:
    found = replayed(site, "learned", "hero")
    assert covers(found, 0.6)
    assert found.evaluation is not None
    difference = found.evaluation.estimates["dr"].difference_interval
    assert difference is not None
    assert difference.low > 0.1


def test_the_policy_that_ran_is_worth_what_it_earned(site: Site) -> None:
    for name in ("hero", "hero@1", "split", "next", "next@1"):
        found = replayed(site, name)
        assert found.evaluation is not None
        assert value(found) == pytest.approx(found.evaluation.logged.value, rel=0.05)


def test_a_split_is_replayed_by_its_shares(site: Site) -> None:
    found = replayed(site, "always:b", "split")
    assert found.logged_policies == {"split@1": N_PEOPLE}
    assert covers(found, 0.4)


def test_another_policy_of_the_same_variants_is_a_file(site: Site, tmp_path: Path) -> None:
    (path := tmp_path / "mostly.toml").write_text('[placements.split]\nkind = "variant"\nsplit = { b = 0.9 }\n')
    assert covers(replayed(site, str(path)), 0.4)
    path.write_text("[placements.hero]\nfeatures = []\nexplore = 0.1\n")
    assert 0.3 < value(replayed(site, str(path))) < 0.5


def test_lines_about_circumstances_are_read_again_and_those_about_people_are_not(site: Site, tmp_path: Path) -> None:
    (path := tmp_path / "lines.toml").write_text(
        "[placements.hero]\nwhen = [\"context.device = 'mobile' show a\", \"context.device = 'desktop' show b\"]\n"
    )
    assert covers(replayed(site, str(path)), 0.6)
    path.write_text('[placements.hero]\nwhen = ["orders >= 1 show a"]\n')
    found = replayed(site, str(path))
    assert found.evaluation is None
    assert [reason for reason in found.left_out if "ask about people" in reason]


def test_features_that_were_not_logged_cannot_be_gone_by(site: Site, tmp_path: Path) -> None:
    (path := tmp_path / "by_os.toml").write_text('[placements.hero]\nfeatures = ["device", "os"]\n')
    assert replayed(site, str(path)).left_out == {"the policy goes by features that were not logged": N_PEOPLE}


def test_a_variant_that_never_ran_is_refused_as_never_tried(site: Site, tmp_path: Path) -> None:
    (path := tmp_path / "third.toml").write_text(
        '[placements.split]\nkind = "variant"\nvariants = ["a", "b", "c"]\nsplit = { c = 0.5 }\n'
    )
    found = replayed(site, str(path))
    assert found.evaluation is not None
    assert "never tried" in found.evaluation.refusal


def test_another_outcome_is_what_the_person_did_at_all(site: Site) -> None:
    found = replayed(site, "always:a", "hero", outcome="purchase")
    assert found.outcome == "purchase"
    assert found.evaluation is not None
    assert found.evaluation.logged.value == pytest.approx(0.35, abs=0.05), found.evaluation


def test_the_better_creative_would_have_won(site: Site) -> None:
    found = replayed(site, "always:bright", "home", of_creatives=True)
    assert found.n_used == N_PEOPLE
    assert found.evaluation is not None
    assert found.evaluation.overlap.n == 2 * N_PEOPLE
    assert covers(found, 0.5)
    assert covers(replayed(site, "learned", "home", of_creatives=True), 0.5)
    assert replayed(site, "always:loud", "home", of_creatives=True).evaluation is None


def test_an_action_is_worth_its_value_where_it_succeeds_less_its_cost(site: Site) -> None:
    call, mail = (replayed(site, f"always:{action}", "next") for action in ("call", "mail"))
    assert covers(call, 22)
    assert covers(mail, 7)
    assert call.outcome == "value of purchase less cost"
    assert covers(replayed(site, "learned", "next"), 7 if 20 * 0.9 - 1 > 100 * 0.2 - 8 else 22)


def test_the_creatives_of_a_slate_are_another_question_than_its_items(site: Site) -> None:
    found = replayed(site, "popular", window_days=0.01)
    assert found.left_out == {"did not explore": N_PEOPLE}


@pytest.mark.parametrize(
    ("text", "placement", "creatives", "error", "said"),
    [
        ("always:c", "hero", False, UnknownName, "no variant 'c'"),
        ("always:", "hero", False, InvalidInput, "names nothing"),
        ("popular", "hero", False, InvalidInput, "none is popular"),
        ("always:p0", "home", False, InvalidInput, "--creatives"),
        ("learned", "hero", True, InvalidInput, "have no creatives"),
        ("hero@9", "", False, UnknownName, "version of hero"),
        ("heroo@1", "", False, UnknownName, "heroo"),
        ("home", "hero", False, InvalidInput, "shows items"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    site: Site, text: str, placement: str, creatives: bool, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        policy_of(site.engine.core, text, placement, of_creatives=creatives)


def test_one_thing_has_no_positions(site: Site) -> None:
    with pytest.raises(InvalidInput, match="no positions"):
        replayed(site, "hero", n_positions=2)


def test_an_action_that_is_no_item_is_refused(site: Site) -> None:
    with pytest.raises(UnknownName, match="cal"):
        replayed(site, "always:cal", "next")


def test_the_control_of_a_launch_and_who_refuses_profiling_are_left_out_an_arm_called_control_is_not(
    site: Site,
) -> None:
    log = choice_log(site.engine.core, *policy_of(site.engine.core, "hero"))
    held = site.engine.decision("hero-1")
    assert held is not None
    assert log.reason_against(held) == ""
    arm = msgspec.structs.replace(held, experiment={"name": "mine", "variant": "control"})
    assert log.reason_against(arm) == ""
    assert "control" in log.reason_against(msgspec.structs.replace(arm, notes=(IN_CONTROL,)))
    assert "profiling" in log.reason_against(msgspec.structs.replace(held, mode="non_profiled"))
    assert log.reason_against(msgspec.structs.replace(held, mode="fallback"))
    assert log.reason_against(msgspec.structs.replace(held, context={"is_bot": True})) == "a bot"


def test_propensities_that_the_policy_does_not_give_are_named(site: Site) -> None:
    """Last, because it changes the log: half of the records claim more than the split gives."""
    with site.engine.core.store.write() as tx:
        wrong = [
            change(found, f"w{n}") for n in range(400) if (found := records.decision(tx, f"split-{n}")) is not None
        ]
        records.add_decisions(tx, wrong)
    found = replayed(site, "always:b", "split")
    assert found.n_unfaithful == 400
    assert found.suspicion == ""
    assert covers(found, 0.4)


def change(decision: Any, name: str) -> Any:
    """The record under another id, with a propensity that is half too high."""
    shown = msgspec.structs.replace(decision.items[0], propensity=0.75)
    return msgspec.structs.replace(decision, decision_id=name, items=(shown,))
