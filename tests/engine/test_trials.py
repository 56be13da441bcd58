"""Configured experiments: who gets which policy, what the record says, and what a wrong declaration is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bespeak.engine.config import parse_config
from bespeak.engine.engine import Engine
from bespeak.engine.views.experiments import experiment_report
from bespeak.errors import ConfigError, InvalidInput, UnknownName
from bespeak.storage.tables import assignments

ITEMS = [{"id": f"p{n}", "title": f"Item {n}", "attributes": {"category": f"c{n % 4}"}} for n in range(24)]
ARMS = {"usual": {}, "calm": {"settings": {"count": 3, "diversity": 0.9}}}
N_PEOPLE = 40


def settings(*, launch: float = 0.0, arms: Any = ARMS, home: Any = None, **more: Any) -> dict[str, Any]:
    trial = {"placement": "home", "variants": arms, **more}
    return {"placements": {"home": {"launch": launch, **(home or {})}}, "experiments": {"calmer": trial}}


def view(item: str, **ids: str) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "properties": {"product_id": item}, **ids}


@pytest.fixture
def open_shop(make: Callable[..., Engine]) -> Callable[..., Engine]:
    def opener(**more: Any) -> Engine:
        engine = make(settings(**more))
        engine.items.put(ITEMS)
        engine.track([view(f"p{n % 24}", userId=f"u{n}") for n in range(N_PEOPLE)], source="backend")
        return engine

    return opener


def decided(engine: Engine, user: str, **more: Any):
    decision = engine.decide("home", user_id=user, **more).decision
    engine.core.drain()
    return decision


def test_each_arm_is_a_policy_of_its_own_and_stands_in_answer_and_record(open_shop):
    engine = open_shop()
    found = {f"u{n}": decided(engine, f"u{n}") for n in range(N_PEOPLE)}
    arms = Counter(decision.experiment["variant"] for decision in found.values())
    assert set(arms) == {"usual", "calm"}
    assert min(arms.values()) > N_PEOPLE // 5
    for decision in found.values():
        is_calm = decision.experiment["variant"] == "calm"
        assert len(decision.items) == (3 if is_calm else 10)
        assert decision.policy == ("home@2" if is_calm else "home@1")
        assert engine.decision(decision.decision_id).experiment == decision.experiment
    assert engine.decide("home", user_id="u1").to_json()["experiment"]["name"] == "calmer"


def test_the_first_assignment_holds_when_weights_and_seed_change(open_shop, make, clock):
    engine = open_shop()
    first = {f"u{n}": decided(engine, f"u{n}").experiment["variant"] for n in range(N_PEOPLE)}
    path = engine.core.folder.config_path
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("[experiments.calmer]\n", '[experiments.calmer]\nseed = "another"\n'), encoding="utf-8"
    )
    engine.core.apply()
    assert engine.core.config.trials["calmer"].spread.seed == "another"
    assert {user: decided(engine, user).experiment["variant"] for user in first} == first


def test_people_on_the_control_of_the_launch_take_no_part_and_the_others_are_in_both(open_shop):
    engine = open_shop(launch=0.5)
    found = [decided(engine, f"u{n}") for n in range(N_PEOPLE)]
    names = Counter(decision.experiment["name"] for decision in found)
    assert set(names) == {"home-launch", "calmer"}
    for decision in found:
        if decision.experiment["name"] == "home-launch":
            assert decision.experiment["variant"] == "control"
            assert decision.launch is None
        else:
            assert decision.launch == {"name": "home-launch", "variant": "personalized"}
    with engine.core.store.read() as session:
        assert len(assignments.assigned_to(session, "home-launch")) == N_PEOPLE
        assert len(assignments.assigned_to(session, "calmer")) == names["calmer"]


def test_a_condition_is_asked_when_somebody_is_first_assigned_and_not_again(open_shop, clock):
    engine = open_shop(condition="events >= 2")
    engine.track([view("p3", userId="u1")], source="backend")
    assert decided(engine, "u1").experiment["name"] == "calmer"
    assert decided(engine, "u2").experiment is None
    engine.track([view("p4", userId="u2")], source="backend")
    assert decided(engine, "u2").experiment["name"] == "calmer"


def test_a_condition_may_name_a_segment(make):
    plan = settings(condition="segment.keen")
    engine = make({**plan, "segments": {"keen": "views_7d >= 2"}})
    engine.items.put(ITEMS)
    engine.track([view("p1", userId="u1"), view("p2", userId="u1"), view("p1", userId="u2")], source="backend")
    assert decided(engine, "u1").experiment is not None
    assert decided(engine, "u2").experiment is None


def test_an_experiment_waits_for_its_start_and_ends_with_its_stop(open_shop, clock):
    engine = open_shop(start="2026-01-02T00:00:00Z", stop="2026-01-03")
    assert decided(engine, "u1").experiment is None
    clock.advance(86_400_000)
    assert decided(engine, "u1").experiment["name"] == "calmer"
    clock.advance(86_400_000)
    assert decided(engine, "u1").experiment is None
    with pytest.raises(InvalidInput, match="The end of 'calmer' has passed"):
        engine.experiments.start("calmer", engine.core.config.trials, engine.core.now_ms(), "test")


def test_somebody_whose_arm_was_taken_out_of_the_file_gets_the_placements_own_policy(open_shop):
    engine = open_shop()
    arms = {f"u{n}": decided(engine, f"u{n}").experiment["variant"] for n in range(N_PEOPLE)}
    path = engine.core.folder.config_path
    path.write_text(path.read_text(encoding="utf-8").replace("variants.calm", "variants.calmest"), encoding="utf-8")
    engine.core.apply()
    for user, arm in arms.items():
        decision = decided(engine, user)
        assert len(decision.items) == 10
        assert (decision.experiment is None) == (arm == "calm")


def test_stop_and_start_hold_at_once(open_shop):
    engine = open_shop()
    trials, now_ms = engine.core.config.trials, engine.core.now_ms()
    before = decided(engine, "u1").experiment
    engine.experiments.stop("calmer", trials, now_ms, "test")
    engine.core.refresh()
    assert decided(engine, "u1").experiment is None
    assert decided(engine, "u1").policy == "home@1"
    engine.experiments.start("calmer", trials, now_ms, "test")
    engine.core.refresh()
    assert decided(engine, "u1").experiment == before
    with pytest.raises(UnknownName, match="calmer"):
        engine.experiments.stop("calmest", trials, now_ms, "test")


def test_one_that_was_stopped_before_its_start_runs_once_it_is_started(open_shop):
    engine = open_shop(start="2026-03-01")
    trials, now_ms = engine.core.config.trials, engine.core.now_ms()
    engine.experiments.stop("calmer", trials, now_ms, "test")
    engine.experiments.start("calmer", trials, now_ms, "test")
    engine.core.refresh()
    assert decided(engine, "u1").experiment["name"] == "calmer"


def test_namespaces_keep_experiments_apart(make):
    half = {"namespace": "home", "namespace_range": [0.0, 0.5]}
    other = {"namespace": "home", "namespace_range": [0.5, 1.0]}
    plan = settings(**half)
    plan["experiments"]["bolder"] = {"placement": "home", "variants": ARMS, **other}
    engine = make(plan)
    engine.items.put(ITEMS)
    engine.track([view("p1", userId=f"u{n}") for n in range(N_PEOPLE)], source="backend")
    names = Counter(decided(engine, f"u{n}").experiment["name"] for n in range(N_PEOPLE))
    assert set(names) == {"calmer", "bolder"}
    assert sum(names.values()) == N_PEOPLE


def test_a_preview_a_bot_and_whoever_refuses_measuring_take_no_part(open_shop):
    engine = open_shop()
    assert engine.decide("home", user_id="u1", is_preview=True).decision.experiment is None
    agent = {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    assert decided(engine, "u1", context=agent).experiment is None
    no = {"consent": {"categoryPreferences": {"measure": False}}}
    engine.track([{**view("p1", userId="u2"), "context": no}], source="backend")
    assert decided(engine, "u2").experiment is None


def test_a_placement_with_variants_can_be_experimented_on_too(make):
    hero = {"kind": "variant", "variants": {"plain": 1, "loud": 2}}
    arms = {"usual": {}, "loud": {"settings": {"default": "loud"}}}
    engine = make({"placements": {"hero": hero}, "experiments": {"louder": {"placement": "hero", "variants": arms}}})
    engine.track([view("p1", userId=f"u{n}") for n in range(N_PEOPLE)], source="backend")
    seen = set()
    for n in range(N_PEOPLE):
        slate = engine.decide("hero", user_id=f"u{n}")
        arm = slate.decision.experiment["variant"]
        assert slate.variant.id == ("loud" if arm == "loud" else "plain")
        assert slate.decision.policy == ("hero@2" if arm == "loud" else "hero@1")
        seen.add(arm)
    assert seen == {"usual", "loud"}


def test_the_arm_of_another_system_shows_nothing_and_says_so(open_shop):
    engine = open_shop(arms={"ours": {}, "theirs": {"incumbent": True}})
    found = [decided(engine, f"u{n}") for n in range(N_PEOPLE)]
    theirs = [decision for decision in found if decision.experiment["variant"] == "theirs"]
    assert theirs
    for decision in theirs:
        assert (decision.items, decision.policy) == ((), "incumbent")
        assert "POST /api/decisions" in decision.notes[0]


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ({"placement": "nowhere"}, "placement", "no placement 'nowhere'"),
        ({"primary": "joy"}, "primary", "no metric 'joy'"),
        ({"primary": "roi"}, "primary", "needs a cost"),
        ({"arms": {"one": {}}}, "variants", "two variants"),
        ({"control": "none"}, "control", "no variant 'none'"),
        ({"arms": {"a": {"weight": 0.5}, "b": {}}}, "variants", "some have none"),
        ({"arms": {"a": {"weight": 0.5}, "b": {"weight": 0.6}}}, "calmer", "add up to 1"),
        ({"arms": {"a": {}, "b": {"settings": {"launch": 0.5}}}}, "settings", "no setting of a policy"),
        ({"arms": {"a": {}, "b": {"settings": {"count": 0}}}}, "settings", ">= 1"),
        ({"kind": "aa"}, "variants", "nothing may differ"),
        ({"kind": "interleave"}, "variants.calm", "order of items"),
        ({"condition": "orders >"}, "condition", ""),
        ({"start": "soon"}, "start", "cannot be read"),
        ({"namespace": "n", "namespace_range": [0.5, 0.1]}, "calmer", "range"),
        ({"subgroups": ["rich"]}, "subgroups", "no segment 'rich'"),
    ],
)
def test_a_wrong_experiment_is_refused_with_its_key(change, key, said, make):
    plan = settings(**{name: value for name, value in change.items() if name != "placement"})
    plan["experiments"]["calmer"] |= {name: value for name, value in change.items() if name == "placement"}
    with pytest.raises(ConfigError) as refused:
        make(plan)
    assert "experiments.calmer" in refused.value.key
    assert key in refused.value.key
    assert said in str(refused.value)


def test_settings_without_experiments_parse_as_before():
    assert parse_config("").trials == {}


def test_a_launch_that_a_decision_names_is_told_from_an_experiment_that_does_not_exist(open_shop):
    engine = open_shop(launch=0.5)
    named = engine.decide("home", user_id="u1").decision.experiment["name"]
    assert named == "home-launch"
    trials = engine.core.config.trials
    for name, told in ((named, "bespeak report"), ("nothing", "calmer")):
        with pytest.raises(InvalidInput, match=told):
            engine.experiments.stop(name, trials, engine.core.now_ms(), "test")
        with pytest.raises(InvalidInput, match=told):
            experiment_report(engine.core, name)
