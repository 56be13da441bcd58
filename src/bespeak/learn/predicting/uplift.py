"""Who is worth treating: learners fitted on one part of a randomised test, their orders judged on the other.

Columns that already differ between treated and untreated people are left out: either the treatment changed them, so
they are no features, or the assignment was not random. Columns that look like ids are left out too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from bespeak.errors import InvalidInput
from bespeak.measure.comparison import Comparison, compare
from bespeak.measure.sums import Sums
from bespeak.measure.uplift import UpliftFigures, UpliftTest
from bespeak.models.predictors.design import Columns, Design, Names
from bespeak.models.predictors.repeat_purchases import Float64s
from bespeak.models.predictors.ridge import Kind
from bespeak.models.predictors.uplift import DrLearner, ResponseModel, TLearner, Treated, UpliftModel

Fit = Callable[..., UpliftModel]

LEARNERS: Mapping[str, Fit] = {"t_learner": TLearner.fit, "dr_learner": DrLearner.fit}
RESPONSE, RANDOM = "response", "random"
TEST_SHARE = 0.3
_DIFFERS_BELOW = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class Uplift:
    """What was found.

    Attributes:
        average: everybody treated beside nobody, over all rows.
        n_train, n_test: rows.
        features: columns that were used; left_out: column -> why not.
        orders: ranker -> figures on the test part: the learners, the response model, a random order.
        best: the learner with the larger Qini (AUUC where there is none).
        scores: float64[n], its uplift for every row.
    """

    kind: Kind
    average: Comparison
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
    test_share: float = TEST_SHARE,
) -> Uplift:
    """Fits on one part of the rows and judges on the other.

    Args:
        columns: possible features. y: float64[n], finite. treated: bool[n].
        rng: splits rows and folds, and draws intervals.
        keep: columns to use whatever they look like.
        test_share: of the rows, the same of each arm and each of two outcomes.

    Raises:
        InvalidInput: too few rows in an arm, an outcome that never varies, or no feature left.
    """
    kind: Kind = "binary" if ((y == 0) | (y == 1)).all() else "amount"
    if len(y) == 0 or np.ptp(y) == 0:
        raise InvalidInput("The outcome never varies.", hint="Take another outcome, or wait for more data.")
    left_out = {name: why for name, column in columns.items() if name not in keep and (why := _unfit(column, treated))}
    used = {name: column for name, column in columns.items() if name not in left_out}
    test = _test_part(y, treated, kind, rng, test_share)
    design = Design.of({name: column[~test] for name, column in used.items()})
    x = design.matrix(used)
    if x.shape[1] == 0:
        raise InvalidInput("No column is left to predict from.", hint="Name features that vary with --features.")
    fitted = {
        name: fit(x[~test], y[~test], treated[~test], kind=kind, rng=rng)
        for name, fit in {**LEARNERS, RESPONSE: cast("Fit", ResponseModel.fit)}.items()
    }
    scores = {name: model.uplift(x) for name, model in fitted.items()}
    scores[RANDOM] = rng.random(len(y))
    held = UpliftTest(y[test], treated[test])
    orders = held.judge({name: values[test] for name, values in scores.items()}, rng)
    best = max(LEARNERS, key=lambda name: _merit(orders[name]))
    return Uplift(
        kind=kind,
        average=compare(Sums.of(y[~treated]), Sums.of(y[treated]), is_proportion=kind == "binary"),
        n_train=int((~test).sum()),
        n_test=int(test.sum()),
        features=tuple(used),
        left_out=left_out,
        orders=orders,
        best=best,
        scores=scores[best],
    )


def _merit(figures: UpliftFigures) -> float:
    return cast("float", figures.auuc.value if figures.qini.value is None else figures.qini.value)


def _test_part(
    y: Float64s, treated: Treated, kind: Kind, rng: np.random.Generator, share: float
) -> npt.NDArray[np.bool_]:
    group = treated * 2 + (y if kind == "binary" else 0)
    test = np.zeros(len(y), np.bool_)
    for one in np.unique(group):
        rows = np.flatnonzero(group == one)
        test[rng.permutation(rows)[: round(share * len(rows))]] = True
    if not (test & treated).any() or not (test & ~treated).any():
        raise InvalidInput("An arm has too few rows to hold some back.", hint="Wait for more data.")
    return test


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
