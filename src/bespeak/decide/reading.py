"""What one person's profile says in one world at one moment, worked out once: the rows of a page share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.counters import DAY_MS
from bespeak.decide.person import PersonView
from bespeak.decide.serving.model_scores import ModelScores
from bespeak.decide.serving.question import Past
from bespeak.decide.world import World
from bespeak.models.neighbours.bought_together import BoughtTogether

Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Float32s: TypeAlias = npt.NDArray[np.float32]
Float64s: TypeAlias = npt.NDArray[np.float64]

SESSION_HALF_LIFE_HOURS = 2.0
SESSION_HOURS = 12.0
HOUR_MS = 3_600_000
N_ANCHORS = 5
BOUGHT_TOGETHER = BoughtTogether.name
"""Only its table is read, for what goes with a cart: what was bought with what says less of what a person likes."""
_NEVER = np.iinfo(np.int64).max
_Made = TypeVar("_Made")


@dataclass(frozen=True, eq=False)
class Known:
    """What the person brings, in catalogue indices. All empty when nothing personal may be read.

    Attributes:
        touched, weights, times_ms: the history for the models, oldest first.
        session: int32, catalogue items of the latest steps, ascending in time; `session_classes` their classes,
            `session_strengths` float64, class weight times strength, halving every `SESSION_HALF_LIFE_HOURS`.
        anchors: int32, the latest distinct items they turned to, newest first.
        cart: int32.
    """

    touched: Int32s
    weights: Float32s
    times_ms: Int64s
    session: Int32s
    session_classes: tuple[str, ...]
    session_strengths: Float64s
    anchors: Int32s
    cart: Int32s

    @classmethod
    def of(cls, person: PersonView | None, world: World, now_ms: int) -> Known:
        """Resolves a person's items; those that the catalogue does not have are left out."""
        if person is None:
            nothing, none = np.zeros(0, np.int32), np.zeros(0)
            return cls(nothing, none.astype(np.float32), none.astype(np.int64), nothing, (), none, nothing, nothing)
        find = world.catalogue.index.get
        ids, weights, times = person.history
        touched = np.array([find(item_id, -1) for item_id in ids], np.int32)
        known = touched >= 0
        steps: list[tuple[int, str, float]] = []
        anchors: list[int] = []
        for step in reversed(person.recent):
            index, signal_class = find(step.item_id), world.classes.get(step.signal_class)
            if index is None or signal_class is None or step.time_ms > now_ms + HOUR_MS:
                continue
            pull = signal_class.prior_weight * step.strength
            if pull > 0 and index not in anchors and len(anchors) < N_ANCHORS:
                anchors.append(index)
            age_hours = max(now_ms - step.time_ms, 0) / HOUR_MS
            if age_hours <= SESSION_HOURS and pull:
                steps.append((index, step.signal_class, pull * 0.5 ** (age_hours / SESSION_HALF_LIFE_HOURS)))
            elif len(anchors) == N_ANCHORS:
                break
        return cls(
            touched[known],
            np.asarray(weights, np.float32)[known],
            np.asarray(times, np.int64)[known],
            np.array([index for index, _, _ in steps], np.int32),
            tuple(name for _, name, _ in steps),
            np.array([pull for _, _, pull in steps], np.float64),
            np.array(anchors, np.int32),
            world.catalogue.positions(person.cart),
        )


@dataclass(frozen=True, eq=False)
class Touched:
    """Everything the person touched that the catalogue has: one entry per item and class.

    Attributes:
        rows: int32[t], catalogue indices.
        classes: int32[t], indices into `names`.
        counts: float64[t], how many signals, unfaded.
        last_ms: int64[t], the latest of them.
        names: the classes.
    """

    rows: Int32s
    classes: Int32s
    counts: Float64s
    last_ms: Int64s
    names: tuple[str, ...]

    @classmethod
    def of(cls, person: PersonView | None, world: World) -> Touched:
        """Reads a person's items and latest steps once; both, because a full profile lets old items go."""
        codes: dict[str, int] = {}
        entries: list[tuple[int, int, int, int]] = []
        if person is not None:
            find = world.catalogue.index.get
            for item_id, touches in person.items.items():
                row = find(item_id)
                if row is not None:
                    for name, touch in touches.items():
                        entries.append((row, codes.setdefault(name, len(codes)), touch.count, touch.last_ms))
            entries.extend(
                (row, codes.setdefault(step.signal_class, len(codes)), 1, step.time_ms)
                for step in person.recent
                if step.item_id not in person.items and (row := find(step.item_id)) is not None
            )
        table = np.fromiter(chain.from_iterable(entries), np.int64, 4 * len(entries)).reshape(len(entries), 4)
        return cls(
            table[:, 0].astype(np.int32),
            table[:, 1].astype(np.int32),
            table[:, 2].astype(np.float64),
            table[:, 3],
            tuple(codes),
        )

    def within(self, days_of: Mapping[str, float], now_ms: int) -> Int32s:
        """int32: the items touched in one of these classes within that class's days."""
        span = [days_of.get(name, -1.0) for name in self.names]
        oldest = np.array([now_ms - int(days * DAY_MS) if days >= 0 else _NEVER for days in span], np.int64)
        return self.rows[self.last_ms >= oldest[self.classes]] if len(self.rows) else self.rows


@dataclass(frozen=True, eq=False)
class Reading:
    """One person in one world at one moment.

    Attributes:
        person: None whenever nothing personal may be read.
        known, touched: their items, in catalogue indices.
    """

    person: PersonView | None
    world: World
    now_ms: int
    known: Known
    touched: Touched
    _memo: dict[object, object] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, person: PersonView | None, world: World, now_ms: int) -> Self:
        """Resolves a person."""
        return cls(person, world, now_ms, Known.of(person, world, now_ms), Touched.of(person, world))

    @cached_property
    def past(self) -> Past:
        """The history as the models are asked about it; they share what they work out of it."""
        traits = self.person.traits if self.person is not None else {}
        return Past(self.known.touched, self.known.weights, self.known.times_ms, self.now_ms, traits)

    @cached_property
    def model_scores(self) -> ModelScores:
        """Model -> float32[n] as `MappedModel.scores` scales them; one that reads nothing that is known is left out."""
        return ModelScores(
            [
                model
                for model in self.world.models.models
                if (len(self.known.touched) or not model.is_personal or model.reads(self.past.traits))
                and model.name != BOUGHT_TOGETHER
            ],
            self.past,
        )

    @cached_property
    def shown(self) -> Mapping[int, tuple[int, ...]]:
        """Catalogue index -> when the person was shown the item lately, ascending, in ms."""
        if self.person is None:
            return {}
        find = self.world.catalogue.index.get
        found = {find(item_id, -1): times_ms for item_id, times_ms in self.person.shown.items()}
        found.pop(-1, None)
        return found

    def once(self, key: object, make: Callable[[], _Made]) -> _Made:
        """What `make` gave when it was first asked under this key; who asks owns the key."""
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]  # type: ignore[return-value]
