"""Who is compared in an experiment, as columns: by the variant they were first assigned to, whatever they saw later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bespeak.engine.core import Core
from bespeak.engine.logged.granted import Grants
from bespeak.measure.comparison import Comparison, compare
from bespeak.measure.sums import Sums
from bespeak.signals.purposes import MEASURE, PERSONALIZE
from bespeak.storage.base import Session
from bespeak.storage.lake.sums import MEMBERS
from bespeak.storage.tables import assignments, memberships
from bespeak.storage.tables.log import DAY_MS

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DIFFERS_BELOW = 0.05
NEWCOMER, MIXED = "is_new", "is_mixed"
"""Parts of the units: first seen within the day before their assignment; persons of several variants who became one."""


@dataclass(frozen=True, eq=False)
class Units:
    """The people of one experiment.

    Attributes:
        person: int64[n], ascending.
        arm: int64[n], place of the variant; -1 for one that the file has no more.
        start_ms: int64[n], when they were first assigned.
        may_measure: bool[n], whether they still agree to being measured: who is compared.
        withdrew: bool[n], whether they refuse to be measured or to be personalized to now; everybody agreed to both.
        parts: name -> int64[n], 1 for those who are in, 0 for the others.
        absorbed: (person, root) of persons who were joined into one of these.
    """

    person: Int64s
    arm: Int64s
    start_ms: Int64s
    may_measure: Bools
    withdrew: Bools
    parts: Mapping[str, Int64s]
    absorbed: Sequence[tuple[int, int]]

    @classmethod
    def read(cls, core: Core, experiment: str, variants: Sequence[str], segments: Sequence[str]) -> Units:
        """Reads who was assigned so far; whoever waits to be written is counted too."""
        core.drain()
        with core.store.read() as session:
            rows = assignments.units(session, experiment)
            grants, both = Grants.read(session, MEASURE), Grants.read(session, MEASURE, PERSONALIZE)
            columns = list(zip(*rows, strict=True)) if rows else [()] * 5
            person, start_ms = np.array(columns[0], np.int64), np.array(columns[2], np.int64)
            members = {name: _members_at(session, name, person, start_ms, grants) for name in segments}
        place: dict[object, int] = {name: number for number, name in enumerate(variants)}
        created_ms = np.array(columns[4], np.int64)
        parts = {
            NEWCOMER: (start_ms - created_ms < DAY_MS).astype(np.int64),
            MIXED: np.array(columns[3], np.int64),
            **{f"segment_{number}": members[name] for number, name in enumerate(segments)},
        }
        held = set(person.tolist())
        return cls(
            person=person,
            arm=np.array([place.get(variant, -1) for variant in columns[1]], np.int64),
            start_ms=start_ms,
            may_measure=grants.allow(person),
            withdrew=~both.allow(person),
            parts=parts,
            absorbed=[(person, root) for person, root in grants.roots.items() if root in held],
        )

    def counts(self, n_arms: int) -> Int64s:
        """int64[n_arms]: everybody who was assigned."""
        return np.bincount(self.arm[self.arm >= 0], minlength=n_arms)

    def compared(self, happened: Bools, control: int, arm: int) -> Comparison | None:
        """A share of everybody assigned, in one arm beside the control; None where one of them holds fewer than two."""
        groups = [happened[self.arm == place] for place in (control, arm)]
        if min(len(group) for group in groups) < 2:
            return None
        sums = [Sums.of(group.astype(np.float64)) for group in groups]
        return compare(*sums, is_proportion=True, is_sequential=True)

    def differ(self, happened: Bools, control: int, arm: int) -> bool:
        """Whether so many more of one arm are such people that it is no chance."""
        found = self.compared(happened, control, arm)
        return found is not None and found.p_value is not None and found.p_value < DIFFERS_BELOW

    def unequal_withdrawals(self, variants: Sequence[str], control: int, arm: int) -> list[str]:
        """A warning where people of the two withdrew their consent at different rates; else nothing."""
        if not self.differ(self.withdrew, control, arm):
            return []
        shares = ", ".join(
            f"{self.withdrew[self.arm == place].mean():.1%} of {variants[place]}" for place in (control, arm)
        )
        return [f"Watch out: people withdrew their consent at different rates ({shares})."]

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """The tables of `storage.lake.sums`: whose rows count for whom, and the units that are compared."""
        keep = self.may_measure & (self.arm >= 0)
        person, start_ms = self.person[keep], self.start_ms[keep]
        starts = dict(zip(person.tolist(), start_ms.tolist(), strict=True)) if self.absorbed else {}
        joined = [(absorbed, root, starts[root]) for absorbed, root in self.absorbed if root in starts]
        more = list(zip(*joined, strict=True)) if joined else [(), (), ()]
        members = pa.table(
            [
                np.concatenate([own, np.array(column, np.int64)])
                for own, column in zip((person, person, start_ms), more, strict=True)
            ],
            schema=MEMBERS,
        )
        parts = {name: column[keep] for name, column in self.parts.items()}
        return members, pa.table({"unit": person, "start_ms": start_ms, "arm": self.arm[keep], **parts})


def _members_at(session: Session, segment: str, person: Int64s, start_ms: Int64s, grants: Grants) -> Int64s:
    """1 for whoever was in a segment when they were assigned: what came of the variant is no part of it."""
    is_in = np.zeros(len(person), np.int64)
    moves = memberships.moves_into(session, segment)
    if not moves or not len(person):
        return is_in
    mover, time_ms, is_member = (np.array(column, np.int64) for column in zip(*moves, strict=True))
    root = grants.roots_of(mover)
    at = np.minimum(np.searchsorted(person, root), len(person) - 1)
    counts = (person[at] == root) & (time_ms <= start_ms[at])
    is_in[at[counts]] = is_member[counts]  # moves are in the order of time: of one person's the last stays
    return is_in
