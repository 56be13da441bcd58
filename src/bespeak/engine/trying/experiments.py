"""Experiments, as the engine runs them: who takes part in what, which launches have their answer, starts and stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from bespeak.decide.launch import Assigned
from bespeak.decide.occasion import Occasion
from bespeak.decide.trial import Trial
from bespeak.decide.variants.when import context_values, record_of
from bespeak.engine.trials import trial_named
from bespeak.engine.trying.runs import Run, put_decided, put_runs, read_runs
from bespeak.errors import InvalidInput
from bespeak.profiles.view import ProfileView
from bespeak.signals.events import Context
from bespeak.storage.base import Store
from bespeak.storage.tables import assignments, records


class Experiments:
    """Assigns people to the experiments that run."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def assign(self, occasion: Occasion) -> Occasion:
        """Returns the occasion with the experiment that it counts for; a preview takes part in none.

        Only people who agreed to being measured and to personalization take part: nobody else could get the treatment
        or be compared. Who was assigned before keeps the variant; others get theirs by the hash of the id that the
        request recognised them by, and the record of the decision makes it last. Whoever is on the control of the
        placement's launch takes part in no other experiment there, and a person is in one of them at most: in the one
        that they were first in.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        assigned = None if occasion.is_preview else self._assigned(occasion)
        return occasion if assigned is None else replace(occasion, assigned=assigned)

    def _assigned(self, occasion: Occasion) -> Assigned | None:
        """The experiment and variant, None for somebody who takes no part."""
        request, person, world, now_ms = occasion.request, occasion.person, occasion.world, occasion.now_ms
        launch = world.launches.get(request.placement)
        trials = [trial for trial in world.trials.get(request.placement, ()) if trial.runs_at(now_ms)]
        needed = world.purposes.measure | world.purposes.personalize
        if (launch is None and not trials) or request.context.is_bot:
            return None
        if person is None or person.person is None or person.purposes & needed != needed:
            return None
        with self._store.read() as session:
            held = {a.experiment: a.variant for a in assignments.assignments_of(session, [person.person])}
        found, unit = None, occasion.ids[0].value
        if launch is not None:
            variant = held.get(launch.name) or launch.variant_of(unit)
            found = None if variant is None else Assigned.to_launch(launch.name, variant)
            if found is not None and found.is_unread:
                return found
        beside = None if found is None else (found.experiment, found.variant)
        trial, variant = _trial_of(trials, held, unit, person.view, request.context)
        return found if trial is None or variant is None else Assigned(trial.name, variant, launch=beside)

    def end_launch(self, experiment: str, now_ms: int) -> bool:
        """Marks a launch as decided, so that only its holdout stays on the control; False for any other experiment.

        Outcomes count up to then: afterwards most of its control are personalized, too.
        """
        placement, _, kind = experiment.rpartition("-")
        if kind != "launch":
            return False
        with self._store.write() as tx:
            tx.lock_keys(["setting:launches"])
            put_decided(tx, placement, now_ms)
        return True

    def start(self, name: str, trials: Mapping[str, Trial], now_ms: int, actor: str) -> Run:
        """Lets an experiment run from now on, whatever the file says of its start; ends a stop.

        Raises:
            UnknownName: the active configuration has no such experiment.
            InvalidInput: its end has passed.
        """
        trial = trials.get(name)
        if trial is not None and trial.stop_ms is not None and trial.stop_ms <= now_ms:
            hint = f"Change experiments.{name}.stop in bespeak.toml and apply it."
            raise InvalidInput(f"The end of '{name}' has passed.", hint=hint)
        return self._say(name, trials, now_ms, actor, is_start=True)

    def stop(self, name: str, trials: Mapping[str, Trial], now_ms: int, actor: str) -> Run:
        """Ends an experiment: from now on the placement's own policy decides for everybody, and no outcome counts.

        Raises:
            UnknownName: the active configuration has no such experiment.
        """
        return self._say(name, trials, now_ms, actor, is_start=False)

    def runs(self) -> dict[str, Run]:
        """Returns what was said of experiments by command."""
        with self._store.read() as session:
            return read_runs(session)

    def _say(self, name: str, trials: Mapping[str, Trial], now_ms: int, actor: str, *, is_start: bool) -> Run:
        trial = trial_named(trials, name)
        with self._store.write() as tx:
            tx.lock_keys(["setting:experiment_runs"])
            runs = read_runs(tx)
            held = runs.get(name, Run())
            if is_start:
                # An experiment that ran already goes on from where it began.
                begun = held.started_ms if held.started_ms is not None else trial.start_ms
                has_run = held.stopped_ms is not None and (begun is None or begun <= now_ms)
                run = Run(started_ms=held.started_ms if has_run else now_ms)
            else:
                run = msgspec.structs.replace(held, stopped_ms=held.stopped_ms or now_ms)
            put_runs(tx, {**runs, name: run})
            records.add_audit(tx, now_ms, actor, "experiment", f"{name} {'started' if is_start else 'stopped'}")
        return run


def _trial_of(
    trials: Sequence[Trial],
    held: Mapping[str, str],
    unit: str,
    view: ProfileView | None,
    context: Context,
) -> tuple[Trial | None, str | None]:
    """The experiment that a person is in or comes into, and their variant."""
    for trial in trials:
        variant = held.get(trial.name)
        if variant is not None:
            return (trial, variant) if trial.has(variant) else (None, None)
    for trial in trials:
        variant = trial.variant_of(unit)
        if variant is not None and _takes(trial, view, context):
            return trial, variant
    return None, None


def _takes(trial: Trial, view: ProfileView | None, context: Context) -> bool:
    if trial.condition is None:
        return True
    now_ms = view.now_ms if view is not None else 0
    return trial.condition.test(record_of(view, trial.segments), now_ms, context_values(context))
