"""Cuts of a log into what a model may see and what it is asked.

    calendar       the first share of all rows in time is seen; asked are the people who have a history by then
    per_person     of each person the first share of their rows in time is seen
    leave_one_out  of each person all but the last row is seen (figures of the literature; it leaks the future)

Ties in time are broken by the order of the input. Only a calendar cut leaves the future out of the training data, so
it is the one that speaks about a project's tomorrow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from bespeak.errors import InvalidInput
from bespeak.models.base import History, Interactions
from bespeak.models.interactions import Bools, Csr, Int32s

Relevant: TypeAlias = Literal["positive", "every"]
"""Which later rows count as right answers: those of positive weight, or every one (a low rating too)."""

Splitter: TypeAlias = Callable[[Interactions], "Split"]


@dataclass(frozen=True, eq=False)
class Split:
    """One cut.

    Attributes:
        name: the protocol.
        fit: the rows a model may see, over all people and items of the whole log.
        people: int32[n], the people asked about (indices), each with at least one row in `fit` and one right answer.
        truth: CSR float32[n, n_items], ones at the right answers: items new to the person.
        now_ms: the moment the answers are computed for: the last row of `fit`.
        n_people_later: people with rows after the cut.
        n_people_new: of those, the ones without any row before it.
    """

    name: str
    fit: Interactions
    people: Int32s
    truth: Csr
    now_ms: int
    n_people_later: int
    n_people_new: int

    def __len__(self) -> int:
        return len(self.people)

    @property
    def share_new(self) -> float:
        """Share of the later people without a row before the cut."""
        return self.n_people_new / self.n_people_later if self.n_people_later else 0.0

    def histories(self, part: slice) -> list[History]:
        """What is known of `people[part]` at the cut."""
        return self.fit.histories(self.people[part])


def calendar(interactions: Interactions, share: float = 0.8, *, relevant: Relevant = "positive") -> Split:
    """The first `share` of all rows in time against the rest.

    Example:
        >>> log = Interactions.from_events(["a", "a", "b"], ["x", "y", "x"], times_ms=[1, 9, 2])
        >>> cut = calendar(log, share=0.67)
        >>> len(cut.fit), cut.people.tolist(), cut.truth.toarray().tolist()
        (2, [0], [[0.0, 1.0]])
    """
    _require_share(share)
    order = np.lexsort((interactions.source_rows, interactions.times_ms))
    seen = np.zeros(len(interactions), bool)
    seen[order[: int(share * len(order))]] = True
    return _cut("calendar", interactions, seen, relevant)


def per_person(interactions: Interactions, share: float = 0.8, *, relevant: Relevant = "positive") -> Split:
    """The first floor(share * n) rows of each person in time against the rest of that person's rows."""
    _require_share(share)
    counts = np.diff(interactions.row_starts)
    return _cut("per person", interactions, _first(interactions, np.floor(share * counts)), relevant)


def leave_one_out(interactions: Interactions, *, relevant: Relevant = "positive") -> Split:
    """All rows of each person but the last against the last."""
    return _cut("leave one out", interactions, _first(interactions, np.diff(interactions.row_starts) - 1), relevant)


def _first(interactions: Interactions, counts: np.ndarray) -> Bools:
    """bool[e]: whether a row is among the first `counts[u]` of its person."""
    place = np.arange(len(interactions)) - interactions.row_starts[interactions.user_index]
    return np.asarray(place < counts[interactions.user_index])


def _cut(name: str, interactions: Interactions, seen: Bools, relevant: Relevant) -> Split:
    fit = interactions.select(seen)
    later = interactions.select(~seen)
    asked = later if relevant == "every" else later.select(later.weights > 0)
    shape = (interactions.n_users, interactions.n_items)
    wanted = csr_array((np.ones(len(asked), np.float32), (asked.user_index, asked.item_index)), shape=shape)
    wanted.data[:] = 1
    known = fit.net.copy()
    known.data = np.ones_like(known.data)
    truth = (wanted - wanted.multiply(known)).tocsr()
    truth.eliminate_zeros()
    has_history = np.diff(fit.row_starts) > 0
    has_later = np.diff(later.row_starts) > 0
    people = np.flatnonzero(has_history & (np.diff(truth.indptr) > 0)).astype(np.int32)
    return Split(
        name=name,
        fit=fit,
        people=people,
        truth=truth[people],
        now_ms=fit.last_ms,
        n_people_later=int(has_later.sum()),
        n_people_new=int((has_later & ~has_history).sum()),
    )


def _require_share(share: float) -> None:
    if not 0 < share < 1:
        raise InvalidInput(f"The share of a split must lie between 0 and 1, got {share:g}.", hint="0.8 is usual.")
