"""What was said of launches and experiments while they ran: decided, started, stopped. Every node sees it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from bespeak.decide.trial import Trial
from bespeak.engine.trying.policies import Versions
from bespeak.storage.base import Session, Transaction
from bespeak.storage.tables import records

LAUNCHES = "launches"
"""Name of the setting that holds the decided launches, and of the version counter that tells of a change."""

ENDS = "launch_ends"
"""Name of the setting that holds when each launch was decided."""

RUNS = "experiment_runs"
"""Name of the setting that holds which experiments were started and stopped by hand, and of its counter."""


class Run(msgspec.Struct, frozen=True):
    """What was said of an experiment by command; None where nothing was.

    Attributes:
        started_ms: it runs from here on, whatever the file's `start` says.
        stopped_ms: nobody is under it from here on.
    """

    started_ms: int | None = None
    stopped_ms: int | None = None


def decided_launches(session: Session) -> frozenset[str]:
    """Returns the placements whose launch has its answer."""
    raw = records.setting(session, LAUNCHES)
    return frozenset(msgspec.json.decode(raw, type=list[str])) if raw else frozenset()


def launch_ends(session: Session) -> dict[str, int]:
    """Returns placement -> when its launch was decided; those are not in it that an earlier release decided."""
    raw = records.setting(session, ENDS)
    return msgspec.json.decode(raw, type=dict[str, int]) if raw else {}


def put_decided(tx: Transaction, placement: str, now_ms: int) -> None:
    """Stores that a placement's launch has its answer; the first time holds."""
    decided = decided_launches(tx)
    if placement not in decided:
        records.put_setting(tx, ENDS, msgspec.json.encode({**launch_ends(tx), placement: now_ms}))
    records.put_setting(tx, LAUNCHES, msgspec.json.encode(sorted(decided | {placement})))
    records.bump(tx, LAUNCHES)


def read_runs(session: Session) -> dict[str, Run]:
    """Returns experiment -> what was said of it."""
    raw = records.setting(session, RUNS)
    return msgspec.json.decode(raw, type=dict[str, Run]) if raw else {}


def put_runs(tx: Transaction, runs: Mapping[str, Run]) -> None:
    """Stores what was said of experiments."""
    records.put_setting(tx, RUNS, msgspec.json.encode(runs))
    records.bump(tx, RUNS)


def under_run(trial: Trial, run: Run | None) -> Trial | None:
    """Returns an experiment with the times that were said by command; None for one that was stopped."""
    if run is None:
        return trial
    if run.stopped_ms is not None:
        return None
    return trial if run.started_ms is None else replace(trial, start_ms=run.started_ms)


def versioned(trial: Trial, versions: Versions) -> Trial:
    """Returns an experiment with its policies under the names of their versions."""
    arms = {name: None if policy is None else versions.named(policy.settings) for name, policy in trial.arms.items()}
    return replace(trial, arms=arms)
