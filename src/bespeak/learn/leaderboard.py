"""Models side by side on a person's own data, with honest figures.

Three cuts of the log: models are fitted on the first, compared on the second (*choosing*), and the second is then
added to the first for the figures on the third (*reporting*). The choice never sees the reporting cut, so the
winner's interval, which comes from it alone, is not flattered by having been chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from bespeak.learn.intervals import SHARE, Interval, difference_interval, mean_interval
from bespeak.learn.metrics import RankingFigures, coverage, novelty, ranking_figures
from bespeak.learn.splits import Split, Splitter, calendar
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.interactions import Int32s
from bespeak.models.topk import top_k

Progress: TypeAlias = Callable[[str, float], None]
"""Called with what is being done and the share that is done, 0 to 1."""

Stopwatch: TypeAlias = Callable[[], float]
"""Seconds of a clock that only ever moves forward."""


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What one model does on one cut.

    Attributes:
        model: whose lists these are.
        figures: one figure per asked person.
        coverage: share of the items that stand in at least one list.
        novelty: mean self-information of the recommended items, in bits.
        seconds_fit: how long the fit took.
        seconds_recommend: how long all lists took together.
    """

    model: Model
    figures: RankingFigures
    coverage: float
    novelty: float
    seconds_fit: float
    seconds_recommend: float

    @property
    def ndcg(self) -> float:
        """Mean NDCG@k, 0 without people."""
        return float(self.figures.ndcg.mean()) if len(self.figures.ndcg) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One model of a leaderboard.

    Attributes:
        model: name of the algorithm.
        settings: its constructor arguments.
        choosing: mean NDCG@k on the choosing cut; None for a model that another protocol chose.
        ndcg: NDCG@k on the reporting cut with its 95 % interval over people.
        recall: mean recall@k on the reporting cut.
        coverage: share of the items recommended to anybody.
        novelty: bits.
        seconds_fit: of the fit for the reporting cut.
        seconds_recommend: for all people asked.
        difference: NDCG@k less that of the baseline, paired, with its 95 % interval; None for the baseline.
    """

    model: str
    settings: dict[str, Any]
    choosing: float | None
    ndcg: Interval
    recall: float
    coverage: float
    novelty: float
    seconds_fit: float
    seconds_recommend: float
    difference: Interval | None


@dataclass(frozen=True, slots=True, eq=False)
class Leaderboard:
    """All rows of one protocol, best on the choosing cut first.

    Attributes:
        protocol: name of the split.
        k: length of the lists.
        rows: one per model.
        winner: position of the chosen row.
        in_use: position of the model that is used in the end, which another protocol may have chosen; None where it
            was not measured, as fitting it takes long.
        baseline: position of the row that differences are taken against.
        n_people: people asked on the reporting cut.
        share_new: share of the later people without any earlier row; they are not asked.
    """

    protocol: str
    k: int
    rows: tuple[Row, ...]
    winner: int
    in_use: int | None
    baseline: int
    n_people: int
    share_new: float

    def best_of(self, model: str) -> Row | None:
        """The row of this algorithm that did best on the choosing cut."""
        return next((row for row in self.rows if row.model == model), None)


def fit_and_judge(
    model: Model, content: ItemContent | None, split: Split, k: int, stopwatch: Stopwatch = time.perf_counter
) -> Judgement:
    """Fits a model on the seen part of a cut and asks it for the rest."""
    started = stopwatch()
    fitted = model.fit(split.fit, content)
    return judge(fitted, split, k, stopwatch=stopwatch, seconds_fit=stopwatch() - started)


def judge(
    fitted: Model, split: Split, k: int, *, stopwatch: Stopwatch = time.perf_counter, seconds_fit: float = 0.0
) -> Judgement:
    """Asks a fitted model for the k best new items of every person of a cut."""
    started = stopwatch()
    index = best_items(fitted, split, k)
    return judged(fitted, index, split, seconds=(seconds_fit, stopwatch() - started))


def judged(model: Model, index: Int32s, split: Split, *, seconds: tuple[float, float]) -> Judgement:
    """The figures of lists that a model gave.

    Args:
        model: whose they are.
        index: int32[n, k], the best items of every person of the cut.
        split: the cut.
        seconds: of the fit, and of the lists.
    """
    seen = split.fit.net
    people_per_item = np.bincount(seen.indices, minlength=split.fit.n_items).astype(np.float64)
    n_people = int((np.diff(seen.indptr) > 0).sum())
    return Judgement(
        model=model,
        figures=ranking_figures(index, split.truth),
        coverage=coverage(index, split.fit.n_items),
        novelty=novelty(index, people_per_item, n_people),
        seconds_fit=seconds[0],
        seconds_recommend=seconds[1],
    )


def best_items(fitted: Model, split: Split, k: int) -> Int32s:
    """int32[n, k]: the best items of every person of a cut, less what the person touched before it."""
    index = np.full((len(split), k), -1, np.int32)
    for part in blocks(len(split), fitted.block_rows()):
        scores = split.scores(fitted, split.histories(part))
        index[part], _ = top_k(scores, k, split.seen(part))
    return index


def blocks(n: int, step: int) -> list[slice]:
    """0..n in consecutive pieces of at most `step`."""
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def compare(
    models: Sequence[Model],
    interactions: Interactions,
    content: ItemContent | None = None,
    *,
    split: Splitter = calendar,
    k: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
    stopwatch: Stopwatch = time.perf_counter,
) -> Leaderboard:
    """Chooses among models on one cut of the log and reports all of them on a later one.

    The baseline is the model without a personal part that is best on the choosing cut, or the first model.
    """
    reporting = split(interactions).with_content(content)
    choosing = split(reporting.fit).with_content(content)
    tell = progress or (lambda stage, share: None)
    figures = []
    judgements = []
    for position, model in enumerate(models):
        tell(f"comparing {model.name}", position / max(1, len(models)))
        figures.append(fit_and_judge(model, content, choosing, k, stopwatch).ndcg)
        judgements.append(fit_and_judge(model, content, reporting, k, stopwatch))
    tell("compared", 1.0)
    order = sorted(range(len(models)), key=lambda position: -figures[position])
    return leaderboard([judgements[i] for i in order], [figures[i] for i in order], reporting, k=k, seed=seed)


def leaderboard(
    judgements: Sequence[Judgement],
    choosing: Sequence[float | None],
    reporting: Split,
    *,
    k: int,
    seed: int,
    winner: int = 0,
    in_use: int | None = 0,
    baseline: int | None = None,
) -> Leaderboard:
    """Builds the rows from judgements on the reporting cut, given in the order of their choosing figures.

    Args:
        judgements: at least one.
        choosing: NDCG@k of each on the choosing cut.
        reporting: the cut of the judgements.
        k: length of the lists.
        seed: of the bootstrap.
        winner: position of the chosen model.
        in_use: position of the model used in the end, None where it was not measured.
        baseline: position of the model to compare with; the first that is not personal when left out.
    """
    if baseline is None:
        impersonal = [position for position, judged in enumerate(judgements) if not judged.model.personal]
        baseline = impersonal[0] if impersonal else 0
    rows = []
    for position, (judged, figure) in enumerate(zip(judgements, choosing, strict=True)):
        rng = np.random.default_rng(seed)  # the same draws for every row: no row is luckier than another
        difference = (
            None
            if position == baseline
            else difference_interval(
                judged.figures.ndcg, judgements[baseline].figures.ndcg, rng, groups=reporting.groups, bounds=SHARE
            )
        )
        rows.append(
            Row(
                model=judged.model.name,
                settings=judged.model.settings(),
                choosing=figure,
                ndcg=mean_interval(
                    judged.figures.ndcg, np.random.default_rng(seed), groups=reporting.groups, bounds=SHARE
                ),
                recall=float(judged.figures.recall.mean()) if len(reporting) else 0.0,
                coverage=judged.coverage,
                novelty=judged.novelty,
                seconds_fit=judged.seconds_fit,
                seconds_recommend=judged.seconds_recommend,
                difference=difference,
            )
        )
    return Leaderboard(
        protocol=reporting.name,
        k=k,
        rows=tuple(rows),
        winner=winner,
        in_use=in_use,
        baseline=baseline,
        n_people=len(reporting),
        share_new=reporting.share_new,
    )


def sampled(split: Split, at_most: int, seed: int) -> Split:
    """The same cut with at most so many people asked, drawn without replacement."""
    if len(split) <= at_most:
        return split
    chosen = np.sort(np.random.default_rng(seed).choice(len(split), at_most, replace=False))
    return replace(split, people=split.people[chosen], truth=split.truth[chosen])
