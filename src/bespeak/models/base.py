"""What a model is: its constructor arguments are its settings, `fit` returns a fitted copy, `scores` ranks all items.

A serving model holds item-side parameters only: a person's scores are computed from the history given at the moment of
the call, so consent, erasure and cold start are one path. A model that must keep people says `holds_people = True`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput
from bespeak.models.fits import FitMemory, Passes
from bespeak.models.fitted import Arrays, Fitted
from bespeak.models.interactions import (
    Float32s,
    History,
    Int32s,
    Interactions,
    ItemContent,
    PersonTraits,
    Traits,
)
from bespeak.models.topk import top_k

__all__ = ["Arrays", "Explanation", "History", "Interactions", "ItemContent", "Model", "PersonTraits", "Ranking"]

SCORE_BLOCK_BYTES = 64 << 20
"""Scores of many people are computed in blocks of at most this size."""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """What each known item adds to one score: "because you viewed X".

    Attributes:
        items: int32[m], distinct items of the history, ascending.
        contributions: float32[m]. They add up to the score (for a blend: to the part of it that the history makes).
    """

    items: Int32s
    contributions: Float32s


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The best items of several people.

    Attributes:
        item_ids: what `index` points into.
        index: int32[n, k], best first, -1 where no item is left.
        scores: float32[n, k].
    """

    item_ids: Sequence[str]
    index: Int32s
    scores: Float32s

    def items(self, row: int) -> list[str]:
        """The item ids of one row, best first."""
        return [self.item_ids[i] for i in self.index[row].tolist() if i >= 0]


class Model(Fitted):
    """One algorithm. Subclasses are frozen dataclasses, one file each; the dataclass fields are the settings.

    Attributes:
        name: the word used in settings, artefacts and reports.
        holds_people: whether the fitted arrays hold single people; `forget` takes them out. Ask the model, not its
            class: a blend holds people when one of its members does.
        explains: whether `explain` splits a score into contributions of history items.
        personal: whether the scores depend on what the person did.
        reads_traits: whether the scores depend on the person's traits. Ask the model, not its class: a blend reads
            traits when one of its members does.
        reads_content: whether an item that nobody turned to is scored by what it is. Where not, it borrows (see
            `new_items`).
        item_ids: the items scored, position = index. Empty before `fit`.
    """

    explains: ClassVar[bool] = False
    personal: ClassVar[bool] = True
    reads_traits: ClassVar[bool] = False
    reads_content: ClassVar[bool] = False

    _training: Interactions | None = None

    @abstractmethod
    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """A fitted copy; `self` stays unfitted. Same input, same settings: same arrays, bit for bit."""

    def fit_in_passes(self, interactions: Interactions, items: ItemContent | None, passes: Passes) -> Self:
        """As `fit`, which most do in one go; a fit of many passes tells each of them and goes on with the last."""
        del passes
        return self.fit(interactions, items)

    def n_passes(self, n_events: int) -> int:
        """How often a fit goes over a log of so many events; its time grows with both."""
        del n_events
        return 1

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """What a fit on data of this size takes, estimated: a few columns of the log and some numbers per item."""
        return FitMemory(110.0 * n_events + 16.0 * n_people + 64.0 * n_items, 16.0 * n_items)

    @abstractmethod
    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """float32[n, n_items], higher is better. An empty history gives zeros from a personal model.

        A dislike in a history never lifts any item. Traits count only in a model that reads them.
        """

    def similar(self, item_index: npt.ArrayLike, k: int) -> tuple[Int32s, Float32s]:
        """The k items most like each of `item_index` (int[m]), itself left out: index int32[m, k], score float32[m, k].

        Raises:
            InvalidInput: this model knows no similarity of items.
        """
        raise InvalidInput(f"The model '{self.name}' knows no similar items.", hint="Use item_neighbours or content.")

    def explain(self, history: History, item: int) -> Explanation:
        """What each item of the history adds to the score of `item`.

        Raises:
            InvalidInput: the score of this model is no sum over history items (`explains` is false).
        """
        raise InvalidInput(f"The scores of '{self.name}' are no sum over a history.", hint="Check `explains` first.")

    def leading_trait(self, traits: Traits, item: int) -> tuple[str, str] | None:
        """The trait (name, value) that lifts the score of `item` most; None where none does, or nothing can be told."""
        del traits, item
        return None

    def recommend(
        self, users: Sequence[str], k: int, *, exclude_seen: bool = True, now_ms: int | None = None
    ) -> Ranking:
        """The k best items of people of the training data; people unknown to it count as new.

        Args:
            users: user ids.
            k: how many items.
            exclude_seen: leave out what a person touched in the training data, liked or not.
            now_ms: the moment to rank for; the time of the last training event when left out.

        Raises:
            InvalidInput: the model was loaded, not fitted, so it has no training data (use `scores`).
        """
        data = self._training
        if data is None:
            raise InvalidInput(f"This '{self.name}' model holds no training data.", hint="Use fit(...) or scores(...).")
        row = {user: position for position, user in enumerate(data.user_ids)}
        index = np.full((len(users), k), -1, np.int32)
        best = np.full((len(users), k), -np.inf, np.float32)
        moment = data.last_ms if now_ms is None else now_ms
        step = self.block_rows()
        for start in range(0, len(users), step):
            rows = [row.get(user, -1) for user in users[start : start + step]]
            histories = [data.history(r) if r >= 0 else History.empty() for r in rows]
            seen = np.zeros((len(rows), len(self.item_ids)), bool) if exclude_seen else None
            if seen is not None:
                for position, history in enumerate(histories):
                    seen[position, history.items] = True
            part = slice(start, start + len(rows))
            index[part], best[part] = top_k(self.scores(histories, moment), k, seen)
        return Ranking(self.item_ids, index, best)

    def forget(self, user_ids: Iterable[str]) -> Self:
        """A copy whose arrays hold nothing of these people; those it does not hold are ignored.

        The copy carries no training data. A model that holds nobody has nothing to take out of its arrays.
        """
        del user_ids
        return self._fitted(self.item_ids, self._arrays)

    def block_rows(self) -> int:
        """How many people to score at once so that their scores stay within `SCORE_BLOCK_BYTES`."""
        return max(1, SCORE_BLOCK_BYTES // (4 * max(1, len(self.item_ids))))

    def _fitted(self, item_ids: Sequence[str], arrays: Arrays, training: Interactions | None = None) -> Self:
        """See `Fitted._fitted`; a model that was fitted here also carries its training data."""
        model = super()._fitted(item_ids, arrays)
        object.__setattr__(model, "_training", training)
        return model
