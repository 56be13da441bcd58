"""Jobs: one owner at a time, a lost lease writes nothing, what time alone changes is done."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bespeak.engine import jobs
from bespeak.engine.jobs import LEASE_MS, Task, finish, interval_ms, renew, run_due, take, tasks
from bespeak.errors import StoreUnavailable
from bespeak.storage.tables import memberships, records

DAY_MS = 86_400_000


def view(item: str = "p1", **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "properties": {"product_id": item}, **more}


def job(engine, name: str):
    with engine.core.store.read() as session:
        return records.job(session, name)


def only(monkeypatch: pytest.MonkeyPatch, task: Task) -> None:
    monkeypatch.setattr(jobs, "tasks", lambda _engine: [task])


def test_a_lease_is_one_owners_until_it_runs_out(make, clock):
    first, second = make(), make()
    held = take(first, "lake", "a")
    assert held is not None
    assert take(second, "lake", "b") is None
    clock.advance(LEASE_MS - 1)
    assert take(second, "lake", "b") is None
    clock.advance(1)
    assert take(second, "lake", "b").fence == held.fence + 1


def test_a_lost_lease_writes_nothing(make, clock):
    engine = make()
    lost = take(engine, "lake", "a")
    clock.advance(LEASE_MS)
    taken = take(engine, "lake", "b")
    assert not renew(engine, lost)
    assert not finish(engine, lost, "mine", 1000)
    assert job(engine, "lake") == taken


def test_a_renewed_lease_lasts_from_then_on(make, clock):
    engine = make()
    held = take(engine, "lake", "a")
    clock.advance(LEASE_MS - 1)
    assert renew(engine, held)
    clock.advance(LEASE_MS - 1)
    assert take(engine, "lake", "b") is None


def test_a_finished_job_is_due_again_after_its_pause(make, clock):
    engine = make()
    assert finish(engine, take(engine, "lake", "a"), "did it", 5000)
    assert (job(engine, "lake").note, job(engine, "lake").state) == ("did it", "idle")
    clock.advance(4999)
    assert take(engine, "lake", "a") is None
    clock.advance(1)
    assert take(engine, "lake", "a") is not None


def test_many_owners_in_two_engines_run_a_job_once(make, monkeypatch):
    engines = (make(), make())
    ran: list[str] = []
    inside = threading.Lock()

    def run(_engine) -> str:
        assert inside.acquire(blocking=False), "two owners are in the job at once"
        ran.append("x")
        inside.release()
        return "done"

    only(monkeypatch, Task("once", 60_000, run))
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda n: run_due(engines[n % 2], f"owner-{n}"), range(16)))
    assert ran == ["x"]
    assert sum(map(len, names)) == 1


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ZeroDivisionError("x@y.example")])
def test_a_job_that_fails_is_tried_again_at_its_next_turn(make, clock, monkeypatch, error):
    engine = make()
    tries: list[int] = []

    def run(_engine) -> str:
        tries.append(clock.now_ms())
        if len(tries) == 1:
            raise error
        return "fine"

    only(monkeypatch, Task("shaky", 1000, run))
    assert run_due(engine, "a") == ["shaky"]
    assert job(engine, "shaky").note.startswith("failed")
    assert "x@y.example" not in job(engine, "shaky").note
    assert run_due(engine, "a") == []
    clock.advance(1000)
    run_due(engine, "a")
    assert job(engine, "shaky").note == "fine"


def test_training_is_a_job_only_where_the_project_wants_it(make):
    assert "train" not in [task.name for task in tasks(make())]


def test_training_runs_every_so_often(make):
    engine = make({"train": {"every": "6h"}})
    assert {task.name: task.every_ms for task in tasks(engine)}["train"] == 6 * 3_600_000
    run_due(engine, "a")
    assert "nothing to train on" in job(engine, "train").note


@pytest.mark.parametrize(("text", "expected"), [("", 0), ("30m", 1_800_000), ("2d", 2 * DAY_MS)])
def test_intervals_are_read_as_milliseconds(text, expected):
    assert interval_ms(text) == expected


def test_work_goes_on_until_it_is_stopped(make):
    stop = threading.Event()
    engine = make()
    worker = threading.Thread(target=jobs.work, args=(engine, stop))
    worker.start()
    for _ in range(500):
        if job(engine, "retention").note:
            break
        stop.wait(0.02)
    stop.set()
    worker.join(10)
    assert not worker.is_alive()
    assert job(engine, "lake").note


# -- segments ----------------------------------------------------------------------------------------------------------
RECENT = {"recent": "last_seen > now() - INTERVAL '30' DAY"}


def sizes(engine) -> dict[str, int]:
    with engine.core.store.read() as session:
        return memberships.segment_sizes(session)


def test_time_alone_moves_people_out_of_a_segment(make, clock):
    engine = make({"segments": RECENT})
    engine.track([view(userId="u1"), view(userId="u2")], source="backend")
    assert sizes(engine) == {"recent": 2}
    clock.advance(29 * DAY_MS)
    engine.track([view(userId="u2")], source="backend")
    clock.advance(2 * DAY_MS)
    run_due(engine, "a")
    assert sizes(engine) == {"recent": 1}
    assert engine.profiles.readable("u1")["segments"] == []
    run_due(engine, "a")
    with engine.core.store.read() as session:
        moves = memberships.moves_of(session, [engine.profiles.find("u1")])
    assert [move.is_member for move in moves] == [True, False]


def test_a_changed_definition_moves_everybody_without_an_event(make, clock):
    engine = make({"segments": RECENT})
    engine.track([view(userId="u1"), view(userId="u2")], source="backend")
    engine.track([view(userId="u2")], source="backend")
    run_due(engine, "a")
    path = engine.core.folder.config_path
    path.write_text(path.read_text().replace("recent = ", "keen = \"count('view', 30) >= 2\"\nold = "))
    engine.core.apply()
    clock.advance(10_000)
    run_due(engine, "a")
    assert sizes(engine) == {"keen": 1, "old": 2}
    assert engine.profiles.readable("u2")["segments"] == ["keen", "old"]
