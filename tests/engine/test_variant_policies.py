"""Versions of placements with variants, actions and creatives: rolled out, rolled back, beside; on both stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.learning.lessons import PREFIX
from bespeak.engine.project import create
from bespeak.errors import ConfigError
from bespeak.storage.tables import records
from bespeak.web.tokens import make_token_key
from store_fixtures import postgres_server, project_url, store_kind  # noqa: F401

START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
ALL = ["essential", "personalize", "measure", "improve"]
N_PEOPLE = 40
FLAG = 'kind = "variant"\nvariants = { off = "plain", on = "bright" }'
LEARNS = 'kind = "variant"\nvariants = ["a", "b"]\nlearn = "thompson"\nexplore = 0.5\nwindow_minutes = 10.0'
NEXT = 'kinds = ["action"]\nhide_seen = {}'


class Project:
    """A project whose placement `spot` changes."""

    def __init__(self, root: Path, url: str, spot: str) -> None:
        self.root, self.clock = root, VirtualClock(START_MS)
        settings = {"storage": {"url": url}, "sources": {"shop": {"kind": "import", "consent": ALL}}}
        create(root, token_key=make_token_key(), settings=settings)
        self._rest = (root / "bespeak.toml").read_text(encoding="utf-8")
        self.write(spot)
        self.engines = [Engine.open(root, clock=self.clock)]
        self.engine.track([self.event("Product Viewed", f"u{n}") for n in range(N_PEOPLE)], source="shop")

    @property
    def engine(self) -> Engine:
        return self.engines[0]

    def event(self, name: str, user: str, number: int = 0, **properties: Any) -> dict[str, Any]:
        given = {"type": "track", "event": name, "userId": user, "messageId": f"{name}-{user}-{number}"}
        return {**given, "properties": {"product_id": "x", **properties}}

    def write(self, spot: str) -> None:
        (self.root / "bespeak.toml").write_text(f"{self._rest}\n[placements.spot]\n{spot}\n", encoding="utf-8")

    def apply(self, spot: str) -> None:
        self.write(spot)
        self.engine.core.apply()

    def back_to(self, version: int) -> None:
        self.engine.policies.roll_back("spot", version, self.clock.now_ms(), "test")
        self.engine.core.refresh()

    def shown(self, user: str = "u1", **asked: Any) -> tuple[str, list[str]]:
        slate = self.engine.decide("spot", user_id=user, **asked)
        return slate.decision.policy, slate.item_ids

    def policies(self) -> dict[str, str]:
        return {f"u{n}": self.shown(f"u{n}")[0] for n in range(N_PEOPLE)}

    def states(self) -> list[tuple[int, str]]:
        return [(row.version, row.state) for row in self.engine.policies.rows("spot")]


@pytest.fixture
def start(tmp_path: Path, project_url: str) -> Iterator[Any]:  # noqa: F811
    made: list[Project] = []

    def starter(spot: str) -> Project:
        made.append(Project(tmp_path / "project", project_url, spot))
        return made[-1]

    yield starter
    for project in made:
        for engine in project.engines:
            engine.close()


def test_an_older_version_of_a_flag_decides_again_with_the_values_it_declared(start):
    project = start(FLAG)
    project.apply(FLAG.replace('"plain"', '"dull"') + '\nwhen = ["events >= 1 show on"]')
    assert project.shown() == ("spot@2", ["on"])
    project.back_to(1)
    project.engines.append(Engine.open(project.root, clock=project.clock))
    for engine in project.engines:
        variant = engine.decide("spot", user_id="u1").variant
        assert variant is not None
        assert (variant.id, variant.value) == ("off", "plain")
        assert engine.flags.placements()["spot"].settings.when == ()
    assert project.states() == [(2, "configured"), (1, "decides")]
    project.back_to(2)
    assert project.shown() == ("spot@2", ["on"])


def test_a_roll_out_of_variants_grows_and_keeps_whom_it_has(start):
    project = start(FLAG)
    newest: list[set[str]] = []
    for share in (0.3, 0.7, 1.0):
        project.apply(f"{FLAG.replace('plain', 'dull')}\nrollout = {share}")
        found = project.policies()
        newest.append({user for user, policy in found.items() if policy == "spot@2"})
        values = {project.engine.decide("spot", user_id=user).variant.value for user in found if user not in newest[-1]}
        assert values <= {"plain"}
        assert project.engine.flags.is_tried("spot") == (share < 1)
    assert 0 < len(newest[0]) < len(newest[1]) < len(newest[2]) == N_PEOPLE
    assert newest[0] < newest[1]
    before = project.engine.flags.configuration()
    project.back_to(1)
    assert project.engine.flags.configuration() != before


def test_the_version_before_goes_on_learning_beside_the_newest(start):
    project = start(LEARNS)
    engine = project.engine
    for user in range(N_PEOPLE):
        project.shown(f"u{user}", decision_id=f"one-{user}")
    engine.core.drain()
    project.clock.advance(20 * 60_000)
    engine.learn()
    project.apply(LEARNS.replace('"b"', '"b", "c"') + "\nrollout = 0.5")
    rollout = engine.core.world.rollouts["spot"]
    assert engine.core.world.posterior(rollout.before.settings).sums.n_rows.sum() == N_PEOPLE
    shown = Counter(project.shown(f"u{n % N_PEOPLE}", decision_id=f"two-{n}")[0] for n in range(N_PEOPLE))
    assert set(shown) == {"spot@1", "spot@2"}
    engine.core.drain()
    project.clock.advance(20 * 60_000)
    engine.learn()
    world = engine.core.world
    old, new = (world.posterior(one).sums.n_rows.sum() for one in (rollout.before.settings, world.variants["spot"]))
    assert N_PEOPLE < old < new <= 2 * N_PEOPLE  # of the variant that only the newest has, only that learns
    project.apply(LEARNS.replace('"b"', '"b", "c"'))
    project.clock.advance(2 * DAY_MS)
    engine.learn()
    with engine.core.store.read() as session:
        assert len(records.setting_names(session, PREFIX)) == 1


def test_a_shadow_of_variants_and_of_actions_is_recorded_and_never_shown(start):
    project = start(f'{FLAG}\nshadow = {{ when = ["events >= 1 show on"] }}')
    decision = project.engine.decide("spot", user_id="u1").decision
    assert [item.item_id for item in decision.items] == ["off"]
    assert (decision.policy, decision.shadow_policy, decision.shadow) == ("spot@1", "spot@2", (("on", 0.0),))
    project.engine.core.drain()
    found = project.engine.policies.shadow("spot")
    assert (found.n_decisions, found.same_first) == (1, 0.0)
    with pytest.raises(ConfigError) as refused:
        project.apply(f"{FLAG}\nshadow = {{ rollout = 0.5 }}")
    assert refused.value.key == "placements.spot.shadow"


def test_actions_are_rolled_out_and_decided_beside(start):
    project = start(f"{NEXT}\nactions = {{ explore = 0.0 }}")
    worth = {"call": (100.0, 30.0), "mail": (10.0, 1.0)}
    project.engine.items.put(
        [
            {"id": name, "kind": "action", "attributes": {"value": value, "cost": cost, "probability": 0.2}}
            for name, (value, cost) in worth.items()
        ]
    )
    assert project.shown() == ("spot@1", ["mail"])
    newest = f"{NEXT}\nfilter = \"id = 'call'\"\nactions = {{ explore = 0.0 }}"
    project.apply(f"{newest}\nrollout = 0.5\nshadow = {{ filter = \"id = 'mail'\" }}")
    found = [project.shown(f"u{n}") for n in range(N_PEOPLE)]
    assert {(policy, tuple(items)) for policy, items in found} == {("spot@1", ("mail",)), ("spot@2", ())}
    shadowed = project.engine.decide("spot", user_id="u1").decision
    assert [item for item, _ in shadowed.shadow] == ["mail"]
    project.back_to(1)
    assert set(project.policies().values()) == {"spot@1"}


def test_creatives_follow_the_policy_of_whom_they_are_for(start):
    project = start('creatives = { choose = "first" }')
    creatives = [{"id": "c1"}, {"id": "c2"}]
    project.engine.items.put([{"id": f"p{n}", "creatives": creatives} for n in range(3)])
    project.apply('creatives = { when = ["events >= 1 show c2"] }\nrollout = 0.5')
    seen = set()
    for n in range(N_PEOPLE):
        slate = project.engine.decide("spot", user_id=f"u{n}")
        seen.add((slate.decision.policy, slate[0].creative["id"]))
    assert seen == {("spot@1", "c1"), ("spot@2", "c2")}
