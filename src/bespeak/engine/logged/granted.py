"""Which rows a purpose may use: those for which it held when they came in, of people who do not refuse it now.

Bots are left out. Rows stand under the root that their person was merged into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bespeak.engine.core import Core
from bespeak.signals.purposes import IMPROVE
from bespeak.storage.base import Session
from bespeak.storage.tables import people

Bools: TypeAlias = npt.NDArray[np.bool_]
Int64s: TypeAlias = npt.NDArray[np.int64]

GRANT_COLUMNS = ("person_id", "time_ms", "purposes", "is_bot")
"""Of the signals in the lake: what `granted_rows` looks at."""


@dataclass(frozen=True, slots=True, eq=False)
class Grants:
    """Who was joined into whom, and who refuses, at one moment.

    Attributes:
        roots: absorbed person -> root; whoever is not in it stands for themselves.
        refusing: roots who refuse any of the purposes now.
    """

    roots: Mapping[int, int]
    refusing: frozenset[int]

    @classmethod
    def read(cls, session: Session, *purposes: str) -> Self:
        """Reads the last word of everybody on each of the purposes."""
        refusing = frozenset(person for name in purposes for person in people.refusing(session, name))
        return cls(people.roots(session), refusing)

    def root_of(self, person: int) -> int:
        """Whom a person was joined into."""
        return self.roots.get(person, person)

    def roots_of(self, person: Int64s) -> Int64s:
        """int64[n]: whom each was joined into."""
        if not self.roots:
            return person
        absorbed = np.array(sorted(self.roots), np.int64)
        target = np.array([self.roots[p] for p in absorbed.tolist()], np.int64)
        place = np.minimum(np.searchsorted(absorbed, person), len(absorbed) - 1)
        return np.where(absorbed[place] == person, target[place], person)

    def allow(self, root: Int64s) -> Bools:
        """bool[n]: which of these roots do not refuse."""
        return ~np.isin(root, np.array(sorted(self.refusing), np.int64))


def granted_rows(
    core: Core, table: pa.Table, as_of_ms: int | None = None, purpose: str = IMPROVE
) -> tuple[Int64s, Bools]:
    """Returns (the root person of each row, which rows may be used).

    Args:
        core: the open project.
        table: with `GRANT_COLUMNS`.
        as_of_ms: leave out what happened later.
        purpose: what the rows are used for.
    """
    columns = table.column("person_id").to_numpy(), table.column("purposes").to_numpy()
    person, keep = granted_people(core, *columns, purpose)
    keep &= ~table.column("is_bot").to_numpy().astype(bool)
    if as_of_ms is not None:
        keep &= table.column("time_ms").to_numpy() <= as_of_ms
    return person, keep


def granted_people(core: Core, person: Int64s, purposes: Int64s, purpose: str = IMPROVE) -> tuple[Int64s, Bools]:
    """Returns (the root of each person, where the purpose held then and is not refused now).

    Args:
        core: the open project.
        person: int64[n], surrogate ids.
        purposes: int64[n], the mask that held at each row's time.
        purpose: what the rows are used for.
    """
    with core.store.read() as session:
        grants = Grants.read(session, purpose)
    root = grants.roots_of(person)
    return root, grants.allow(root) & ((purposes & core.config.purposes.bit(purpose)) != 0)
