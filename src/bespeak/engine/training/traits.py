"""What people told of themselves, as training may use it.

A trait counts while the event that set it is in the log, came in with `improve` granted, and neither that nor the
purpose of its class is refused now. Its value is read from the profile, so what a person corrected or withdrew is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from bespeak.engine.core import Core
from bespeak.engine.folding.live import live_profiles
from bespeak.engine.logged.granted import Grants
from bespeak.engine.people_view import trait_words
from bespeak.models.base import PersonTraits
from bespeak.signals.catalogue import TRAIT_CLASS, TRAIT_SIGNAL
from bespeak.storage.tables import people

COLUMNS = ("person_id", "time_ms", "received_ms", "signal", "purposes", "is_bot")
WHERE = f"signal_class = '{TRAIT_CLASS}'"
"""The rows of the lake that tell which event set a trait."""

_PROFILES_AT_ONCE = 1_000


def told_traits(
    core: Core, table: pa.Table, person: np.ndarray[Any, Any], keep: np.ndarray[Any, Any], user_ids: Sequence[str]
) -> PersonTraits | None:
    """Returns the traits of people of the training data; None when nobody has any.

    Args:
        core: the project.
        table: rows of the lake `WHERE` they tell of traits.
        person: int64[n], the root person of each row.
        keep: bool[n], rows that may be used.
        user_ids: the people of the training data.
    """
    signals = core.config.signals
    with core.store.read() as session:
        grants = Grants.read(session, signals.classes[TRAIT_CLASS].purpose)
    wanted = np.fromiter(map(int, user_ids), np.int64, count=len(user_ids))
    rows = np.flatnonzero(keep & np.isin(person, wanted) & grants.allow(person))
    columns = [table.column(name).take(pa.array(rows)).to_pylist() for name in ("signal", "time_ms", "received_ms")]
    events: dict[int, set[tuple[str, int, int]]] = {}
    for who, signal, time_ms, received_ms in zip(person[rows].tolist(), *columns, strict=True):
        events.setdefault(who, set()).add((signal.removeprefix(TRAIT_SIGNAL), time_ms, received_ms))
    found: dict[str, dict[str, str]] = {}
    asked = sorted(events)
    for start in range(0, len(asked), _PROFILES_AT_ONCE):
        with core.store.read() as session:
            rows_now = people.profiles(session, asked[start : start + _PROFILES_AT_ONCE]).values()
            profiles = live_profiles(session, rows_now, core.runtime.observer)
        for who, profile in profiles.items():
            held = {
                name: trait
                for name, trait in profile.traits.items()
                if (name, trait.time_ms, trait.received_ms) in events[who]
            }
            found[str(who)] = trait_words(signals, held)
    names = sorted({name for traits in found.values() for name in traits})
    if not names:
        return None
    columns_of = {name: [(found[who][name],) if name in found[who] else () for who in found] for name in names}
    return PersonTraits(tuple(found), columns_of)
