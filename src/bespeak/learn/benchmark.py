"""Answering queries on data from outside: how the quality of models is checked by others' measures.

Each query is answered alone: from the fitted model and the query's own history, never from another query's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bespeak.learn.choosing.memory import require
from bespeak.learn.choosing.protocols import Asked
from bespeak.learn.leaderboard import Progress, Stopwatch
from bespeak.learn.splits import Relevant
from bespeak.learn.train import train
from bespeak.models.base import History, Interactions, Model
from bespeak.models.families import model_class
from bespeak.models.interactions import Float32s, Int32s
from bespeak.models.popular.popularity import Popularity
from bespeak.models.topk import top_k

AUTO = "auto"


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The best items of each query.

    Attributes:
        index: int32[n, k], positions in the training data's `item_ids`, best first, -1 where none is left.
        scores: float32[n, k].
        model: name of the model; settings: its settings, for a blend with those of its members.
        seconds_to_fit: choosing and tuning included.
        seconds_to_recommend: for all queries.
        sentences: what choosing found, in words; empty where the model was given.
    """

    index: Int32s
    scores: Float32s
    model: str
    settings: dict[str, Any]
    seconds_to_fit: float
    seconds_to_recommend: float
    sentences: list[str]


def benchmark(
    log: Interactions,
    histories: Sequence[History],
    *,
    k: int,
    model: str = AUTO,
    settings: Mapping[str, Any] | None = None,
    asked: Asked = "everybody",
    allow_seen: bool = False,
    relevant: Relevant = "positive",
    max_seconds: float | None = None,
    memory_limit_bytes: float | None = None,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    stopwatch: Stopwatch = time.perf_counter,
) -> Answers:
    """Fits a model and answers queries.

    Args:
        log: what is fitted and, for `auto`, tuned on.
        histories: what is known of each query; its items are left out of the answer unless `allow_seen`. An empty
            history gets popular items: with `auto` those of the kind of popularity that was best when choosing.
        k: items per query.
        model: a name of `families`, or `auto`: chosen and tuned on a validation cut of the log.
        settings: of a named model, over its defaults.
        asked: who the queries are about; `auto` chooses on a cut that asks likewise.
        allow_seen: whether items of the history may be answered.
        relevant: which rows of the validation cut count as right answers.
        max_seconds: after which `auto` tries no more settings.
        memory_limit_bytes: `auto` leaves out families that need more, a named model is refused; None for no limit.
        seed: of samples and first vectors.
        say: told in sentences, before anything is fitted, what memory is needed.
        progress: told the stage and the share that is done.
        stopwatch: for the seconds.

    Raises:
        UnknownName: there is no such model.
        InvalidInput: a setting that the model does not have, or memory is too small.

    Example:
        >>> log = Interactions.from_events(["a", "a", "b", "b", "c"], ["x", "y", "x", "y", "x"])
        >>> answers = benchmark(log, [log.history(2)], k=1, model="item_neighbours")
        >>> [log.item_ids[i] for i in answers.index[0]]
        ['y']
    """
    started = stopwatch()
    sentences: list[str] = []
    of_nobody: Model = Popularity()
    if model == AUTO:
        trained = train(
            log,
            asked=asked,
            allows_seen=allow_seen,
            reports=False,
            max_seconds=max_seconds,
            memory_limit_bytes=memory_limit_bytes,
            say=say,
            seed=seed,
            relevant=relevant,
            k=k,
            progress=progress,
            stopwatch=stopwatch,
        )
        fitted, sentences = trained.model, trained.sentences()
        best_first = () if trained.choice is None else trained.choice.families.values()
        of_nobody = next((family for family in best_first if not family.personal), of_nobody)
    else:
        unfitted = model_class(model).from_arrays(settings or {}, (), {})
        needed = require(unfitted, log, memory_limit_bytes)
        if say is not None:
            say(needed)
        fitted = unfitted.fit(log)
    popular = of_nobody.fit(log)
    fitted_at = stopwatch()
    index, scores = _answers(fitted, popular, log, histories, k, allow_seen=allow_seen, progress=progress)
    return Answers(
        index=index,
        scores=scores,
        model=fitted.name,
        settings=fitted.settings(),
        seconds_to_fit=fitted_at - started,
        seconds_to_recommend=stopwatch() - fitted_at,
        sentences=sentences,
    )


def _answers(
    model: Model,
    popular: Model,
    log: Interactions,
    histories: Sequence[History],
    k: int,
    *,
    allow_seen: bool,
    progress: Progress | None,
) -> tuple[Int32s, Float32s]:
    n_items = len(log.item_ids)
    index = np.full((len(histories), k), -1, np.int32)
    scores = np.full((len(histories), k), -np.inf, np.float32)
    # A query is asked at its own last moment; without later histories that is one moment for all.
    moments = np.array(
        [max(log.last_ms, int(history.times_ms[-1]) if len(history) else 0) for history in histories], np.int64
    )
    is_known = np.array([bool((history.items >= 0).any()) for history in histories], bool)
    n_done = 0
    for moment in np.unique(moments).tolist():
        for asked, rows in ((model, is_known), (popular, ~is_known)):
            chosen = np.flatnonzero((moments == moment) & rows)
            step = asked.block_rows()
            for start in range(0, len(chosen), step):
                block = chosen[start : start + step]
                of_block = [histories[row] for row in block.tolist()]
                seen = None if allow_seen else _seen(of_block, n_items)
                index[block], scores[block] = top_k(asked.scores(of_block, int(moment)), k, seen)
                n_done += len(block)
                if progress is not None:
                    progress("answering", n_done / len(histories))
    return index, scores


def _seen(histories: Sequence[History], n_items: int) -> npt.NDArray[np.bool_]:
    seen = np.zeros((len(histories), n_items), bool)
    for row, history in enumerate(histories):
        seen[row, history.items[history.items >= 0]] = True
    return seen
