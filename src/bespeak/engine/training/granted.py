"""Which rows of the lake training may use: those whose purpose `improve` held when they came in and is not refused now.

Bots are left out. Rows stand under the root that their person was merged into.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bespeak.engine.core import Core
from bespeak.storage import people

Bools: TypeAlias = npt.NDArray[np.bool_]
Int64s: TypeAlias = npt.NDArray[np.int64]

PURPOSE = "improve"


def granted_rows(core: Core, table: pa.Table, as_of_ms: int | None = None) -> tuple[Int64s, Bools]:
    """Returns (the root person of each row, which rows may be used).

    Args:
        core: the open project.
        table: with the columns person_id, purposes, is_bot and time_ms.
        as_of_ms: leave out what happened later.
    """
    person, keep = granted_people(core, table.column("person_id").to_numpy(), table.column("purposes").to_numpy())
    keep &= ~table.column("is_bot").to_numpy().astype(bool)
    if as_of_ms is not None:
        keep &= table.column("time_ms").to_numpy() <= as_of_ms
    return person, keep


def granted_people(core: Core, person: Int64s, purposes: Int64s) -> tuple[Int64s, Bools]:
    """Returns (the root of each person, where `improve` held then and is not refused now).

    Args:
        core: the open project.
        person: int64[n], surrogate ids.
        purposes: int64[n], the mask that held at each row's time.
    """
    with core.store.read() as session:
        roots = people.roots(session)
        refused = people.refusing(session, PURPOSE)
    root = person.copy()
    if roots:
        absorbed = np.array(sorted(roots), np.int64)
        target = np.array([roots[p] for p in absorbed.tolist()], np.int64)
        place = np.minimum(np.searchsorted(absorbed, person), len(absorbed) - 1)
        root = np.where(absorbed[place] == person, target[place], person)
    keep = ~np.isin(root, np.array(sorted(refused), np.int64))
    return root, keep & ((purposes & core.config.purposes.improve) != 0)
