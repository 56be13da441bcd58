"""Kills processes of one project with SIGKILL at seeded random moments, and looks at what they left.

Run in a process of its own, with the folder of tests on the path, so that children are forked from one without threads
and without an open store: python -m recovery.killing SEED SCENARIO PROJECT KILLS [SCENARIO PROJECT KILLS ...]. Prints
the findings as JSON, a list with one entry a scenario.

A kill counts only where it hit the process in the middle of what the scenario is about: each child notes what it is
doing in memory that outlives it. The moments adapt to how long the work takes, so that most kills hit it, and the
scenario goes on until enough of them did.
"""

from __future__ import annotations

import json
import mmap
import os
import pickle
import random
import signal
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IDLE = ""
POLL_SECONDS = 0.0005
PATIENCE_SECONDS = 120.0
NARROWER, WIDER = 0.8, 1.1
"""How the window of moments changes when a kill came too late, or hit."""


class Desk:
    """Where a child notes what it is doing; read by its parent when it is dead."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 40)

    def begin(self, work: str) -> None:
        """Notes that a piece of work has begun."""
        self._memory[32:40] = (self.n_begun + 1).to_bytes(8, "big")
        self._memory[0:32] = work.encode().ljust(32, b"\0")

    def end(self) -> None:
        """Notes that nothing is being done."""
        self._memory[0] = 0

    @contextmanager
    def works(self, work: str) -> Iterator[None]:
        """Notes the work for the length of a block."""
        self.begin(work)
        yield
        self.end()

    @property
    def n_begun(self) -> int:
        """How many pieces of work were begun."""
        return int.from_bytes(self._memory[32:40], "big")

    @property
    def work(self) -> str:
        """What is being done, "" for nothing."""
        if not self._memory[0]:
            return IDLE
        return bytes(self._memory[0:32]).rstrip(b"\0").decode()


Part = Callable[[Desk], None]


@dataclass
class Child:
    """A forked process."""

    pid: int
    desk: Desk
    is_actor: bool
    status: int | None = None

    def look(self) -> bool:
        """Returns whether it still runs; raises when it failed by itself."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
                if status:
                    raise RuntimeError("a child failed by itself: its traceback stands above")
        return self.status is None

    def kill(self) -> str:
        """Kills it and returns what it was doing."""
        if not self.look():
            return IDLE
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return self.desk.work


class Scenario(ABC):
    """What is killed, and what must hold afterwards.

    Attributes:
        works: the pieces of work that a kill must hit to count.
        lead: an actor begins up to this many pieces of work before the moment is chosen.
        worker_lead: so do the workers beside it.
        window_s: the first guess of how long a piece of work takes, in seconds.
        is_one_kill: the actors of a round are killed as one, as only one of them can be at the work.
        with_workers: two workers send batches beside the actors, and are killed with them.
    """

    works: frozenset[str]
    lead = 1
    worker_lead = 6
    window_s = 0.3
    is_one_kill = False
    with_workers = True

    def __init__(self, project: Path, seed: int) -> None:
        self.project = project
        self.seed = seed

    def prepare(self) -> float:
        """Runs once in a child, before anything is killed; returns about how many seconds a piece of work takes."""
        return self.window_s

    @abstractmethod
    def actors(self, number: int) -> Sequence[Part]:
        """Returns the processes whose kills count, in round `number`."""

    def look(self, number: int) -> list[str]:
        """Runs in a child after each round, and returns what is wrong."""
        del number
        return []

    def finish(self) -> list[str]:
        """Runs in a child after the last round: completes what was interrupted, returns what is wrong."""
        return []

    def acknowledged(self) -> list[str]:
        """Returns the keys of what was acknowledged beyond the workers' ledgers; see `recovery.findings`."""
        return []

    def notes(self) -> dict[str, Any]:
        """Returns figures that show that the scenario did what it should."""
        return {}


@dataclass
class Tally:
    """What the kills hit."""

    sent: int = 0
    landed: int = 0
    workers: int = 0
    hit: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def count(self, hit: Sequence[str], works: frozenset[str]) -> bool:
        """Counts the kills of a round; returns whether one of them hit the work."""
        landed = sum(work in works for work in hit)
        self.sent += len(hit)
        self.landed += landed
        self.hit.update(work or "nothing" for work in hit)
        return landed > 0


def fork(function: Callable[[], None]) -> int:
    """Forks a child that runs a function and ends."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        function()
        status = 0
    except SystemExit as end:
        status = 1 if end.code else 0
    except BaseException:  # noqa: BLE001  a fork must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def in_child(function: Callable[[], Any]) -> Any:
    """Returns what a function returns that runs in a forked child, so that this process keeps no threads of its own."""
    reading, writing = os.pipe()

    def answer() -> None:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(function(), pipe)

    child = fork(answer)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("a check failed: its traceback stands above")
    return pickle.loads(content)  # our own child wrote it


def run(scenario: Scenario, workers: Sequence[Part], n_kills: int) -> Tally:
    """Kills until `n_kills` kills have hit the scenario's work."""
    rng = random.Random(scenario.seed)
    tally = Tally()
    window_s, number = float(in_child(scenario.prepare)), 0
    while tally.landed < n_kills and not tally.faults:
        parts = [(part, True) for part in scenario.actors(number)]
        parts += [(part, False) for part in workers if scenario.with_workers]
        children = [_start(part, is_actor) for part, is_actor in parts]
        actors = [child for child in children if child.is_actor]
        others = [child for child in children if not child.is_actor]
        _await_work(others, None, rng.randint(1, scenario.worker_lead))
        _await_work(actors, scenario.works, rng.randint(1, scenario.lead))
        time.sleep(rng.uniform(0, window_s))
        rng.shuffle(children)
        hit: list[str] = []
        for child in children:
            work = child.kill()
            if child.is_actor:
                hit.append(work)
            else:
                tally.workers += bool(work)
        if scenario.is_one_kill:
            hit = [next((work for work in hit if work in scenario.works), IDLE)]
        window_s = min(window_s * (WIDER if tally.count(hit, scenario.works) else NARROWER), 2.0)
        tally.faults += in_child(lambda number=number: scenario.look(number))
        number += 1
    tally.faults += in_child(scenario.finish)
    return tally


def _start(part: Part, is_actor: bool) -> Child:
    desk = Desk()
    return Child(fork(lambda: part(desk)), desk, is_actor)


def _await_work(children: Sequence[Child], works: frozenset[str] | None, lead: int) -> None:
    """Returns when one of the children is at its piece of work number `lead` or a later one; or when all have ended."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        running = [child for child in children if child.look()]
        come = [child for child in running if works is None or child.desk.work in works]
        if not running or any(child.desk.n_begun >= lead for child in come):
            return
        time.sleep(POLL_SECONDS)
    raise RuntimeError("no child came to work")


def main(name: str, project: Path, seed: int, n_kills: int) -> dict[str, Any]:
    """Runs one scenario and returns the findings."""
    from recovery.findings import find  # noqa: PLC0415  the drivers of the stores, for children only
    from recovery.scenarios import SCENARIOS  # noqa: PLC0415
    from recovery.workers import ledgers, preload, preloaded, workers  # noqa: PLC0415

    scenario = SCENARIOS[name](project, seed)
    in_child(lambda: preload(project, seed))
    tally = run(scenario, workers(project, seed), n_kills)
    others = [*preloaded(seed), *scenario.acknowledged()]
    found: dict[str, Any] = in_child(lambda: find(project, ledgers(project), seed, others))
    found["faults"] = tally.faults + found["faults"]
    return {
        "kills": tally.sent,
        "mid_work": tally.landed,
        "hit": dict(tally.hit),
        "workers_killed_at_work": tally.workers,
        **found,
        "notes": in_child(scenario.notes),
    }


if __name__ == "__main__":
    _, seed, *given = sys.argv
    wanted = zip(given[0::3], given[1::3], given[2::3], strict=True)
    print(json.dumps([main(name, Path(project), int(seed), int(n_kills)) for name, project, n_kills in wanted]))
