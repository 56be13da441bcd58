"""A transformer over sequences: what somebody will touch next, from the order of what they touched last.

Kang and McAuley, "Self-Attentive Sequential Recommendation" (SASRec), ICDM 2018, with what was learned since: a softmax
over many shared negatives instead of one (Klenitskiy and Vasilev, RecSys 2023; Petrov and Macdonald, "gSASRec", RecSys
2023) and gated pre-norm layers (LiGR; Tikhonovich et al., "eSASRec", RecSys 2025). For likes i_1 .. i_T, the last
`length` of them:

    x_t = c E[i_t] + P[t]
    x <- x + sigmoid(N(x) A) * attention(N(x)) O      each head sees earlier places, less by its slope per step
    x <- x + sigmoid(N(x) F) * (silu(N(x) U) * N(x) V) W
    logit_j = N(x_T) E_j + b_j,     score_j = log(1 + exp(logit_j) / mean of exp(logit))

N is layer normalisation, E is used on both ends. The score is log(1 + how many times likelier than chance
the item is next): near 0 for what is less likely, and scores of different people can be compared and blended.
A dislike is no part of the sequence; it takes its strength times max(0, cosine of E) from the disliked item and from
what is like it. No similar items are told: which vectors are near each other follows from the task too loosely.

Fitting needs torch (extra `deep`); scoring needs NumPy alone. Cost: about .7 million operations per like and pass in
training at the default size; one score takes length * width^2 * 12 * layers operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import ClassVar, Self

import numpy as np

from bespeak.errors import InvalidInput, MissingExtra
from bespeak.models.base import Model
from bespeak.models.fits import FitMemory, Passes
from bespeak.models.interactions import Float32s, History, Int32s, Interactions, ItemContent
from bespeak.models.sequences.attention import last_state

_TORCH_BYTES = 250e6
"""What torch takes once it is loaded."""


@dataclass(frozen=True, eq=False)
class Transformer(Model):
    """A small gated transformer, trained with torch and served with NumPy.

    Args:
        width: numbers per item; a multiple of `heads`.
        layers: attention layers.
        heads: attention heads; each looks back over a longer stretch than the one before.
        length: how many latest likes count.
        epochs: passes over the log; fewer where the log holds more than `max_likes` / epochs likes.
        max_likes: bound of all passes together, so that large logs take no longer than it.
        negatives: items drawn per batch that every place of the batch must tell from the right one.
        dropout: share of numbers left out in training, against learning the log by heart. When left out, 0.5 for a log
            of up to 100,000 likes and 0.1 less for each doubling, down to 0.1.
        learning_rate: at the top of the schedule (short rise, cosine fall).
        weight_decay: how strongly matrices are drawn to zero.
        batch_likes: places per step.
        seed: of everything drawn.
    """

    name: ClassVar[str] = "transformer"

    width: int = 64
    layers: int = 2
    heads: int = 2
    length: int = 200
    epochs: int = 36
    max_likes: int = 20_000_000
    negatives: int = 256
    dropout: float | None = None
    learning_rate: float = 4e-3
    weight_decay: float = 0.01
    batch_likes: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        sizes = (self.width, self.layers, self.heads, self.length, self.epochs, self.negatives, self.batch_likes)
        if min(sizes) < 1 or self.width % self.heads or not 0 <= (self.dropout or 0) < 1:
            raise InvalidInput(
                "A transformer needs sizes from 1 on, a width that its heads divide, and a dropout from 0 to below 1.",
                hint="width=64, heads=2, dropout=0.3 are usual.",
            )

    @staticmethod
    def can_fit() -> bool:
        """Whether torch is installed."""
        return find_spec("torch") is not None

    def dropout_for(self, n_likes: int) -> float:
        """The share of numbers left out when training on so many likes.

        Example:
            >>> [Transformer().dropout_for(n) for n in (1_000, 200_000, 10_000_000)]
            [0.5, 0.4, 0.1]
        """
        if self.dropout is not None:
            return self.dropout
        return round(min(0.5, max(0.1, 0.5 - 0.1 * math.log2(max(n_likes, 1) / 100_000))), 3)

    def epochs_for(self, n_likes: int) -> int:
        """How many passes over so many likes.

        Example:
            >>> [Transformer().epochs_for(n) for n in (1_000, 1_000_000, 100_000_000)]
            [36, 20, 1]
        """
        return max(1, min(self.epochs, self.max_likes // max(n_likes, 1)))

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`. Bit for bit the same on the same machine with the same number of threads.

        Raises:
            MissingExtra: torch is not installed.
        """
        return self._trained(interactions, None)

    def fit_in_passes(self, interactions: Interactions, items: ItemContent | None, passes: Passes) -> Self:
        """See `Model.fit_in_passes`: gone on with or done in one go, the arrays are the same, bit for bit."""
        return self._trained(interactions, passes)

    def n_passes(self, n_events: int) -> int:
        """See `Model.n_passes`."""
        return self.epochs_for(n_events)

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`: torch, each weight four times (value, slope, two moments), and one batch."""
        weights = 4.0 * (n_items * self.width + self.layers * 16 * self.width**2 + self.length * self.width)
        places = self.batch_likes * (self.layers * 40 * self.width + 3 * self.negatives) * 4.0
        return FitMemory(_TORCH_BYTES + 5 * weights + places + 64.0 * n_events, weights)

    def _trained(self, interactions: Interactions, passes: Passes | None) -> Self:
        if not self.can_fit():
            raise MissingExtra("deep", "training the model 'transformer', which learns from the order of likes,")
        from bespeak.models.sequences.transformer_training import trained  # noqa: PLC0415  needs the extra

        return self._fitted(interactions.item_ids, trained(self, interactions, passes), interactions)

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`; the time plays no part."""
        scores = np.zeros((len(histories), len(self.item_ids)), np.float32)
        for row, history in enumerate(histories):
            known = (history.items >= 0) & (history.items < len(self.item_ids))
            items, weights = history.items[known], history.weights[known]
            likes, dislikes = items[weights > 0], weights < 0
            if len(likes):
                scores[row] = _log_lift(self._logits(likes[-self.length :]))
            if dislikes.any():
                alike = np.maximum(self._directions[items[dislikes]] @ self._directions.T, 0)
                alike[np.arange(len(alike)), items[dislikes]] = 1
                scores[row] += weights[dislikes] @ alike
        return scores

    @cached_property
    def _directions(self) -> Float32s:
        items = self._array("items")
        return np.asarray(items / np.maximum(np.linalg.norm(items, axis=1, keepdims=True), 1e-12), np.float32)

    def _logits(self, likes: Int32s) -> Float32s:
        """float32[n_items] after a sequence of 1 to `length` likes."""
        state = last_state(self._arrays, likes, self.heads)
        return np.asarray(self._array("items") @ state + self._array("item_bias"), np.float32)


def _log_lift(logits: Float32s) -> Float32s:
    """log(1 + how many times likelier than chance), from logits of any offset."""
    odds = np.exp(logits - logits.max())
    return np.asarray(np.log1p(odds / odds.mean()), np.float32)
