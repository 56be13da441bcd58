"""What a placement showed and what came of it: decision records and exposures joined with later signals.

Features, position, propensity and score are those of the record: nothing is computed again. A row is used where its
person granted `improve` then and does not refuse it now. An outcome counts for the latest time that its item was shown
to its person before it, within the placement's attribution window. What was shown so lately that the window is still
open is left out, whatever came of it: no outcome yet is no answer.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.launch import CONTROL
from bespeak.decide.scoring.adjust import BOOST, ROTATION
from bespeak.decide.scoring.forest import TREES
from bespeak.decide.settings.placements import Placement
from bespeak.engine.core import Core
from bespeak.engine.training.granted import granted_people, granted_rows
from bespeak.learn.rankers.shown import ShownItems, no_rows
from bespeak.learn.rankers.weights import MIN_REWARDED
from bespeak.measure.ranks import share_at_most
from bespeak.rules.columns import NumberColumn
from bespeak.signals.decisions import Decision, ShownItem
from bespeak.storage import records

Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]

MOST_ROWS, MOST_VALUES = 100_000, 10_000_000
"""The latest so many shown items, and values of their signals, are read; more would hardly move the weights."""

CLICKED = {"click": 1.0}
TURNED_TO = {"click": 1.0, "view": 1.0, "read": 1.0, "play": 1.0, "cart": 1.0, "purchase": 1.0}
"""What counts where a placement says nothing: clicks; where a site sends too few, whatever turns to the item."""

WATCH = "watch"
DURATIONS = ("duration", "duration_seconds", "duration_minutes", "minutes", "runtime", "length")
"""Numbers of an item that say how long it runs, the first that the catalogue has."""

N_BANDS = 10
DAY_MS = 86_400_000
_PAGE = 2_000
_COLUMNS = ("person_id", "time_ms", "signal_class", "strength", "item_id", "purposes", "is_bot")


@dataclass(frozen=True, slots=True, eq=False)
class Exposed:
    """The rows of a placement.

    Attributes:
        shown: the rows.
        are_seen: rows are what exposure events named; else what was decided, for none were reported.
        n_open: rows left out because their attribution window is still open.
        item_ids: what the codes in `shown.items` stand for.
    """

    shown: ShownItems
    are_seen: bool
    n_open: int
    item_ids: tuple[str, ...] = ()


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
    outcomes = _Outcomes.read(core, columns.items, int(ids[:, 5].min()), now_ms)
    rewards = outcomes.rewards(placement.objective or CLICKED, person, ids[:, 2], ids[:, 5], window_ms)
    if not placement.objective and np.count_nonzero(rewards) < MIN_REWARDED:
        rewards = outcomes.rewards(TURNED_TO, person, ids[:, 2], ids[:, 5], window_ms)
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
    return Exposed(shown_items.select(order[keep[order]]), are_seen, n_open, tuple(columns.items))


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
            if decision.mode not in ("profiled", "anonymous") or not decision.purposes & improve:
                continue
            held = seen.get(decision.decision_id, set())
            # A slate of another system has no features: it says nothing of what they are worth.
            shown = [item for item in decision.items if item.features and (not are_seen or item.item_id in held)]
            if shown:
                yield decision, shown


@dataclass(frozen=True, slots=True, eq=False)
class _Outcomes:
    """What people did with items that were shown, one row each.

    Attributes:
        people, items, times_ms: int64[m].
        classes: int64[m] into `names`, signal classes.
        shares: float64[m], 0..1: 1, or of `watch` the share that was watched as `watched_share` ranks it.
    """

    people: Int64s
    items: Int64s
    times_ms: Int64s
    classes: Int64s
    names: tuple[str, ...]
    shares: Float64s

    @classmethod
    def read(cls, core: Core, items: Mapping[str, int], start_ms: int, now_ms: int) -> _Outcomes:
        """Reads the signals about these items (id -> code) that training may use."""
        table = core.lake.read("signals", _COLUMNS, "item_id IS NOT NULL AND strength > 0", start_ms=start_ms)
        person, keep = granted_rows(core, table, now_ms)
        classes = table.column("signal_class").combine_chunks().dictionary_encode()
        ids = table.column("item_id").combine_chunks().dictionary_encode()
        places = ids.indices.to_numpy()
        code = np.array([items.get(i, -1) for i in ids.dictionary.to_pylist()] or [-1], np.int64)[places]
        chosen = np.flatnonzero(keep & (code >= 0))
        names, kind = tuple(classes.dictionary.to_pylist()), classes.indices.to_numpy()[chosen].astype(np.int64)
        shares = np.ones(len(chosen))
        watched = np.flatnonzero(kind == names.index(WATCH)) if WATCH in names else kind[:0]
        if len(watched):
            running = _running(core.world.catalogue, ids.dictionary.to_pylist())[places[chosen[watched]]]
            shares[watched] = watched_share(table.column("strength").to_numpy()[chosen[watched]], running)
        return cls(person[chosen], code[chosen], table.column("time_ms").to_numpy()[chosen], kind, names, shares)

    def rewards(
        self, worth: Mapping[str, float], people: Int64s, items: Int64s, times_ms: Int64s, window_ms: int
    ) -> Float64s:
        """float64[n], 0..1: the most that came of each shown row, as a share of the largest worth.

        Args:
            worth: signal class -> what it is worth.
            people, items, times_ms: int64[n], the rows.
            window_ms: how long after a row its outcomes count.
        """
        of_class = np.array([worth.get(name, 0.0) for name in self.names] or [0.0]) / max(worth.values())
        counts = np.flatnonzero(of_class[self.classes] > 0)
        place = latest_shown(
            people, items, times_ms, self.people[counts], self.items[counts], self.times_ms[counts], window_ms
        )
        value = of_class[self.classes[counts]] * self.shares[counts]
        rewards = np.zeros(len(people))
        np.maximum.at(rewards, place[place >= 0], value[place >= 0])
        return rewards


def latest_shown(
    people: Int64s, items: Int64s, times_ms: Int64s, who: Int64s, what: Int64s, when_ms: Int64s, window_ms: int
) -> Int64s:
    """int64[m]: for each outcome the row that showed the item to the person last before it, -1 for none in the window.

    Args:
        people, items, times_ms: int64[n], the rows.
        who, what, when_ms: int64[m], the outcomes.
        window_ms: how long after a row its outcomes count.

    Example:
        >>> one = np.ones(2, np.int64)
        >>> rows = np.array([10, 20])
        >>> latest_shown(one, one, rows, np.ones(3, np.int64), np.ones(3, np.int64), np.array([9, 15, 90]), 50).tolist()
        [-1, 0, -1]
    """
    n = len(people)
    pairs = np.unique(np.stack([np.append(people, who), np.append(items, what)]), axis=1, return_inverse=True)[1]
    pairs = np.asarray(pairs).reshape(-1)
    begin = int(min(times_ms.min(initial=0), when_ms.min(initial=0)))
    span = int(max(times_ms.max(initial=0), when_ms.max(initial=0))) - begin + 1
    shown, asked = pairs[:n] * span + times_ms - begin, pairs[n:] * span + when_ms - begin
    order = np.argsort(shown, kind="stable")
    before = np.searchsorted(shown[order], asked, side="right") - 1
    place = order[np.maximum(before, 0)]
    is_in_time = (before >= 0) & (pairs[place] == pairs[n:]) & (when_ms - times_ms[place] <= window_ms)
    return np.where(is_in_time, place, -1).astype(np.int64)


def watched_share(strengths: Float64s, running: Float64s) -> Float64s:
    """float64[n], above 0 and at most 1: each watched share ranked among those of items that run about as long.

    Long items are watched to a smaller part than short ones; a rank within tenths of duration says how much somebody
    watched beside what people usually watch (Zhan et al., "Deconfounding duration bias in watch-time prediction",
    2022).

    Args:
        strengths: float64[n], what was watched.
        running: float64[n], how long the item runs; NaN where that is unknown.

    Example:
        >>> watched_share(np.array([0.2, 0.9, 0.1, 0.3]), np.array([10.0, 10.0, 90.0, 90.0])).tolist()
        [0.5, 1.0, 0.5, 1.0]
    """
    known = np.nan_to_num(running, nan=-1.0)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, N_BANDS + 1)[1:-1])) if len(known) else known
    band = np.searchsorted(edges, known, side="left")
    shares = np.ones(len(strengths))
    for one in np.unique(band):
        inside = np.flatnonzero(band == one)
        shares[inside] = share_at_most(strengths[inside])
    return shares


def _running(catalogue: CatalogueSnapshot, item_ids: Sequence[str]) -> Float64s:
    """float64[n]: how long items run, NaN where that is unknown."""
    columns = [catalogue.columns.get(name) for name in DURATIONS]
    found = next((column for column in columns if isinstance(column, NumberColumn)), None)
    places = [catalogue.index.get(item_id, -1) for item_id in item_ids]
    if found is None:
        return np.full(len(places), np.nan)
    return np.array([found.values[place] if place >= 0 else np.nan for place in places], np.float64)
