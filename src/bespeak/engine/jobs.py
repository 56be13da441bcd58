"""Jobs: work that runs beside the server, one at a time over all nodes.

A job is a row with a lease and a fencing token. Who takes the lease raises the token; whoever finds a higher token than
its own when it finishes has lost the lease and writes nothing. A killed process's lease runs out and somebody else goes
on.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from bespeak.engine.engine import Engine
from bespeak.engine.learning.fold import learn
from bespeak.engine.learning.lessons import lessons_of
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.privacy.retention import sweep_retention
from bespeak.engine.refolding import refold
from bespeak.engine.segments import settle_segments
from bespeak.engine.views.launches import launch_reports
from bespeak.errors import BespeakError, InvalidInput
from bespeak.storage.tables import records
from bespeak.storage.tables.records import Job

log = logging.getLogger("bespeak.jobs")

LEASE_MS = 60_000
RENEW_SECONDS = 15.0
POLL_SECONDS = 1.0
SECOND_MS = 1_000
_UNITS = {"m": 60 * SECOND_MS, "h": 3600 * SECOND_MS, "d": 86_400 * SECOND_MS}


@dataclass(frozen=True)
class Task:
    """What a job does: `run` returns a note on what was done, `every_ms` is the pause between runs."""

    name: str
    every_ms: int
    run: Callable[[Engine], str]


def interval_ms(text: str) -> int:
    """Returns the milliseconds of an interval such as "6h", 0 for "".

    Example:
        >>> interval_ms("6h"), interval_ms("")
        (21600000, 0)
    """
    return int(text[:-1]) * _UNITS[text[-1]] if text else 0


def tasks(engine: Engine) -> list[Task]:
    """Returns what the active configuration wants done."""
    wanted = [
        Task("lake", 30 * SECOND_MS, lambda engine: f"up to log position {feed(engine.core)}"),
        Task("compaction", 3600 * SECOND_MS, _compact),
        Task("segments", 5 * SECOND_MS, lambda engine: f"{settle_segments(engine.core)} moves"),
        Task(refold.JOB, 5 * SECOND_MS, lambda engine: refold.refold(engine.core)),
        Task("launches", 3600 * SECOND_MS, _settle_launches),
        Task("retention", 3600 * SECOND_MS, lambda engine: sweep_retention(engine.core)),
    ]
    if lessons_of(engine.core.world):
        wanted.append(Task("bandits", SECOND_MS, _learn))
    every_ms = interval_ms(engine.core.config.settings.train.every)
    if every_ms:
        wanted.append(Task("train", every_ms, _train))
    return wanted


def waiting(engine: Engine) -> list[str]:
    """Returns the names of the tasks that run now or are due."""
    now_ms = engine.core.clock.now_ms()
    with engine.core.store.read() as session:
        held = {job.name: job for job in records.jobs(session)}
    rows = [(task.name, held.get(task.name, Job(name=task.name))) for task in tasks(engine)]
    return [name for name, job in rows if job.due_ms <= now_ms or job.state == "running"]


def run_due(engine: Engine, owner: str) -> list[str]:
    """Runs every task that is due and whose lease is free; returns the names of those that ran."""
    return [task.name for task in tasks(engine) if _run_when_due(engine, task, owner)]


def work(engine: Engine, stop: threading.Event, *, poll_seconds: float = POLL_SECONDS) -> None:
    """Runs jobs until `stop` is set; a job that fails is logged and tried again at its next turn.

    Args:
        engine: the project.
        stop: ends the work after the job that runs.
        poll_seconds: pause between two looks at what is due, in real time.
    """
    owner = f"{os.getpid()}-{secrets.token_hex(4)}"
    while not stop.is_set():
        try:
            engine.core.refresh_when_due()
            run_due(engine, owner)
        except BespeakError as error:
            log.warning("jobs wait: %s", error.code)
        stop.wait(poll_seconds)


def take(engine: Engine, name: str, owner: str) -> Job | None:
    """Takes the lease of a job that is due; None when it is not due or somebody else holds it."""
    now_ms = engine.core.clock.now_ms()
    with engine.core.store.write() as tx:
        tx.lock_keys([f"job:{name}"])
        held = records.job(tx, name)
        if held.due_ms > now_ms or held.lease_until_ms > now_ms:
            return None
        taken = msgspec.structs.replace(
            held,
            state="running",
            owner=owner,
            lease_until_ms=now_ms + LEASE_MS,
            fence=held.fence + 1,
            started_ms=now_ms,
        )
        records.put_job(tx, taken)
        return taken


def renew(engine: Engine, job: Job) -> bool:
    """Prolongs a lease; False when it was lost."""
    with engine.core.store.write() as tx:
        tx.lock_keys([f"job:{job.name}"])
        held = records.job(tx, job.name)
        if held.fence != job.fence:
            return False
        until_ms = engine.core.clock.now_ms() + LEASE_MS
        records.put_job(tx, msgspec.structs.replace(held, lease_until_ms=until_ms))
        return True


def finish(engine: Engine, job: Job, note: str, every_ms: int) -> bool:
    """Ends a run and says when the next is due; False, and nothing is written, when the lease was lost."""
    with engine.core.store.write() as tx:
        tx.lock_keys([f"job:{job.name}"])
        held = records.job(tx, job.name)
        if held.fence != job.fence:
            return False
        now_ms = engine.core.clock.now_ms()
        done = msgspec.structs.replace(
            held, state="idle", owner="", lease_until_ms=0, due_ms=now_ms + every_ms, finished_ms=now_ms, note=note
        )
        records.put_job(tx, done)
        return True


def _run_when_due(engine: Engine, task: Task, owner: str) -> bool:
    job = take(engine, task.name, owner)
    if job is None:
        return False
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(engine, job, done), name=f"lease-{task.name}", daemon=True)
    keeper.start()
    try:
        note = task.run(engine)
    except BespeakError as error:
        note = f"failed: {error.code}"
        log.warning("job %s failed: %s", task.name, error.code)
    except Exception:
        note = "failed"
        log.exception("job %s failed", task.name)
    finally:
        done.set()
        keeper.join()
    return finish(engine, job, note, task.every_ms)


def _keep(engine: Engine, job: Job, done: threading.Event) -> None:
    while not done.wait(RENEW_SECONDS):
        try:
            if not renew(engine, job):
                return
        except BespeakError:
            continue


def _compact(engine: Engine) -> str:
    """Puts small files of the lake together."""
    with engine.core.store.write() as tx:
        n_files = engine.core.lake.compact(tx)
    engine.core.sweep_blobs()
    return f"{n_files} files"


def _settle_launches(engine: Engine) -> str:
    """Ends every launch whose lift is told and good; a bad one stays for people to judge."""
    feed(engine.core)
    ended, now_ms = [], engine.core.now_ms()
    for found in launch_reports(engine.core):
        lift = found.outcomes[0].lift_interval if found.is_told else None
        is_good = found.is_running and lift is not None and lift[0] > 0
        if is_good and engine.experiments.end_launch(found.experiment, now_ms):
            ended.append(found.placement)
    return f"ended: {', '.join(ended)}" if ended else "none ended"


def _learn(engine: Engine) -> str:
    core = engine.core
    done = [
        f"{one.n_decisions:,} decisions at {one.placement}, {one.n_corrected:,} told more of"
        f"{', anew' if one.is_refit else ''}"
        for one in learn(core.store, core.world, core.runtime.observer, core.now_ms())
    ]
    return "; ".join(done) or "nothing new"


def _train(engine: Engine) -> str:
    try:
        report = engine.models.train()
    except InvalidInput as error:
        return error.message
    return f"version {report.version}"
