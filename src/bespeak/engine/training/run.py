"""One training at a time, in a thread, with its progress where every process of the project sees it."""

from __future__ import annotations

import threading
from typing import Literal

import msgspec

from bespeak.engine.core import Core
from bespeak.engine.training.models import Models
from bespeak.errors import BespeakError, StoreUnavailable
from bespeak.learn.choosing.steps import said_left, seconds_left
from bespeak.storage.tables import records

JOB = "train.by_hand"
LEASE_MS = 15 * 60_000
"""A run that says nothing for so long counts as dead: its process was killed."""

RunState = Literal["idle", "running", "done", "failed"]


class RunStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a training goes.

    Attributes:
        stage: what is being done, or why it failed.
        share: of the time that is over, 0 to 1.
        left: how long it goes on, in words; empty where nobody knows.
        version: of the set that a finished run made.
    """

    state: RunState = "idle"
    stage: str = ""
    share: float = 0.0
    left: str = ""
    started_ms: int = 0
    finished_ms: int = 0
    version: int = 0


class _Progress(msgspec.Struct, frozen=True):
    share: float = 0.0
    said_ms: int = 0
    version: int = 0


class TrainingRun:
    """Starts a training and tells how it goes."""

    def __init__(self, core: Core, models: Models) -> None:
        self._core = core
        self._models = models

    def status(self) -> RunStatus:
        """Returns how the latest run goes or went."""
        with self._core.store.read() as session:
            job = records.job(session, JOB)
        progress = msgspec.json.decode(job.cursor, type=_Progress) if job.cursor else _Progress()
        state = job.state if job.state in ("running", "done", "failed") else "idle"
        if state == "running" and job.lease_until_ms < self._core.clock.now_ms():
            return RunStatus(state="failed", stage="The process that trained has ended.", started_ms=job.started_ms)
        return RunStatus(
            state=state,  # type: ignore[arg-type]
            stage=job.note,
            share=progress.share,
            left=self._left(job.started_ms, progress) if state == "running" else "",
            started_ms=job.started_ms,
            finished_ms=job.finished_ms,
            version=progress.version,
        )

    def _left(self, started_ms: int, progress: _Progress) -> str:
        left = seconds_left((progress.said_ms - started_ms) / 1000, progress.share)
        since = (self._core.clock.now_ms() - progress.said_ms) / 1000
        return said_left(None if left is None else max(0.0, left - since))

    def start(self, owner: str) -> bool:
        """Starts a training in a thread; False when one runs already."""
        now_ms = self._core.clock.now_ms()
        with self._core.store.write() as tx:
            tx.lock_keys([f"job:{JOB}"])
            held = records.job(tx, JOB)
            if held.state == "running" and held.lease_until_ms >= now_ms:
                return False
            records.put_job(
                tx,
                msgspec.structs.replace(
                    held,
                    state="running",
                    owner=owner,
                    lease_until_ms=now_ms + LEASE_MS,
                    fence=held.fence + 1,
                    started_ms=now_ms,
                    finished_ms=0,
                    cursor="",
                    note="starting",
                ),
            )
        threading.Thread(target=self._run, args=(held.fence + 1,), name="training", daemon=True).start()
        return True

    def _run(self, fence: int) -> None:
        told = [("", -1.0)]

        def progress(stage: str, share: float) -> None:
            # Each word is a durable write: not more of them than somebody can read.
            before, share_before = told[0]
            if stage != before or share - share_before >= 0.1:
                told[0] = (stage, share)
                self._say(fence, "running", stage, _Progress(share=share, said_ms=self._core.clock.now_ms()))

        try:
            report = self._models.train(progress=progress)
        except BespeakError as error:
            self._say(fence, "failed", str(error), _Progress())
        except Exception as error:  # noqa: BLE001 - the thread is the edge: what went wrong must reach the screen
            self._say(fence, "failed", f"Training stopped: {type(error).__name__}.", _Progress())
        else:
            self._say(fence, "done", "done", _Progress(share=1.0, version=report.version))

    def _say(self, fence: int, state: RunState, note: str, progress: _Progress) -> None:
        now_ms = self._core.clock.now_ms()
        try:
            with self._core.store.write() as tx:
                held = records.job(tx, JOB)
                if held.fence != fence:
                    return
                records.put_job(
                    tx,
                    msgspec.structs.replace(
                        held,
                        state=state,
                        lease_until_ms=now_ms + LEASE_MS,
                        finished_ms=0 if state == "running" else now_ms,
                        cursor=msgspec.json.encode(progress).decode(),
                        note=note,
                    ),
                )
        except StoreUnavailable:
            return  # the next word, or the end of the lease, tells
