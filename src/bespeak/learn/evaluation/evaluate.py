"""Evaluating models side by side on one cut: every figure, its interval, and for whom it holds.

All items are ranked, never a sample of them: sampled figures order models otherwise than full ones do (Krichene and
Rendle 2020). Every model is fitted on what the cut may see, asked for the same people, and compared person by person.
Somebody else's recommendations for the same people stand beside ours; then only those people count whom both answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bespeak.errors import MissingExtra
from bespeak.learn.evaluation.groups import Group, activity_groups, item_groups
from bespeak.learn.evaluation.list_figures import ItemFacts, ListFigures, list_figures, members
from bespeak.learn.evaluation.result import ACCURACY, QUALITY, Difference, Evaluation, Role, Row
from bespeak.learn.intervals import SHARE, SHARE_DIFFERENCE, Interval, mean_intervals, sign_flip_p
from bespeak.learn.leaderboard import Progress, Stopwatch, best_items, blocks
from bespeak.learn.metrics import ranking_figures
from bespeak.learn.splits import Split
from bespeak.learn.words import described
from bespeak.measure.multiplicity import holm
from bespeak.models.base import History, Interactions, ItemContent, Model
from bespeak.models.blend import made_of
from bespeak.models.interactions import Bools, Float64s, Int32s
from bespeak.models.topk import top_k

_SURPRISING = 0.05
_LESS_IS_BETTER = {"miscalibration"}


@dataclass(frozen=True, slots=True, eq=False)
class Entrant:
    """An unfitted model and why it takes part."""

    model: Model
    role: Role


@dataclass(frozen=True, slots=True, eq=False)
class Theirs:
    """Recommendations that somebody else made for a cut.

    Attributes:
        name: what to call them.
        index: int32[n, k], a row for each person of the cut, -1 for none.
        cold: the same for the newcomers of the cut; None when they hold nobody of them.
    """

    name: str
    index: Int32s
    cold: Int32s | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Lists:
    """The lists of one row before they are measured."""

    entrant: Entrant | None
    name: str
    index: Int32s
    cold: Int32s | None
    seconds_fit: float | None
    seconds_recommend: float | None


def chosen_people(split: Split, keep: Bools) -> Split:
    """The same cut asked about some of its people only."""
    chosen = np.flatnonzero(keep)
    return replace(split, people=split.people[chosen], truth=split.truth[chosen])


def evaluate(
    entrants: Sequence[Entrant],
    split: Split,
    cold: Split,
    content: ItemContent | None = None,
    *,
    theirs: Theirs | None = None,
    n_people_of_cut: int | None = None,
    k: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
    stopwatch: Stopwatch = time.perf_counter,
) -> Evaluation:
    """Fits, asks and measures. Deterministic under the seed, seconds aside.

    Args:
        entrants: exactly one of them `in use`; differences are taken from the first that is a `baseline`, without one
            from the model in use.
        split: the cut, with at least one person.
        cold: its newcomers; see `splits.newcomers`.
        content: of the items: diversity and miscalibration need it, as do models of content.
        theirs: somebody else's lists.
        n_people_of_cut: people before a sample was drawn.
        k: length of the lists.
        seed: of the bootstrap and the random signs.
        progress: told what is being done.
        stopwatch: for the seconds.

    Raises:
        MissingExtra: the model in use needs a package that is not installed; other such models are left out.
    """
    tell = progress or (lambda stage, share: None)
    split = split.with_content(content)
    fitted: dict[str, Model] = {}
    lists = []
    left_out = []
    for place, entrant in enumerate(entrants):
        tell(f"evaluating {described(entrant.model)}", place / (len(entrants) + 1))
        try:
            lists.append(_asked(entrant, split, cold, content, k, fitted, stopwatch))
        except MissingExtra as missing:
            if entrant.role == "in use":
                raise
            left_out.append(f"{described(entrant.model)} was left out: {missing}")
    if theirs is not None:
        lists.append(_Lists(None, theirs.name, theirs.index, theirs.cold, None, None))
    tell("drawing intervals", len(entrants) / (len(entrants) + 1))
    found = _measured(lists, split, cold, content, k, seed, n_people_of_cut or len(split))
    return replace(found, left_out=tuple(left_out))


def _asked(
    entrant: Entrant,
    split: Split,
    cold: Split,
    content: ItemContent | None,
    k: int,
    fitted: dict[str, Model],
    stopwatch: Stopwatch,
) -> _Lists:
    started = stopwatch()
    model = _fitted(entrant.model, split.fit, content, fitted)
    then = stopwatch()
    index = best_items(model, split, k)
    return _Lists(
        entrant=entrant,
        name=described(entrant.model),
        index=index,
        cold=cold_lists(model, cold, k) if len(cold) else None,
        seconds_fit=then - started,
        seconds_recommend=stopwatch() - then,
    )


def _fitted(model: Model, fit: Interactions, content: ItemContent | None, known: dict[str, Model]) -> Model:
    """The model on the rows of a cut, each settings of a family fitted once: a blend is made of what is there."""

    def once(part: Model) -> Model:
        key = json.dumps([part.name, part.settings()], sort_keys=True, default=str)
        if key not in known:
            known[key] = part.fit(fit, content)
        return known[key]

    return made_of(model, once, fit)


def cold_lists(model: Model, cold: Split, k: int) -> Int32s:
    """int32[n, k]: lists for people without a history; -1 where a model then knows no order of the items.

    They are the same for all, but from a model that reads traits.
    """
    if not model.reads_traits:
        return np.repeat(_ordered(model, [History.empty()], cold.now_ms, k), len(cold), axis=0)
    pieces = blocks(len(cold), model.block_rows())
    parts = [_ordered(model, cold.histories(part), cold.now_ms, k) for part in pieces]
    return np.concatenate(parts) if parts else np.full((0, k), -1, np.int32)


def _ordered(model: Model, histories: Sequence[History], now_ms: int, k: int) -> Int32s:
    scores = model.scores(histories, now_ms)
    known = np.where(np.isnan(scores), -np.inf, scores)
    if known.size:
        known[known.min(axis=1) == known.max(axis=1)] = -np.inf
    return top_k(known, k)[0]


def _measured(
    lists: Sequence[_Lists],
    split: Split,
    cold: Split,
    content: ItemContent | None,
    k: int,
    seed: int,
    n_people_of_cut: int,
) -> Evaluation:
    facts = ItemFacts.of(split.fit, content)
    liked = split.known.matrix[split.people]
    accuracy = [ranking_figures(each.index, split.truth) for each in lists]
    quality = [list_figures(members(each.index, split.fit.n_items), facts, liked) for each in lists]
    ndcg = np.stack([figures.ndcg for figures in accuracy], axis=1)
    order = sorted(range(len(lists)), key=lambda place: (-float(ndcg[:, place].mean()), place))
    given: list[Role] = [each.entrant.role if each.entrant else "theirs" for each in lists]
    first: Role = "baseline" if "baseline" in given else "in use"
    in_use, baseline = order.index(given.index("in use")), order.index(given.index(first))
    theirs = order.index(given.index("theirs")) if "theirs" in given else None
    roles = [given[place] for place in order]
    lists, accuracy, quality, ndcg = (
        [lists[i] for i in order], [accuracy[i] for i in order], [quality[i] for i in order], ndcg[:, order],
    )  # fmt: skip
    table = [
        np.stack([*(getattr(a, name) for name in ACCURACY), *(getattr(q, name) for name in QUALITY)], axis=1)
        for a, q in zip(accuracy, quality, strict=True)
    ]
    names = (*ACCURACY, *QUALITY)
    bounds = [SHARE if name in ACCURACY else None for name in names] * len(lists)
    intervals = mean_intervals(np.concatenate(table, axis=1), np.random.default_rng(seed), bounds=bounds)
    figures = [dict(zip(names, intervals[i * len(names) :], strict=False)) for i in range(len(lists))]
    rest = [place for place in range(len(lists)) if place != baseline]
    differences = dict(zip(rest, _differences(ndcg[:, rest] - ndcg[:, [baseline]], seed), strict=True))
    truth = split.truth.astype(np.float64)
    return Evaluation(
        protocol=split.name,
        k=k,
        seed=seed,
        now_ms=split.now_ms,
        n_rows_fit=len(split.fit),
        n_items=split.fit.n_items,
        n_people=len(split),
        n_people_of_cut=n_people_of_cut,
        n_answers=int(split.truth.nnz),
        n_people_later=split.n_people_later,
        share_new=split.share_new,
        rows=tuple(
            _row(each, role, found, of_lists, differences.get(place))
            for place, (each, role, found, of_lists) in enumerate(zip(lists, roles, figures, quality, strict=True))
        ),
        in_use=in_use,
        baseline=baseline,
        theirs=theirs,
        against=None if theirs is None else _against(table[in_use] - table[theirs], names, seed),
        asked_for=_means(list_figures(truth, facts, liked)),
        activity=activity_groups(ndcg, np.diff(split.known.net.indptr)[split.people], seed),
        newcomers=_newcomers(lists, cold, k, seed),
        items=item_groups([each.index for each in lists], split.truth, facts, seed),
    )


def _row(each: _Lists, role: Role, figures: dict[str, Interval], of: ListFigures, difference: Difference | None) -> Row:
    model = each.entrant.model if each.entrant else None
    return Row(
        name=each.name,
        model=model.name if model else "",
        settings=model.settings() if model else {},
        role=role,
        figures=figures,
        miscalibration_by_facet=of.by_facet,
        coverage=of.coverage,
        gini=of.gini,
        lorenz=of.lorenz,
        share_filled=float((each.index >= 0).mean()),
        seconds_fit=each.seconds_fit,
        seconds_recommend=each.seconds_recommend,
        difference=difference,
    )


def _differences(columns: Float64s, seed: int, name: str = "ndcg") -> list[Difference]:
    """One per column of paired differences, p-values raised for their number."""
    bounds = [SHARE_DIFFERENCE if name in ACCURACY else None] * columns.shape[1]
    intervals = mean_intervals(columns, np.random.default_rng(seed), bounds=bounds)
    p = sign_flip_p(columns, np.random.default_rng(seed))
    return [
        Difference(interval, float(one), raised, _verdict(name, interval.mean, raised))
        for interval, one, raised in zip(intervals, p, holm(p), strict=True)
    ]


def _verdict(name: str, mean: float, p: float) -> str:
    if p >= _SURPRISING:
        return "no difference beyond noise"
    if name in _LESS_IS_BETTER:
        mean = -mean
    elif name not in ACCURACY:
        return "higher" if mean > 0 else "lower"
    return "better" if mean > 0 else "worse"


def _against(differences: Float64s, names: Sequence[str], seed: int) -> dict[str, Difference]:
    """Per figure, over the people for whom both lists have it; NDCG is asked first, the others are context."""
    found = {}
    for name, column in zip(names, differences.T, strict=True):
        known = column[~np.isnan(column), None]
        if len(known):
            found[name] = _differences(known, seed, name)[0]
    return found


def _means(of: ListFigures) -> dict[str, float]:
    columns = {name: getattr(of, name) for name in QUALITY}
    return {name: float(np.nanmean(column)) for name, column in columns.items() if not np.isnan(column).all()}


def _newcomers(lists: Sequence[_Lists], cold: Split, k: int, seed: int) -> Group | None:
    if not len(cold):
        return None
    nothing = np.full((len(cold), k), -1, np.int32)
    columns = [ranking_figures(nothing if e.cold is None else e.cold, cold.truth).ndcg for e in lists]
    figures = mean_intervals(np.stack(columns, axis=1), np.random.default_rng(seed), bounds=[SHARE] * len(columns))
    return Group(fewest=0, most=0, n_people=len(cold), ndcg=tuple(figures))
