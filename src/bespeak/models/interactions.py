"""What models learn from and what they answer for: arrays and ids, nothing of stores or settings.

    Interactions   who did what with which item, when and how strongly: the ordered history and its matrices
    History        what one live person brings at serve time
    PersonTraits   what is known of people besides what they did
    ItemContent    the texts, attributes and numbers of items

Weights are signed: a positive weight says interest, a negative one dislike. Per person and item the weights are summed;
positive sums stand in `Interactions.matrix`, negative ones (as positive numbers) in `Interactions.dislikes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from bespeak.errors import InvalidInput

Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Float32s: TypeAlias = npt.NDArray[np.float32]
Float64s: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Csr: TypeAlias = Any  # scipy.sparse.csr_array; SciPy ships no types
Traits: TypeAlias = Mapping[str, Sequence[str]]
"""Trait name -> values, such as `{"country": ["DE"]}`. A name without values is the same as no name."""

NO_TRAITS: Traits = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What a person brings at serve time, oldest event first. An empty history is a person about whom nothing is known.

    Attributes:
        items: int32[h], indices into the model's `item_ids`; indices outside of it are ignored by every model.
        weights: float32[h], negative for a dislike.
        times_ms: int64[h], milliseconds since 1970 UTC, ascending.
        traits: what is known besides. Models that do not read traits see a history without items as an empty one.
    """

    items: Int32s
    weights: Float32s
    times_ms: Int64s
    traits: Traits = field(default_factory=lambda: NO_TRAITS)

    @classmethod
    def of(
        cls,
        items: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        times_ms: npt.ArrayLike | None = None,
        traits: Traits = NO_TRAITS,
    ) -> History:
        """Builds a history from lists in any order; sorts by time, ties keep their order.

        Raises:
            InvalidInput: the lists differ in length, or a weight is not a finite number.

        Example:
            >>> History.of([4, 2], times_ms=[20, 10]).items.tolist()
            [2, 4]
        """
        index = np.asarray(items, np.int32).reshape(-1)
        strengths = np.ones(len(index), np.float32) if weights is None else np.asarray(weights, np.float32).reshape(-1)
        times = np.zeros(len(index), np.int64) if times_ms is None else np.asarray(times_ms, np.int64).reshape(-1)
        _require_same_length(items=index, weights=strengths, times_ms=times)
        _require_finite(strengths)
        order = np.argsort(times, kind="stable")
        return cls(index[order], strengths[order], times[order], traits)

    @classmethod
    def empty(cls, traits: Traits = NO_TRAITS) -> History:
        """The history of a person who did nothing yet; without traits nothing is known of them at all."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.int64), traits)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, eq=False)
class PersonTraits:
    """What is known of people besides what they did.

    Attributes:
        user_ids: the people, position = row.
        attributes: trait name -> one list of values per person, for example `{"country": [["DE"], []]}`.
    """

    user_ids: Sequence[str]
    attributes: Mapping[str, Sequence[Sequence[str]]]

    def __post_init__(self) -> None:
        _require_rows("Trait", self.attributes, len(self.user_ids), "people")

    def of(self, row: int) -> Traits:
        """The traits of one person."""
        return {name: column[row] for name, column in self.attributes.items() if column[row]}

    def aligned(self, user_ids: Sequence[str]) -> PersonTraits:
        """The same traits in the order of `user_ids`; people without traits get empty entries."""
        row = {user: position for position, user in enumerate(self.user_ids)}
        return self.taken([row.get(user, -1) for user in user_ids], user_ids)

    def taken(self, rows: Sequence[int], user_ids: Sequence[str]) -> PersonTraits:
        """The traits of some rows, -1 for none, under other ids."""
        columns = {name: [column[i] if i >= 0 else () for i in rows] for name, column in self.attributes.items()}
        return PersonTraits(user_ids, columns)


@dataclass(frozen=True, eq=False)
class Interactions:
    """The ordered log of people and items, sorted by person, then time; ties keep the order they came in.

    Attributes:
        user_ids: the people, position = index.
        item_ids: the items, position = index. May hold items without an event (new in the catalogue).
        user_index: int32[e].
        item_index: int32[e].
        weights: float32[e], signed, finite.
        times_ms: int64[e], milliseconds since 1970 UTC; all zero when the data has no times.
        source_rows: int64[e], the row each event had in the input: what breaks ties between people.
        class_index: int16[e] into `class_names`, or None when the events carry no signal class.
        class_names: the signal classes.
        is_ordered: whether the order of a person's events means anything; without it no model may learn from it.
        traits: of the people, in the order of `user_ids`; None when nothing is known. See `with_traits`.
    """

    user_ids: Sequence[str]
    item_ids: Sequence[str]
    user_index: Int32s
    item_index: Int32s
    weights: Float32s
    times_ms: Int64s
    source_rows: Int64s
    class_index: npt.NDArray[np.int16] | None = None
    class_names: Sequence[str] = ()
    is_ordered: bool = True
    traits: PersonTraits | None = None

    @classmethod
    def from_events(
        cls,
        users: Sequence[str],
        items: Sequence[str],
        weights: npt.ArrayLike | None = None,
        times_ms: npt.ArrayLike | None = None,
        *,
        classes: Sequence[str] | None = None,
        item_ids: Sequence[str] | None = None,
    ) -> Interactions:
        """Builds interactions from one entry per event.

        Args:
            users: the person of each event.
            items: the item of each event.
            weights: signed strength of each event; 1 when left out.
            times_ms: time of each event; without times the order given is the order of events.
            classes: signal class of each event, for `weighted`.
            item_ids: the whole catalogue, if items without events shall be known too. Events of other items are left
                out. Without it the items are those of the events, in sorted order.

        Raises:
            InvalidInput: the lists differ in length, or a weight is not a finite number.

        Example:
            >>> data = Interactions.from_events(["ann", "bob", "ann"], ["x", "y", "y"], [1, 1, -2], [3, 1, 2])
            >>> data.item_ids, data.item_index.tolist(), data.matrix.toarray().tolist()
            (('x', 'y'), [1, 0, 1], [[1.0, 0.0], [0.0, 1.0]])
            >>> data.dislikes.toarray().tolist()
            [[0.0, 2.0], [0.0, 0.0]]
        """
        strengths = np.ones(len(users), np.float32) if weights is None else np.asarray(weights, np.float32)
        times = np.zeros(len(users), np.int64) if times_ms is None else np.asarray(times_ms, np.int64)
        _require_same_length(users=users, items=items, weights=strengths, times_ms=times)
        known_users = tuple(sorted(set(users)))
        known_items = tuple(sorted(set(items))) if item_ids is None else tuple(item_ids)
        class_names = tuple(sorted(set(classes))) if classes is not None else ()
        user_index = _positions(users, known_users)
        item_index = _positions(items, known_items)
        class_index = None if classes is None else _positions(classes, class_names).astype(np.int16)
        known = item_index >= 0
        data = cls.from_arrays(
            known_users,
            known_items,
            user_index[known],
            item_index[known],
            weights=strengths[known],
            times_ms=times[known],
            class_index=None if class_index is None else class_index[known],
            class_names=class_names,
        )
        return data if known.all() else replace(data, source_rows=np.flatnonzero(known)[data.source_rows])

    @classmethod
    def from_arrays(
        cls,
        user_ids: Sequence[str],
        item_ids: Sequence[str],
        user_index: npt.ArrayLike,
        item_index: npt.ArrayLike,
        *,
        weights: npt.ArrayLike | None = None,
        times_ms: npt.ArrayLike | None = None,
        class_index: npt.ArrayLike | None = None,
        class_names: Sequence[str] = (),
        is_ordered: bool = True,
    ) -> Interactions:
        """Builds interactions from index arrays in any order; checks and sorts them.

        Raises:
            InvalidInput: the arrays differ in length, an index is out of range, or a weight is not a finite number.
        """
        users = np.asarray(user_index, np.int32).reshape(-1)
        items = np.asarray(item_index, np.int32).reshape(-1)
        strengths = np.ones(len(users), np.float32) if weights is None else np.asarray(weights, np.float32).reshape(-1)
        times = np.zeros(len(users), np.int64) if times_ms is None else np.asarray(times_ms, np.int64).reshape(-1)
        _require_same_length(user_index=users, item_index=items, weights=strengths, times_ms=times)
        _require_range("user_index", users, len(user_ids))
        _require_range("item_index", items, len(item_ids))
        _require_finite(strengths)
        classes = None if class_index is None else np.asarray(class_index, np.int16).reshape(-1)
        if classes is not None:
            _require_same_length(user_index=users, class_index=classes)
            _require_range("class_index", classes, len(class_names))
        order = np.lexsort((times, users))
        return cls(
            user_ids=user_ids,
            item_ids=item_ids,
            user_index=users[order],
            item_index=items[order],
            weights=strengths[order],
            times_ms=times[order],
            source_rows=order.astype(np.int64),
            class_index=None if classes is None else classes[order],
            class_names=class_names,
            is_ordered=is_ordered,
        )

    def __len__(self) -> int:
        return len(self.user_index)

    @property
    def n_users(self) -> int:
        """People, also those without an event left after a cut."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Items, also those without an event."""
        return len(self.item_ids)

    @property
    def has_times(self) -> bool:
        """Whether the events carry times that differ."""
        return len(self) > 0 and bool(self.times_ms.max() > self.times_ms.min())

    @property
    def last_ms(self) -> int:
        """Time of the latest event, 0 without events."""
        return int(self.times_ms.max()) if len(self) else 0

    @cached_property
    def positions(self) -> dict[str, int]:
        """Item id -> index."""
        return {item: position for position, item in enumerate(self.item_ids)}

    @cached_property
    def row_starts(self) -> Int64s:
        """int64[n_users + 1]: the events of person u are `row_starts[u]` to `row_starts[u + 1]`."""
        return np.searchsorted(self.user_index, np.arange(self.n_users + 1)).astype(np.int64)

    @cached_property
    def net(self) -> Csr:
        """CSR float32[n_users, n_items]: signed sums, zeros kept: its pattern is all that a person ever touched."""
        parts = (self.weights, self.item_index, self.row_starts)
        net = csr_array(parts, shape=(self.n_users, self.n_items), copy=True)  # summing writes to all three parts
        net.sum_duplicates()
        return net

    @cached_property
    def matrix(self) -> Csr:
        """CSR float32[n_users, n_items]: the positive sums."""
        return _positive_part(self.net)

    @cached_property
    def dislikes(self) -> Csr:
        """CSR float32[n_users, n_items]: the negative sums, as positive numbers."""
        return _positive_part(-self.net)

    def select(self, mask: Bools) -> Interactions:
        """The events where `mask` (bool[e]) is true; people and items stay as they are."""
        return replace(
            self,
            user_index=self.user_index[mask],
            item_index=self.item_index[mask],
            weights=self.weights[mask],
            times_ms=self.times_ms[mask],
            source_rows=self.source_rows[mask],
            class_index=None if self.class_index is None else self.class_index[mask],
        )

    def before(self, time_ms: int) -> Interactions:
        """The events strictly before `time_ms`."""
        return self.select(self.times_ms < time_ms)

    def weighted(self, class_weights: Mapping[str, float]) -> Interactions:
        """The same events, each weight multiplied by that of its class; classes not named keep their weight.

        Raises:
            InvalidInput: the events carry no classes.
        """
        if self.class_index is None:
            raise InvalidInput("These interactions carry no signal classes.", hint="Pass classes= to from_events.")
        factors = np.array([class_weights.get(name, 1.0) for name in self.class_names], np.float32)
        return replace(self, weights=self.weights * factors[self.class_index])

    def with_items(self, item_ids: Sequence[str]) -> Interactions:
        """The same events in a catalogue that also holds `item_ids`; known items keep their index."""
        added = tuple(dict.fromkeys(item for item in item_ids if item not in self.positions))
        return replace(self, item_ids=(*self.item_ids, *added)) if added else self

    def with_traits(self, traits: PersonTraits) -> Interactions:
        """The same events of people of whom something is known; people without an event here are left out.

        Example:
            >>> log = Interactions.from_events(["ann", "bob"], ["x", "y"])
            >>> told = log.with_traits(PersonTraits(["bob"], {"country": [["DE"]]}))
            >>> told.history(0).traits, told.history(1).traits
            ({}, {'country': ['DE']})
        """
        return replace(self, traits=traits.aligned(self.user_ids))

    def history(self, user: int) -> History:
        """The ordered history of the person at index `user`, with their traits."""
        events = slice(self.row_starts[user], self.row_starts[user + 1])
        traits = NO_TRAITS if self.traits is None else self.traits.of(user)
        return History(self.item_index[events], self.weights[events], self.times_ms[events], traits)

    def histories(self, users: npt.ArrayLike | None = None) -> list[History]:
        """The ordered histories of `users` (indices), of everybody when left out."""
        chosen = range(self.n_users) if users is None else np.asarray(users).tolist()
        return [self.history(user) for user in chosen]


@dataclass(frozen=True, eq=False)
class ItemContent:
    """What is known of items besides what people did with them.

    Attributes:
        item_ids: the items, position = row.
        texts: one text per item, empty when there is none.
        attributes: facet name -> one list of values per item, for example `{"genre": [["drama"], []]}`.
        numbers: name -> float64[n], NaN where unknown.
    """

    item_ids: Sequence[str]
    texts: Sequence[str] = ()
    attributes: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    numbers: Mapping[str, Float64s] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns: dict[str, Sequence[Any] | Float64s] = {**self.attributes, **self.numbers}
        if self.texts:
            columns["texts"] = self.texts
        _require_rows("Item content", columns, len(self.item_ids), "items")

    def aligned(self, item_ids: Sequence[str]) -> ItemContent:
        """The same content in the order of `item_ids`; items without content get empty entries."""
        row = {item: position for position, item in enumerate(self.item_ids)}
        order = [row.get(item, -1) for item in item_ids]
        return ItemContent(
            item_ids,
            [self.texts[i] if i >= 0 else "" for i in order] if self.texts else (),
            {name: [column[i] if i >= 0 else () for i in order] for name, column in self.attributes.items()},
            {
                name: np.array([column[i] if i >= 0 else np.nan for i in order], np.float64)
                for name, column in self.numbers.items()
            },
        )


def _positions(names: Sequence[str], known: Sequence[str]) -> Int32s:
    index = {name: position for position, name in enumerate(known)}
    return np.fromiter((index.get(name, -1) for name in names), np.int32, count=len(names))


def _positive_part(net: Csr) -> Csr:
    positive = net.copy()
    positive.data = np.maximum(positive.data, 0)
    positive.eliminate_zeros()
    return positive


def _require_same_length(**columns: Sequence[Any] | npt.NDArray[Any]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        stated = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InvalidInput(f"These lists differ in length: {stated}.", hint="Give one entry per event.")


def _require_rows(what: str, columns: Mapping[str, Sequence[Any] | Float64s], n: int, of: str) -> None:
    for name, column in columns.items():
        if len(column) != n:
            message = f"{what} '{name}' has {len(column)} rows for {n} {of}."
            raise InvalidInput(message, hint="Give one entry for each, empty where nothing is known.")


def _require_range(name: str, index: npt.NDArray[Any], size: int) -> None:
    if len(index) and (index.min() < 0 or index.max() >= size):
        raise InvalidInput(f"{name} must lie in 0..{size - 1}, found {index.min()}..{index.max()}.")


def _require_finite(weights: Float32s) -> None:
    if not np.isfinite(weights).all():
        row = int(np.flatnonzero(~np.isfinite(weights))[0])
        raise InvalidInput(f"The weight of event {row} is not a finite number.", hint="Leave the event out or give 1.")
