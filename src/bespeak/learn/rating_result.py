"""What foretelling ratings reached, as values and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bespeak.learn.intervals import Interval
from bespeak.learn.words import day, decimals, ends


@dataclass(frozen=True, slots=True)
class RatingRow:
    """One way to foretell.

    Attributes:
        name: in words.
        rmse: root of the mean squared error, in units of the scale.
        mae: mean absolute error.
    """

    name: str
    rmse: Interval
    mae: Interval


@dataclass(frozen=True, slots=True)
class Bin:
    """Calibration: predictions of about one size.

    Attributes:
        foretold: their mean.
        given: the mean of what people gave; `n` counts people.
        n: predictions.
    """

    foretold: float
    given: Interval
    n: int


@dataclass(frozen=True, slots=True)
class Band:
    """Questions by a number of ratings: of the person before they were asked, or of the item before the cut.

    Attributes:
        fewest: ratings.
        most: ratings; None is any number.
        n: questions.
        rmse: of each row.
    """

    fewest: int
    most: int | None
    n: int
    rmse: tuple[Interval, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RatingEvaluation:
    """How far predictions are off.

    Attributes:
        cut: `live`: each later rating is foretold from what its person had rated until then; `held out`: ratings drawn
            at random, of data without times.
        low: lowest rating that can be given.
        high: highest.
        n_fit: ratings that models were fitted on.
        n_asked: ratings that were foretold.
        n_people: people who gave these.
        until_ms: time of the last rating of the fit.
        settings: of the model in use.
        rows: baselines and the model in use.
        in_use: place of the model in use.
        baseline: place of the best baseline.
        difference: RMSE of the model in use less that of the best baseline; below 0 is better.
        calibration: from the lowest predictions to the highest.
        calibration_error: mean distance of what was given from what was foretold, over the bins.
        within_80: share of ratings within what the model calls its 80 % interval.
        activity: by how many ratings of the person were known.
        items: by how many ratings the item had.
    """

    cut: Literal["live", "held out"]
    low: float
    high: float
    n_fit: int
    n_asked: int
    n_people: int
    until_ms: int
    settings: Mapping[str, Any]
    rows: tuple[RatingRow, ...]
    in_use: int
    baseline: int
    difference: Interval
    calibration: tuple[Bin, ...]
    calibration_error: float
    within_80: float
    activity: tuple[Band, ...]
    items: tuple[Band, ...]

    def metrics(self) -> dict[str, float]:
        """Figures for the header of a stored version."""
        used = self.rows[self.in_use]
        return {
            "ratings.rmse": used.rmse.mean,
            "ratings.mae": used.mae.mean,
            "ratings.baseline.rmse": self.rows[self.baseline].rmse.mean,
            "ratings.calibration_error": self.calibration_error,
            "ratings.within_80": self.within_80,
        }

    def sentences(self) -> list[str]:
        """What was asked and how far off the answers are."""
        used, baseline = self.rows[self.in_use], self.rows[self.baseline]
        if self.cut == "live":
            how = f"{self.n_asked:,} ratings given after {day(self.until_ms)}, each foretold from what its person had "
            how += "rated until then"
        else:
            how = f"{self.n_asked:,} ratings drawn at random (the ratings carry no times)"
        verdict = "better" if self.difference.below_zero else "worse" if self.difference.above_zero else "within noise"
        return [
            f"Ratings ({self.low:g} to {self.high:g}): {how}: RMSE {decimals(used.rmse.mean)} {ends(used.rmse)}, "
            f"MAE {decimals(used.mae.mean)}; the best baseline ({baseline.name}) has RMSE "
            f"{decimals(baseline.rmse.mean)}: {verdict}.",
            f"What people gave lies {decimals(self.calibration_error)} from what was foretold for groups of alike "
            f"predictions; the 80 % intervals hold {self.within_80:.0%} of the ratings.",
        ]
