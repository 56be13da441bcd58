"""Profiles follow what they are folded under: settings, signals and the catalogue; on both stores, killed or not."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bespeak.engine import jobs
from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.jobs import LEASE_MS, run_due
from bespeak.engine.privacy.retention import sweep_retention
from bespeak.engine.project import create
from bespeak.engine.refolding import refold
from bespeak.engine.refolding.refold import SETTLED_MS, read_progress, standing
from bespeak.storage.tables import log, memberships, people, records
from bespeak.web.tokens import make_token_key
from store_fixtures import postgres_server, project_url, store_kind  # noqa: F401

START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
ITEMS = [{"id": f"p{n}", "title": f"Item {n}", "attributes": {"genre": ["jazz", "rock"][n % 2]}} for n in range(8)]


class Project:
    """A project on one kind of store, whose configuration can change."""

    def __init__(self, root: Path, url: str, settings: dict[str, Any]) -> None:
        self.root = root
        self.clock = VirtualClock(START_MS)
        self.engines: list[Engine] = []
        create(root, token_key=make_token_key(), settings={"storage": {"url": url}, **settings})

    def open(self) -> Engine:
        self.engines.append(Engine.open(self.root, clock=self.clock))
        return self.engines[-1]

    def rewrite(self, old: str, new: str) -> None:
        path = self.root / "bespeak.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def add(self, text: str) -> None:
        path = self.root / "bespeak.toml"
        path.write_text(path.read_text() + text)

    def close(self) -> None:
        for engine in self.engines:
            engine.close()


@pytest.fixture
def make_project(tmp_path: Path, project_url: str) -> Iterator[Callable[..., Project]]:  # noqa: F811
    made: list[Project] = []

    def make(**settings: Any) -> Project:
        made.append(Project(tmp_path / "project", project_url, settings))
        return made[-1]

    yield make
    for project in made:
        project.close()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several transactions for a handful of people."""
    monkeypatch.setattr(refold, "PEOPLE_AT_ONCE", 4)
    monkeypatch.setattr(refold, "ENTRIES_AT_ONCE", 5)
    monkeypatch.setattr(refold, "_LONGEST_PAUSE_SECONDS", 0.0)


def view(user: str, item: str, name: str = "Product Viewed", **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": name, "userId": user, "properties": {"product_id": item}, **more}


def people_with_views(engine: Engine, n: int = 12) -> None:
    engine.track([view(f"u{n}", f"p{(n + k) % 8}") for n in range(n) for k in range(3)])


def turn(engine: Engine, clock: VirtualClock) -> str:
    """Runs the job once, when it is due, and returns its note."""
    clock.advance(5_000)
    run_due(engine, "a")
    with engine.core.store.read() as session:
        return records.job(session, refold.JOB).note


def settle(engine: Engine, clock: VirtualClock) -> None:
    for _ in range(20):
        turn(engine, clock)
        with engine.core.store.read() as session:
            progress = read_progress(session)
        if standing(engine.core).is_current and not progress.compares_facets:
            return
    pytest.fail("the refold does not come to an end")


def genres(engine: Engine, user: str) -> set[str]:
    found = engine.profiles.readable(user)
    assert found is not None
    return {value["value"] for value in found.get("affinities", {}).get("genre", [])}


def versions(engine: Engine) -> dict[int, int]:
    """Returns person -> how often the profile was written."""
    with engine.core.store.read() as session:
        return {row.person_id: row.version for row in people.profile_batch(session, 0, 1_000)}


def test_a_catalogue_imported_after_the_events_reaches_the_profiles(make_project):
    project = make_project()
    engine = project.open()
    people_with_views(engine)
    assert genres(engine, "u1") == set()
    engine.items.put(ITEMS)
    assert not standing(engine.core).is_current
    settle(engine, project.clock)
    assert genres(engine, "u1") == {"jazz", "rock"}
    assert engine.profiles.differing() == []


def test_a_corrected_category_replaces_the_wrong_one_and_a_changed_price_replaces_nothing(make_project):
    project = make_project()
    engine = project.open()
    engine.items.put(ITEMS)
    people_with_views(engine)
    settle(engine, project.clock)
    before = versions(engine)
    engine.items.patch({"p1": {"markets": {"default": {"price": 900, "currency": "EUR"}}}})
    engine.items.patch({"p1": {"attributes": {"genre": "folk"}}})
    settle(engine, project.clock)
    assert genres(engine, "u1") == {"folk", "jazz", "rock"}
    assert genres(engine, "u3") == {"jazz", "rock"}
    after = versions(engine)
    touched = {engine.profiles.find(f"u{n}") for n in (0, 1, 7, 8, 9)}  # who saw p1
    assert {person for person in after if after[person] != before[person]} == touched
    engine.items.patch({"p1": {"markets": {"default": {"price": 500, "currency": "EUR"}}}})
    assert standing(engine.core).is_current
    assert engine.profiles.differing() == []


def test_what_the_catalogue_no_longer_says_stays_as_it_was_known(make_project):
    project = make_project()
    engine = project.open()
    engine.items.put(ITEMS)
    people_with_views(engine)
    engine.items.delete(["p1"])
    engine.items.put([{"id": "p2", "title": "bare"}])
    settle(engine, project.clock)
    assert genres(engine, "u1") == {"jazz", "rock"}
    assert engine.profiles.differing() == []


@pytest.mark.parametrize(
    "change",
    [
        "\n[signals.classes.view]\nhalf_life_days = 3\n",
        '\n[signals.events.product_viewed]\nclass = "click"\n',
        '\n[signals.events.glanced]\nevents = ["Glanced"]\nclass = "view"\nitems = ["product_id"]\n',
    ],
    ids=["half-life", "class", "signal"],
)
def test_changed_settings_reach_every_profile_and_a_weight_none(make_project, change):
    project = make_project()
    engine = project.open()
    engine.items.put(ITEMS)
    people_with_views(engine)
    engine.track([view(f"u{n}", "p5", "Glanced", timestamp=START_MS - 9 * DAY_MS) for n in range(12)])
    settle(engine, project.clock)
    project.add(change)
    engine.core.apply()
    assert standing(engine.core).share == 0.0
    settle(engine, project.clock)
    assert engine.profiles.differing() == []
    assert {profile.fold_version for _, profile in engine.profiles.all()} == {2}
    before = versions(engine)
    project.add("\n[signals.classes.like]\nprior_weight = 9.5\n")
    engine.core.apply()
    assert standing(engine.core).is_current
    settle(engine, project.clock)
    assert versions(engine) == before


def test_a_facet_that_is_added_is_filled_in_from_the_catalogue(make_project):
    project = make_project(profiles={"facets": ["category"]})
    engine = project.open()
    engine.items.put(ITEMS)
    people_with_views(engine)
    assert genres(engine, "u1") == set()
    project.rewrite('facets = ["category"]', 'facets = ["category", "genre"]')
    engine.core.apply()
    settle(engine, project.clock)
    assert genres(engine, "u1") == {"jazz", "rock"}
    assert engine.profiles.differing() == []


def test_segments_move_with_the_profiles(make_project):
    project = make_project(segments={"jazz_fans": "affinity('genre', 'jazz') > 0.5"})
    engine = project.open()
    people_with_views(engine)
    engine.items.put(ITEMS)
    settle(engine, project.clock)
    with engine.core.store.read() as session:
        assert memberships.segment_sizes(session) == {"jazz_fans": 12}


KILLED = """
import os, signal, sys
from pathlib import Path
from bespeak.engine import jobs
from bespeak.engine.refolding import refold
from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine

root, now_ms, waits = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
refold.PEOPLE_AT_ONCE, refold.ENTRIES_AT_ONCE, put = 4, 5, refold._put

def put_or_die(tx, progress):
    global waits
    put(tx, progress)
    waits -= 1
    if not waits:
        os.kill(os.getpid(), signal.SIGKILL)  # everything of this part is written, nothing is committed

refold._put = put_or_die
with Engine.open(root, clock=VirtualClock(now_ms)) as engine:
    jobs.run_due(engine, "killed")
"""


def test_a_killed_run_goes_on_where_it_stopped_and_folds_nobody_twice(make_project):
    project = make_project()
    engine = project.open()
    people_with_views(engine)
    before = versions(engine)
    engine.items.put(ITEMS)
    shares = []
    for waits in (1, 3, 4):
        project.clock.advance(LEASE_MS)
        words = [sys.executable, "-c", KILLED, str(project.root), str(project.clock.now_ms()), str(waits)]
        assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
        shares.append(standing(engine.core).share)
    assert shares == sorted(shares)
    assert 0.0 < shares[-1] < 1.0
    project.clock.advance(LEASE_MS)
    settle(engine, project.clock)
    assert {person: n - before[person] for person, n in versions(engine).items()} == dict.fromkeys(before, 1)
    assert genres(engine, "u11") == {"jazz", "rock"}
    assert engine.profiles.differing() == []


def test_a_run_leaves_the_rest_to_the_next_and_says_how_much_that_is(make_project, monkeypatch):
    project = make_project()
    engine = project.open()
    people_with_views(engine)
    engine.items.put(ITEMS)
    original = refold.refold
    monkeypatch.setattr(refold, "refold", lambda core: original(core, max_entries=12))
    assert turn(engine, project.clock) == "9 of 12 people left; 3 refolded in this run"
    assert standing(engine.core).share == 0.25
    settle(engine, project.clock)
    assert genres(engine, "u11") == {"jazz", "rock"}


def test_who_lost_the_lease_writes_nothing(make_project, monkeypatch):
    project = make_project()
    engine, other = project.open(), project.open()
    people_with_views(engine)
    engine.items.put(ITEMS)
    held = jobs.take(engine, refold.JOB, "a")
    assert held is not None
    before = versions(engine)
    wanted = refold._wanted

    def overtaken(session: Any) -> Any:
        monkeypatch.setattr(refold, "_wanted", wanted)
        project.clock.advance(LEASE_MS)
        assert jobs.take(other, refold.JOB, "b") is not None
        return wanted(session)

    monkeypatch.setattr(refold, "_wanted", overtaken)
    assert refold.refold(engine.core) == "another process goes on"
    assert versions(engine) == before


@pytest.mark.parametrize("changes", ["catalogue", "settings"])
def test_somebody_not_yet_walked_who_joins_somebody_walked_is_not_forgotten(make_project, monkeypatch, changes):
    project = make_project()
    engine = project.open()
    people_with_views(engine)
    late = {**view("", "p2"), "anonymousId": "device"}
    engine.track([late, {**late, "timestamp": START_MS - 40 * DAY_MS}])
    if changes == "catalogue":
        engine.items.put(ITEMS)
    else:
        project.add("\n[signals.classes.view]\nhalf_life_days = 3\n")
        engine.core.apply()
    original = refold.refold
    monkeypatch.setattr(refold, "refold", lambda core: original(core, max_entries=12))
    assert "10 of 13 people left" in turn(engine, project.clock)
    engine.track([view("u1", "p1", anonymousId="device")], source="backend")
    assert engine.profiles.find("device") == engine.profiles.find("u1")
    monkeypatch.setattr(refold, "refold", original)
    settle(engine, project.clock)
    assert engine.profiles.differing() == []
    if changes == "catalogue":
        before = engine.profiles.get("u1")
        engine.profiles.rebuild([engine.profiles.find("u1")])
        assert engine.profiles.get("u1") == before


def test_live_events_beside_a_refold_are_neither_lost_nor_folded_twice(make_project, monkeypatch):
    project = make_project()
    engine, other = project.open(), project.open()
    people_with_views(engine)
    engine.items.put(ITEMS)
    project.add("\n[signals.classes.view]\nhalf_life_days = 3\n")
    engine.core.apply()
    stop = threading.Event()
    sent = [0, 0]

    def track(place: int, one: Engine) -> None:
        while not stop.is_set():
            n = sent[place]
            one.track([view(f"u{n % 12}", f"p{n % 8}"), view(f"new{place}-{n % 5}", "p1")])
            if n % 7 == 3:  # a device that turns out to be somebody's: a merge
                one.track([{**view("", "p3"), "anonymousId": f"a{place}-{n}"}])
                one.track([view(f"u{(n + 5) % 12}", "p2", anonymousId=f"a{place}-{n}")], source="backend")
            sent[place] += 1

    threads = [threading.Thread(target=track, args=(place, one)) for place, one in enumerate((engine, other))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            turn(engine, project.clock)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    other.core.refresh()
    settle(engine, project.clock)
    assert min(sent) > 0
    with engine.core.store.read() as session:
        n_events = log.count(session)
    assert sum(profile.n_events for _, profile in engine.profiles.all()) == n_events
    assert engine.profiles.differing() == []
    assert genres(engine, "new0-0") == {"rock"}


def test_a_process_that_lags_behind_the_configuration_is_made_good(make_project):
    project = make_project()
    engine, lagging = project.open(), project.open()
    people_with_views(engine)
    project.add("\n[signals.classes.view]\nhalf_life_days = 3\n")
    engine.core.apply()
    settle(engine, project.clock)
    lagging.track([view("u1", "p1", timestamp=START_MS - 40 * DAY_MS), view("stranger", "p2")])
    settle(engine, project.clock)
    assert engine.profiles.differing() == []
    assert {profile.fold_version for _, profile in engine.profiles.all()} == {2}


def test_an_event_that_met_the_catalogue_of_a_moment_ago_is_made_good(make_project):
    project = make_project()
    engine, lagging = project.open(), project.open()
    people_with_views(engine)
    engine.items.put(ITEMS)
    turn(engine, project.clock)
    lagging.track([view("late", "p1")])
    assert genres(engine, "late") == set()
    assert SETTLED_MS >= 2 * 5_000
    settle(engine, project.clock)
    assert genres(engine, "late") == {"rock"}
    assert engine.profiles.differing() == []


def test_what_retention_took_from_the_log_stays_as_it_was_folded(make_project):
    project = make_project(retention={"log_days": 30})
    engine = project.open()
    people_with_views(engine)
    project.clock.advance(40 * DAY_MS)
    engine.track([view("u1", "p6")])
    sweep_retention(engine.core)
    project.add("\n[signals.classes.view]\nhalf_life_days = 3\n")
    engine.core.apply()
    engine.items.put(ITEMS)
    settle(engine, project.clock)
    assert genres(engine, "u1") == {"jazz"}
    profile = engine.profiles.get("u1")
    assert profile is not None
    assert {item_id for held in profile.items.values() for item_id in held} == {"p1", "p2", "p3", "p6"}
    assert engine.profiles.differing() == []


def test_an_erased_person_does_not_come_back(make_project):
    project = make_project()
    engine = project.open()
    people_with_views(engine)
    engine.items.put(ITEMS)
    engine.privacy.erase("u1")
    settle(engine, project.clock)
    assert engine.profiles.get("u1") is None
    assert len(versions(engine)) == 11


def test_a_refold_at_rest_changes_nothing(make_project):
    project = make_project()
    engine = project.open()
    engine.items.put(ITEMS)
    people_with_views(engine)
    settle(engine, project.clock)
    before = versions(engine)
    assert turn(engine, project.clock).startswith("every profile is up to date; 0 refolded")
    again = project.open()
    assert turn(again, project.clock).startswith("every profile is up to date; 0 refolded")
    assert versions(again) == before
