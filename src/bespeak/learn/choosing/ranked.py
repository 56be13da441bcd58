"""The best items of everybody asked on a cut, as one model says them: all that comparing and blending need of it.

The lists go much deeper than anybody is shown, so that blends are found from lists alone: no model is kept, asked
again, or held in memory beside the others. Further down than the list goes an item counts as much as its last entry;
nothing that far behind in every member can come near the top of a blend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bespeak.learn.leaderboard import Stopwatch, blocks
from bespeak.learn.splits import Split
from bespeak.models.base import Model
from bespeak.models.blend import usual_best_score
from bespeak.models.interactions import Float32s, Int32s, Int64s
from bespeak.models.topk import top_k

DEPTH = 400
"""At 200 blends of ML-100k looked 2 % worse than they are and a member was missed; at 400 .1 %, and none was."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """One model's lists on one cut.

    Attributes:
        index: int32[n, depth], best first, -1 where fewer items are left.
        scores: float32[n, depth], divided by the model's usual best score; minus infinity where no item is.
        seconds_fit: how long the fit took.
        seconds_recommend: how long the lists took.
    """

    index: Int32s
    scores: Float32s
    seconds_fit: float
    seconds_recommend: float

    @classmethod
    def deep(cls, fitted: Model, split: Split, k: int, stopwatch: Stopwatch, seconds_fit: float = 0.0) -> Ranked:
        """Lists deep enough to find blends of k items from."""
        return cls.of(fitted, split, max(DEPTH, 2 * k), stopwatch, seconds_fit)

    @classmethod
    def of(cls, fitted: Model, split: Split, depth: int, stopwatch: Stopwatch, seconds_fit: float = 0.0) -> Ranked:
        """Asks a model that was fitted on what the cut lets be seen."""
        started = stopwatch()
        index = np.full((len(split), depth), -1, np.int32)
        scores = np.full((len(split), depth), -np.inf, np.float32)
        for part in blocks(len(split), fitted.block_rows()):
            index[part], scores[part] = top_k(split.scores(fitted, split.histories(part)), depth, split.seen(part))
        scores /= np.float32(usual_best_score(fitted, split.fit))
        return cls(index, scores, seconds_fit, stopwatch() - started)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As arrays by name."""
        return {"index": self.index, "scores": self.scores, "seconds": np.array(self.seconds)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Ranked:
        """The lists again."""
        return cls(arrays["index"], arrays["scores"], *arrays["seconds"].tolist())

    @property
    def seconds(self) -> tuple[float, float]:
        """Of the fit, and of the lists."""
        return self.seconds_fit, self.seconds_recommend

    def scores_of(self, items: Int32s, n_items: int) -> Float32s:
        """float32[n, width]: the scores of other items, int32[n, width], -1 in the padding (minus infinity there)."""
        rows, places = np.nonzero(self.index >= 0)
        held = rows * np.int64(n_items + 1) + self.index[rows, places]
        order = np.argsort(held)
        held, values = held[order], self.scores[rows, places][order]
        last = np.min(self.scores, axis=1, initial=np.inf, where=self.index >= 0)
        wanted: Int64s = np.arange(len(items))[:, None] * np.int64(n_items + 1) + items
        place = np.minimum(np.searchsorted(held, wanted), max(0, len(held) - 1))
        is_held = (held[place] == wanted) if len(held) else np.zeros(wanted.shape, bool)
        found = np.where(is_held, values[place] if len(held) else 0, np.where(np.isinf(last), 0, last)[:, None])
        return np.where(items >= 0, found, -np.inf).astype(np.float32)


def union(lists: list[Int32s], n_items: int) -> Int32s:
    """int32[n, width]: the items of several lists of the same people, ascending, -1 behind the end.

    Example:
        >>> union([np.array([[2, 0]], np.int32), np.array([[2, -1]], np.int32)], 3).tolist()
        [[0, 2]]
    """
    beside = np.concatenate(lists, axis=1).astype(np.int64)
    rows, places = np.nonzero(beside >= 0)
    cells = np.unique(rows * np.int64(max(1, n_items)) + beside[rows, places])
    rows, found = np.divmod(cells, max(1, n_items))
    counts = np.bincount(rows, minlength=len(beside))
    items = np.full((len(beside), int(counts.max(initial=0))), -1, np.int32)
    items[rows, np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)] = found
    return items
