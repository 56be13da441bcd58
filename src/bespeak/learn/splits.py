"""Cuts of a log into what a model may see and what it is asked.

    calendar       the first share of all rows in time is seen; asked are the people who have a history by then
    live           as calendar, but whoever comes later is asked in the middle of the visit, with the history up to then
    per_person     of each person the first share of their rows in time is seen
    leave_one_out  of each person all but the last row is seen (figures of the literature; it leaks the future)
    held_out       of each person a random share of the rows is kept back: for rows without an order
    strangers      whole people are kept back and asked after each of their rows for the next one

Right answers are items new to the person, or with `allows_seen` also those that come again. Ties in time are broken by
the order of the input. Only the cuts by date, calendar and live, leave the future out of the training data, so they are
the ones that speak about a project's tomorrow. Calendar asks for weeks ahead with the history frozen at the cut; live
asks as a server is asked, with the history up to the last click.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from bespeak.errors import InvalidInput
from bespeak.models.base import History, Interactions, ItemContent, Model
from bespeak.models.interactions import Bools, Csr, Float32s, Int32s, Int64s
from bespeak.models.new_items import NewItems

Relevant: TypeAlias = Literal["positive", "every"]
"""Which later rows count as right answers: those of positive weight, or every one (a low rating too)."""

Splitter: TypeAlias = Callable[[Interactions], "Split"]


class Protocol(typing.Protocol):
    """`calendar`, `live`, `per_person` or `leave_one_out`."""

    def __call__(
        self, interactions: Interactions, *, relevant: Relevant = "positive", allows_seen: bool = False
    ) -> Split:
        """Cuts the log."""


@dataclass(frozen=True, eq=False)
class Split:
    """One cut.

    Attributes:
        name: the protocol.
        fit: the rows a model may see, over all people and items of the whole log.
        known: the rows that make the histories at the moment of asking: those of `fit`, with later ones in a live cut.
        people: int32[n], the people asked about (indices), each with at least one row in `known` and one right answer.
        truth: CSR float32[n, n_items], ones at the right answers: items new to the person unless `allows_seen`.
        now_ms: the moment the answers are computed for: the last row of `fit`.
        n_people_later: people with rows after the cut.
        n_people_new: of those, the ones without any row before it.
        allows_seen: whether what a person touched before may be answered again.
        owners: int32[people of `known`], whose question each is where somebody is asked several; None: all differ.
        new_items: items without a row in `fit`, and whose scores they borrow; none unless `with_content` found them.
    """

    name: str
    fit: Interactions
    known: Interactions
    people: Int32s
    truth: Csr
    now_ms: int
    n_people_later: int
    n_people_new: int
    allows_seen: bool = False
    owners: Int32s | None = None
    new_items: NewItems = field(default_factory=NewItems.none)

    def __len__(self) -> int:
        return len(self.people)

    @property
    def share_new(self) -> float:
        """Share of the later people without a row before the cut."""
        return self.n_people_new / self.n_people_later if self.n_people_later else 0.0

    @property
    def groups(self) -> Int32s | None:
        """int32[n]: which questions are one person's, so that intervals draw people; None where each has one."""
        return None if self.owners is None else self.owners[self.people]

    def with_content(self, content: ItemContent | None) -> Split:
        """The same cut, in which items without a row borrow scores by what they are, as they do when served."""
        return replace(self, new_items=NewItems.of(self.fit, content))

    def scores(self, model: Model, histories: Sequence[History]) -> Float32s:
        """float32[n, n_items]: what a model fitted on `fit` says, with what new items borrow."""
        scores = model.scores(histories, self.now_ms)
        return scores if model.reads_content else self.new_items.lend(scores)

    def histories(self, part: slice) -> list[History]:
        """What is known of `people[part]` when they are asked."""
        return self.known.histories(self.people[part])

    def seen(self, part: slice) -> Csr:
        """CSR [part, n_items] whose entries may not be answered: what `people[part]` touched before they are asked."""
        people = self.people[part]
        return csr_array((len(people), self.known.n_items)) if self.allows_seen else self.known.net[people]


def calendar(
    interactions: Interactions, share: float = 0.8, *, relevant: Relevant = "positive", allows_seen: bool = False
) -> Split:
    """The first `share` of all rows in time against the rest.

    Example:
        >>> log = Interactions.from_events(["a", "a", "b"], ["x", "y", "x"], times_ms=[1, 9, 2])
        >>> cut = calendar(log, share=0.67)
        >>> len(cut.fit), cut.people.tolist(), cut.truth.toarray().tolist()
        (2, [0], [[0.0, 1.0]])
    """
    seen = _earliest(interactions, share)
    return _cut("calendar", interactions, seen, seen, relevant, allows_seen)


def live(
    interactions: Interactions, share: float = 0.8, *, relevant: Relevant = "positive", allows_seen: bool = False
) -> Split:
    """The first `share` of all rows in time is fitted on; of each person's later rows the first half joins the history.

    This is how a served model meets people: fitted some time ago, but with the history up to the last click. New people
    are asked too, once they have a row. Nothing of the future is in the fit.

    Example:
        >>> log = Interactions.from_events(["a", "b", "b"], ["x", "x", "y"], times_ms=[1, 8, 9])
        >>> cut = live(log, share=0.34)
        >>> len(cut.fit), cut.people.tolist(), cut.histories(slice(0, 1))[0].items.tolist()
        (1, [1], [0])
    """
    seen = _earliest(interactions, share)
    later = np.bincount(interactions.user_index[~seen], minlength=interactions.n_users)
    later_before: Int64s = np.cumsum(~seen, dtype=np.int64) - ~seen  # later rows before this one, over all people
    first_of_person = np.append(later_before, 0)[np.minimum(interactions.row_starts[:-1], len(seen))]
    place = later_before - first_of_person[interactions.user_index]
    known = seen | (place < later[interactions.user_index] // 2)
    return _cut("live", interactions, seen, known, relevant, allows_seen)


def rolling(
    protocol: Protocol,
    interactions: Interactions,
    *,
    relevant: Relevant = "positive",
    allows_seen: bool = False,
    enough_people: int = 500,
) -> list[Split]:
    """Cuts by date for choosing: the latest one, and earlier ones until enough people are asked together.

    Each earlier one forgets another eighth of the rows before it cuts, at most three times. A small shop has few
    people with a history by any one date; asked at several dates they tell more (rolling-origin evaluation). A cut that
    asks nobody is left out.
    """
    earlier = (interactions.select(_earliest(interactions, eighths / 8)) for eighths in (8, 7, 6, 5))
    return _until(enough_people, (protocol(log, relevant=relevant, allows_seen=allows_seen) for log in earlier))


def per_person(
    interactions: Interactions, share: float = 0.8, *, relevant: Relevant = "positive", allows_seen: bool = False
) -> Split:
    """The first floor(share * n) rows of each person in time against the rest of that person's rows."""
    _require_share(share)
    counts = np.diff(interactions.row_starts)
    seen = _first(interactions, np.floor(share * counts))
    return _cut("per person", interactions, seen, seen, relevant, allows_seen)


def rolling_by_person(
    protocol: Protocol,
    interactions: Interactions,
    *,
    relevant: Relevant = "positive",
    allows_seen: bool = False,
    enough_people: int = 500,
) -> list[Split]:
    """Cuts by person for choosing: by each one's last rows, and by earlier ones until enough people are asked together.

    Each further one forgets one more row of everybody before it cuts, at most seven: of few people the last item tells
    little, the last and those before it more. A cut that asks nobody is left out.

    Example:
        >>> log = Interactions.from_events(["a"] * 4, list("wxyz"), times_ms=[1, 2, 3, 4])
        >>> [len(cut.fit) for cut in rolling_by_person(leave_one_out, log)]
        [3, 2, 1]
    """
    counts = np.diff(interactions.row_starts)
    earlier = (interactions.select(_first(interactions, counts - forgotten)) for forgotten in range(8))
    return _until(enough_people, (protocol(log, relevant=relevant, allows_seen=allows_seen) for log in earlier))


def leave_one_out(interactions: Interactions, *, relevant: Relevant = "positive", allows_seen: bool = False) -> Split:
    """All rows of each person but the last against the last."""
    seen = _first(interactions, np.diff(interactions.row_starts) - 1)
    return _cut("leave one out", interactions, seen, seen, relevant, allows_seen)


def held_out(
    interactions: Interactions,
    share: float = 0.9,
    *,
    relevant: Relevant = "positive",
    allows_seen: bool = False,
    seed: int = 0,
) -> Split:
    """A random `share` of each person's rows against the rest of them, for rows whose order means nothing.

    The share is large, so that what is compared is nearly as dense as what is fitted in the end.
    """
    _require_share(share)
    draws = np.random.default_rng(seed).random(len(interactions))
    place = np.empty(len(draws), np.int64)
    place[np.lexsort((draws, interactions.user_index))] = np.arange(len(draws))
    place -= interactions.row_starts[interactions.user_index]
    counts = np.maximum(1, np.floor(share * np.diff(interactions.row_starts)))
    seen = np.asarray(place < counts[interactions.user_index])
    return _cut("held out", interactions, seen, seen, relevant, allows_seen)


def repeated(
    interactions: Interactions,
    *,
    relevant: Relevant = "positive",
    allows_seen: bool = False,
    enough_people: int = 500,
) -> list[Split]:
    """`held_out` for choosing: another draw, at most eight, until enough people are asked together.

    Of few people one draw holds back a row or two each, and which model foretells those best is mostly chance. A draw
    that asks nobody is left out.
    """
    draws = (held_out(interactions, relevant=relevant, allows_seen=allows_seen, seed=seed) for seed in range(8))
    return _until(enough_people, draws)


def strangers(
    interactions: Interactions,
    share: float = 0.95,
    *,
    relevant: Relevant = "positive",
    allows_seen: bool = False,
    at_most: int = 20_000,
) -> Split:
    """The first `share` of all people against the others, of whom nothing is known but the rows before each question.

    People come in the order of their first row (in time, else of the input). Each of the others is asked after every
    row for the next one, so one person gives several questions; a question is a person of `known`.

    Args:
        allows_seen: whether a next row that is an item of the rows before counts; else it is not asked for.
        at_most: questions, of the latest people.

    Example:
        >>> log = Interactions.from_events(list("aabbb"), list("xyxyz"))
        >>> cut = strangers(log, share=0.5)
        >>> len(cut.fit), [len(history) for history in cut.histories(slice(0, 2))], cut.truth.indices.tolist()
        (2, [1, 2], [1, 2])
    """
    _require_share(share)
    starts, counts = interactions.row_starts[:-1], np.diff(interactions.row_starts)
    present = np.flatnonzero(counts)
    first = starts[present]
    come = present[np.lexsort((interactions.source_rows[first], interactions.times_ms[first]))]
    kept_back = np.zeros(interactions.n_users, bool)
    kept_back[come[int(np.ceil(share * len(come))) :]] = True
    fit = interactions.select(~kept_back[interactions.user_index])
    place = np.arange(len(interactions)) - starts[interactions.user_index]
    is_target = kept_back[interactions.user_index] & (place > 0)
    if relevant == "positive":
        is_target &= interactions.weights > 0
    if not allows_seen:
        is_target &= ~_is_repeat(interactions)
    turn = np.zeros(interactions.n_users, np.int64)
    turn[come] = np.arange(len(come))
    targets = np.flatnonzero(is_target)
    targets = targets[np.argsort(turn[interactions.user_index[targets]], kind="stable")][-at_most:]
    lengths = place[targets]
    questions = np.repeat(np.arange(len(targets)), lengths)
    ends = np.cumsum(lengths)
    rows = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    rows += np.repeat(starts[interactions.user_index[targets]], lengths)
    known = Interactions.from_arrays(
        [str(question) for question in range(len(targets))],
        interactions.item_ids,
        questions,
        interactions.item_index[rows],
        weights=interactions.weights[rows],
        times_ms=interactions.times_ms[rows],
    )
    if interactions.traits is not None:
        asked = interactions.user_index[targets].tolist()
        known = replace(known, traits=interactions.traits.taken(asked, known.user_ids))
    shape = (len(targets), interactions.n_items)
    cells = (np.arange(len(targets)), interactions.item_index[targets])
    return Split(
        name="strangers",
        fit=fit,
        known=known,
        people=np.arange(len(targets), dtype=np.int32),
        truth=csr_array((np.ones(len(targets), np.float32), cells), shape=shape),
        now_ms=fit.last_ms,
        n_people_later=int(kept_back.sum()),
        n_people_new=int(kept_back.sum()),
        allows_seen=allows_seen,
        owners=interactions.user_index[targets],
    )


def newcomers(log: Interactions, split: Split, relevant: Relevant = "positive") -> Split:
    """The same cut asked about people of whom nothing is known: their histories are empty.

    Their right answers are their rows after the cut, those of `relevant` weight.

    Example:
        >>> log = Interactions.from_events(["a", "a", "b"], ["x", "y", "x"], times_ms=[1, 2, 3])
        >>> cold = newcomers(log, calendar(log, share=0.67))
        >>> cold.people.tolist(), cold.truth.toarray().tolist()
        ([1], [[1.0, 0.0]])
    """
    is_unknown = np.diff(split.known.row_starts) == 0
    asked = log.select(is_unknown[log.user_index] & ((log.weights > 0) | (relevant == "every")))
    people = np.flatnonzero(np.diff(asked.row_starts) > 0).astype(np.int32)
    truth = asked.net[people]
    truth = csr_array((np.ones(truth.nnz, np.float32), truth.indices, truth.indptr), shape=truth.shape)
    return replace(split, people=people, truth=truth)


def _is_repeat(interactions: Interactions) -> Bools:
    """bool[e]: whether the person touched the item in an earlier row."""
    pairs = interactions.user_index.astype(np.int64) * interactions.n_items + interactions.item_index
    is_repeat = np.ones(len(pairs), bool)
    is_repeat[np.unique(pairs, return_index=True)[1]] = False
    return is_repeat


def _first(interactions: Interactions, counts: np.ndarray) -> Bools:
    """bool[e]: whether a row is among the first `counts[u]` of its person."""
    place = np.arange(len(interactions)) - interactions.row_starts[interactions.user_index]
    return np.asarray(place < counts[interactions.user_index])


def _earliest(interactions: Interactions, share: float) -> Bools:
    """bool[e]: whether a row is among the first `share` of all rows in time."""
    if share != 1:
        _require_share(share)
    order = np.lexsort((interactions.source_rows, interactions.times_ms))
    earliest = np.zeros(len(interactions), bool)
    earliest[order[: int(share * len(order))]] = True
    return earliest


def _until(enough_people: int, cuts: Iterable[Split]) -> list[Split]:
    """The first of these cuts that ask enough people together; one that asks nobody is left out."""
    taken: list[Split] = []
    for cut in cuts:
        if len(cut):
            taken.append(cut)
        if sum(map(len, taken)) >= enough_people:
            break
    return taken


def _cut(
    name: str, interactions: Interactions, seen: Bools, known: Bools, relevant: Relevant, allows_seen: bool
) -> Split:
    fit, history, answers = interactions.select(seen), interactions.select(known), interactions.select(~known)
    asked = answers if relevant == "every" else answers.select(answers.weights > 0)
    shape = (interactions.n_users, interactions.n_items)
    wanted = csr_array((np.ones(len(asked), np.float32), (asked.user_index, asked.item_index)), shape=shape)
    wanted.data[:] = 1
    truth = wanted if allows_seen else _without(wanted, history.net)
    has_fit = np.diff(fit.row_starts) > 0
    has_later = np.bincount(interactions.user_index[~seen], minlength=interactions.n_users) > 0
    people = np.flatnonzero((np.diff(history.row_starts) > 0) & (np.diff(truth.indptr) > 0)).astype(np.int32)
    return Split(
        name=name,
        fit=fit,
        known=history,
        people=people,
        truth=truth[people],
        now_ms=fit.last_ms,
        n_people_later=int(has_later.sum()),
        n_people_new=int((has_later & ~has_fit).sum()),
        allows_seen=allows_seen,
    )


def _without(wanted: Csr, touched: Csr) -> Csr:
    """The cells of `wanted`, all ones, that are not stored in `touched`."""
    ones = csr_array((np.ones_like(touched.data), touched.indices, touched.indptr), shape=touched.shape)
    left = (wanted - wanted.multiply(ones)).tocsr()
    left.eliminate_zeros()
    return left


def _require_share(share: float) -> None:
    if not 0 < share < 1:
        raise InvalidInput(f"The share of a split must lie between 0 and 1, got {share:g}.", hint="0.8 is usual.")
