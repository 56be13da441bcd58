"""Who is worth treating: learners fitted on a randomised test, their orders judged on all of its people.

Cross-fitting (Chernozhukov et al. 2018): the people are dealt into folds, and those of each fold are scored by learners
that saw the others alone. Scores of two learners need not be alike in size, so people are set in order by their place
in their own fold.

Columns that already differ between treated and untreated people are left out: either the treatment changed them, so
they are no features, or the assignment was not random. Columns that look like ids are left out too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from bespeak.errors import InvalidInput
from bespeak.measure.comparison import Comparison, compare
from bespeak.measure.ranks import average_ranks
from bespeak.measure.sums import Sums
from bespeak.measure.uplift import UpliftFigures, UpliftTest
from bespeak.models.predictors.design import Columns, Design, Names
from bespeak.models.predictors.repeat_purchases import Float64s, Int64s
from bespeak.models.predictors.ridge import Kind
from bespeak.models.predictors.uplift import DrLearner, ResponseModel, TLearner, Treated, UpliftModel

Fit = Callable[..., UpliftModel]

LEARNERS: Mapping[str, Fit] = {"t_learner": TLearner.fit, "dr_learner": DrLearner.fit}
RESPONSE, RANDOM = "response", "random"
FOLDS = 5
_DIFFERS_BELOW = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class Uplift:
    """What was found.

    Attributes:
        average: everybody treated beside nobody, over all rows.
        n_folds: parts of the rows, each judged by learners of the others.
        n_train: rows that each learner saw; n_test: rows that were judged, which are all.
        features: columns that were used; left_out: column -> why not.
        orders: ranker -> figures: the learners, the response model, a random order.
        best: the learner with the larger Qini (AUUC where there is none).
        scores: float64[n], its uplift for every row, from a fit that did not see the row.
    """

    kind: Kind
    average: Comparison
    n_folds: int
    n_train: int
    n_test: int
    features: tuple[str, ...]
    left_out: Mapping[str, str]
    orders: Mapping[str, UpliftFigures]
    best: str
    scores: Float64s


def judge_uplift(
    columns: Columns,
    y: Float64s,
    treated: Treated,
    rng: np.random.Generator,
    *,
    keep: Sequence[str] = (),
    n_folds: int = FOLDS,
    told: Callable[[float], None] = lambda _share: None,
) -> Uplift:
    """Scores every row by learners that did not see it, and judges the orders.

    Args:
        columns: possible features. y: float64[n], finite. treated: bool[n].
        rng: deals rows into folds, and draws intervals.
        keep: columns to use whatever they look like.
        n_folds: each has the same share of each arm and each of two outcomes.
        told: told the share of the folds that is done.

    Raises:
        InvalidInput: too few rows in an arm, an outcome that never varies, or no feature left.
    """
    kind: Kind = "binary" if ((y == 0) | (y == 1)).all() else "amount"
    if len(y) == 0 or np.ptp(y) == 0:
        raise InvalidInput("The outcome never varies.", hint="Take another outcome, or wait for more data.")
    left_out = {name: why for name, column in columns.items() if name not in keep and (why := _unfit(column, treated))}
    used = {name: column for name, column in columns.items() if name not in left_out}
    folds = _folds(y, treated, kind, rng, n_folds)
    scores = {name: np.zeros(len(y)) for name in (*LEARNERS, RESPONSE)}
    places = {name: np.zeros(len(y)) for name in scores}
    for done, test in enumerate((folds == fold for fold in range(n_folds)), 1):
        for name, found in _scored(used, y, treated, test, kind, rng):
            scores[name][test] = found
            places[name][test] = average_ranks(found) / len(found)
        told(done / n_folds)
    places[RANDOM] = rng.random(len(y))
    orders = UpliftTest(y, treated).judge(places, rng)
    best = max(LEARNERS, key=lambda name: _merit(orders[name]))
    return Uplift(
        kind=kind,
        average=compare(Sums.of(y[~treated]), Sums.of(y[treated]), is_proportion=kind == "binary"),
        n_folds=n_folds,
        n_train=len(y) - int(np.bincount(folds).max()),
        n_test=len(y),
        features=tuple(used),
        left_out=left_out,
        orders=orders,
        best=best,
        scores=scores[best],
    )


def _scored(
    columns: Columns, y: Float64s, treated: Treated, test: npt.NDArray[np.bool_], kind: Kind, rng: np.random.Generator
) -> Iterator[tuple[str, Float64s]]:
    """Each learner, fitted on the other rows, and float64[test rows]: its scores."""
    train = ~test
    design = Design.of({name: column[train] for name, column in columns.items()})
    x = design.matrix(columns)
    if x.shape[1] == 0:
        raise InvalidInput("No column is left to predict from.", hint="Name features that vary with --features.")
    for name, fit in {**LEARNERS, RESPONSE: cast("Fit", ResponseModel.fit)}.items():
        yield name, fit(x[train], y[train], treated[train], kind=kind, rng=rng).uplift(x[test])


def _merit(figures: UpliftFigures) -> float:
    return cast("float", figures.auuc.value if figures.qini.value is None else figures.qini.value)


def _folds(y: Float64s, treated: Treated, kind: Kind, rng: np.random.Generator, n_folds: int) -> Int64s:
    """int64[n]: the fold of each row; the groups are dealt out one after the other, so that all folds are alike."""
    if min(int(treated.sum()), int((~treated).sum())) < n_folds:
        raise InvalidInput("An arm has too few rows to hold some back.", hint="Wait for more data.")
    group = treated * 2 + (y if kind == "binary" else 0)
    shuffled = rng.permutation(len(y))
    dealt = shuffled[np.argsort(group[shuffled], kind="stable")]
    folds = np.zeros(len(y), np.int64)
    folds[dealt] = np.arange(len(y)) % n_folds
    return folds


def _unfit(column: Float64s | Names, treated: Treated) -> str:
    """Why a column is no feature; empty where it is one."""
    if isinstance(column, Names):
        held = column.codes >= 0
        if len(column.levels) > 20 and len(column.levels) > 0.1 * held.sum():
            return "an id or free text: its values hardly repeat"
        table = np.stack(
            [np.bincount(column.codes[held & arm], minlength=len(column.levels)) for arm in (treated, ~treated)]
        )
        return _DIFFERS if _p_of_table(table.astype(np.float64)) < _DIFFERS_BELOW else ""
    known = ~np.isnan(column)
    values = column[known]
    if len(values) > 20 and bool((values == np.floor(values)).all()) and len(np.unique(values)) == len(values):
        return "an id: every value is another whole number"
    arms = [Sums.of(column[known & arm]) for arm in (treated, ~treated)]
    if min(arm.n for arm in arms) < 2:
        return ""
    p = compare(*arms).p_value
    return _DIFFERS if p is not None and p < _DIFFERS_BELOW else ""


_DIFFERS = "differs between treated and not: it came after the treatment, or the assignment was not random"


def _p_of_table(table: Float64s) -> float:
    """p of Pearson's chi-square: whether both rows have the same shares; 1 where nothing can be said."""
    table = table[:, table.sum(axis=0) >= 10]
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
        return 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(chdtrc(table.shape[1] - 1, ((table - expected) ** 2 / expected).sum()))
