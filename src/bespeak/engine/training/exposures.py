"""What a placement showed and what came of it: decision records and exposures joined with later signals.

Features, position, propensity and score are those of the record: nothing is computed again. A row is used where its
person granted `improve` then and does not refuse it now. Outcomes count within the placement's attribution window. What
was shown so lately that the window is still open is left out, whatever came of it: no outcome yet is no answer.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.launch import CONTROL
from bespeak.decide.rankers.forest import TREES
from bespeak.decide.scoring.adjust import BOOST, ROTATION
from bespeak.decide.settings.placements import Placement
from bespeak.engine.core import Core
from bespeak.engine.logged.granted import granted_people
from bespeak.engine.logged.outcomes import Outcomes
from bespeak.learn.rankers.shown import ShownItems, no_rows
from bespeak.learn.rankers.weights import MIN_REWARDED
from bespeak.signals.decisions import Decision, ShownItem
from bespeak.signals.purposes import IMPROVE
from bespeak.storage.tables import records

Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]

MOST_ROWS, MOST_VALUES = 100_000, 10_000_000
"""The latest so many shown items, and values of their signals, are read; more would hardly move the weights."""

CLICKED = {"click": 1.0}
TURNED_TO = {"click": 1.0, "view": 1.0, "read": 1.0, "play": 1.0, "cart": 1.0, "purchase": 1.0}
"""What counts where a placement says nothing: clicks; where a site sends too few, whatever turns to the item."""

DAY_MS = 86_400_000
_PAGE = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class Exposed:
    """The rows of a placement.

    Attributes:
        shown: the rows.
        are_seen: rows are what exposure events named; else what was decided, for none were reported.
        n_open: rows left out because their attribution window is still open.
        item_ids: what the codes in `shown.items` stand for.
        worth: signal class -> what it counts for in the rewards.
    """

    shown: ShownItems
    are_seen: bool
    n_open: int
    item_ids: tuple[str, ...] = ()
    worth: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Columns:
    """Rows while they are read, the latest decision first."""

    names: dict[str, int] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)
    starts: array[int] = field(default_factory=lambda: array("q", [0]))
    places: array[int] = field(default_factory=lambda: array("i"))
    values: array[float] = field(default_factory=lambda: array("d"))
    rows: list[tuple[int, int, int, int, int, int, int, float, float]] = field(default_factory=list)
    n_decisions: int = 0

    def add(self, decision: Decision, shown: Sequence[ShownItem]) -> None:
        """Adds the items of one decision."""
        device = self.devices.setdefault(str(decision.context.get("device", "")), len(self.devices))
        assert decision.person is not None
        for item in shown:
            for name, value in item.features.items():
                if name in (TREES, ROTATION) or name.startswith(BOOST):
                    continue  # what was added to the score, not what it was made of
                self.places.append(self.names.setdefault(name, len(self.names)))
                self.values.append(value)
            self.starts.append(len(self.places))
            code = self.items.setdefault(item.item_id, len(self.items))
            self.rows.append(
                (self.n_decisions, decision.person, code, item.position, device, decision.time_ms, decision.purposes,
                 item.propensity, item.score)
            )  # fmt: skip
        self.n_decisions += 1

    def matrix(self) -> Float64s:
        """float64[n, f]."""
        found = np.zeros((len(self.rows), len(self.names)))
        row = np.repeat(np.arange(len(self.rows)), np.diff(np.array(self.starts)))
        found[row, np.array(self.places, np.int64)] = np.array(self.values)
        return found


def exposed_items(core: Core, name: str, placement: Placement, now_ms: int) -> Exposed:
    """Returns the latest rows of a placement, up to `MOST_ROWS`, whose attribution window is closed.

    Args:
        core: the open project, its lake up to date.
        name: of the placement.
        placement: its settings.
        now_ms: outcomes are known up to here.
    """
    window_ms = int(placement.attribution_days * DAY_MS)
    are_seen = _has_exposures(core, name)
    columns, n_open = _Columns(), 0
    for decision, shown in _decided(core, name, are_seen=are_seen):
        if decision.time_ms + window_ms > now_ms:
            n_open += len(shown)
        elif len(columns.rows) < MOST_ROWS and len(columns.rows) * len(columns.names) < MOST_VALUES:
            columns.add(decision, shown)
        else:
            break
    if not columns.rows:
        return Exposed(no_rows(), are_seen, n_open)
    ids = np.array([row[:7] for row in columns.rows], np.int64)
    person, keep = granted_people(core, ids[:, 1], ids[:, 6])
    rates = np.array([row[7:] for row in columns.rows])
    outcomes = Outcomes.read(core, columns.items, IMPROVE, int(ids[:, 5].min()), now_ms)
    worth = placement.objective or CLICKED
    rewards = outcomes.rewards(worth, person, ids[:, 2], ids[:, 5], window_ms)
    if not placement.objective and np.count_nonzero(rewards) < MIN_REWARDED:
        worth = TURNED_TO
        rewards = outcomes.rewards(worth, person, ids[:, 2], ids[:, 5], window_ms)
    shown_items = ShownItems(
        names=tuple(columns.names),
        values=columns.matrix(),
        rewards=rewards,
        decisions=columns.n_decisions - 1 - ids[:, 0],
        people=person,
        items=ids[:, 2].astype(np.int32),
        positions=ids[:, 3].astype(np.int32),
        devices=ids[:, 4].astype(np.int32),
        device_names=tuple(columns.devices),
        propensities=rates[:, 0],
        scores=rates[:, 1],
        times_ms=ids[:, 5],
    )
    order = np.lexsort((shown_items.positions, shown_items.decisions))
    return Exposed(shown_items.select(order[keep[order]]), are_seen, n_open, tuple(columns.items), worth)


def _has_exposures(core: Core, name: str) -> bool:
    """Whether anything that the placement showed lately was reported as seen."""
    with core.store.read() as session:
        page = records.placement_page(session, name, None, _PAGE)
        return bool(records.exposed(session, [decision.decision_id for decision in page]))


def _decided(core: Core, name: str, *, are_seen: bool) -> Iterator[tuple[Decision, list[ShownItem]]]:
    """Decisions that read a known person's profile, the latest first, with the items that count as shown."""
    last: tuple[int, str] | None = None
    improve = core.config.purposes.improve
    while True:
        with core.store.read() as session:
            page = records.placement_page(session, name, last, _PAGE)
            seen = records.exposed(session, [decision.decision_id for decision in page]) if are_seen else {}
        if not page:
            return
        last = page[-1].time_ms, page[-1].decision_id
        for decision in page:
            is_control = decision.experiment is not None and decision.experiment.get("variant") == CONTROL
            if decision.person is None or is_control or decision.context.get("is_bot"):
                continue
            if decision.mode != "profiled" or not decision.purposes & improve:
                continue
            held = seen.get(decision.decision_id, set())
            # A slate of another system has no features: it says nothing of what they are worth.
            shown = [item for item in decision.items if item.features and (not are_seen or item.item_id in held)]
            if shown:
                yield decision, shown
