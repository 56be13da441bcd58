"""Experiments, as the engine runs them: who takes part in what, and which launches have their answer."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bespeak.decide.launch import Assigned
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest
from bespeak.decide.world import World
from bespeak.signals.ids import IdKey
from bespeak.storage import assignments, records
from bespeak.storage.base import Session, Store

LAUNCHES = "launches"
"""Name of the setting that holds the decided launches, and of the version counter that tells of a change."""


class Experiments:
    """Assigns people to the experiments that run."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def assigned(
        self, world: World, request: DecideRequest, person: PersonView | None, ids: Sequence[IdKey]
    ) -> Assigned | None:
        """Returns the variant of whom a decision is for, None for somebody who takes no part.

        Only people who agreed to being measured and to personalization take part: nobody else could get the treatment
        or be compared. Who was assigned before keeps the variant; others get theirs by the hash of the id that the
        request recognised them by, and the record of the decision makes it last.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        trial = world.launches.get(request.placement)
        needed = world.purposes.measure | world.purposes.personalize
        if trial is None or person is None or person.person is None or person.purposes & needed != needed:
            return None
        if request.context.is_bot:
            return None
        with self._store.read() as session:
            held = assignments.variant_of(session, person.person, trial.name)
        variant = held or trial.variant_of(ids[0].value)
        return None if variant is None else Assigned(trial.name, variant)

    def end_launch(self, experiment: str) -> bool:
        """Marks a launch as decided, so that only its holdout stays on the control; False for any other experiment."""
        placement, _, kind = experiment.rpartition("-")
        if kind != "launch":
            return False
        with self._store.write() as tx:
            tx.lock_keys([f"setting:{LAUNCHES}"])
            decided = decided_launches(tx) | {placement}
            records.put_setting(tx, LAUNCHES, msgspec.json.encode(sorted(decided)))
            records.bump(tx, LAUNCHES)
        return True


def decided_launches(session: Session) -> frozenset[str]:
    """Returns the placements whose launch has its answer."""
    raw = records.setting(session, LAUNCHES)
    return frozenset(msgspec.json.decode(raw, type=list[str])) if raw else frozenset()
