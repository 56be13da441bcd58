"""Whether traits tell what to show people who did nothing yet: age, country and the like against plain popularity.

Asked are people of whom no row is known, by date those whose first row comes after the cut, without dates a random
fifth of the people. The model and the baseline are chosen on an earlier cut, and the difference is measured on a later
one, person by person. Traits help where its 95 % interval lies above zero; only then are they used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bespeak.learn.evaluation.evaluate import cold_lists
from bespeak.learn.intervals import Interval, difference_interval, mean_interval
from bespeak.learn.leaderboard import sampled
from bespeak.learn.metrics import ranking_figures
from bespeak.learn.splits import Relevant, Split, calendar, newcomers
from bespeak.learn.words import decimals, described, ends
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.factors.attribute_factors import AttributeFactors
from bespeak.models.interactions import Float64s
from bespeak.models.popular.popularity import Popularity
from bespeak.models.popular.recent_popularity import RecentPopularity
from bespeak.models.popular.segment_popularity import SegmentPopularity

_FEWEST_PEOPLE = 30
_MOST_PEOPLE = 10_000
_KEPT_BACK = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class ColdPeople:
    """What traits are worth.

    Attributes:
        model: the best that reads traits, unfitted.
        baseline: the best that reads none, unfitted.
        ndcg: NDCG@k of the model.
        baseline_ndcg: of the baseline.
        difference: of the two, paired.
        n_people: asked.
        k: length of the lists.
    """

    model: Model
    baseline: Model
    ndcg: Interval
    baseline_ndcg: Interval
    difference: Interval
    n_people: int
    k: int

    @property
    def helps(self) -> bool:
        """Whether traits are better beyond noise."""
        return self.difference.above_zero

    def sentence(self) -> str:
        """The finding in words."""
        sign = "+" if self.difference.mean >= 0 else "-"
        return (
            f"Traits of people, {self.n_people:,} people of whom nothing else is known, NDCG@{self.k}: "
            f"{described(self.baseline)} {decimals(self.baseline_ndcg.mean)}, {described(self.model)} "
            f"{decimals(self.ndcg.mean)}, {sign}{decimals(abs(self.difference.mean))} {ends(self.difference)}: they "
            f"{'help and are used' if self.helps else 'do not help beyond noise and are not used'} for new people."
        )


def judge_traits(
    log: Interactions,
    content: ItemContent | None = None,
    *,
    with_factors: bool = True,
    relevant: Relevant = "positive",
    k: int = 10,
    seed: int = 0,
    tell: Callable[[str], None] = lambda stage: None,
) -> ColdPeople | None:
    """Asks models with and without traits for cold people; None where too few of them have traits to tell.

    Args:
        log: with traits.
        content: of the items.
        with_factors: whether factors with attributes take part.
        relevant: which rows count as right answers.
        k: length of the lists.
        seed: of samples and bootstrap draws.
        tell: told what is being done.
    """
    later = cold_cut(log, relevant, seed)
    if len(later) < _FEWEST_PEOPLE:
        return None
    earlier = cold_cut(later.fit, relevant, seed + 1)
    choosing = earlier if len(earlier) >= _FEWEST_PEOPLE else later

    def best(models: Sequence[Model]) -> Model:
        tell(f"asking {', '.join(described(model) for model in models)} about new people")
        return max(models, key=lambda model: float(_asked(model, content, choosing, k).mean()))

    dated = log.has_times and log.is_ordered
    plain: list[Model] = [Popularity(), *([RecentPopularity()] if dated else [])]
    reading: list[Model] = [SegmentPopularity(), *([SegmentPopularity(recent=True)] if dated else [])]
    if with_factors:
        reading.append(AttributeFactors(seed=seed))
    baseline, model = best(plain), best(reading)
    without, having = (_asked(each, content, later, k) for each in (baseline, model))
    return ColdPeople(
        model=model,
        baseline=baseline,
        ndcg=mean_interval(having, np.random.default_rng(seed)),
        baseline_ndcg=mean_interval(without, np.random.default_rng(seed)),
        difference=difference_interval(having, without, np.random.default_rng(seed)),
        n_people=len(later),
        k=k,
    )


def cold_cut(log: Interactions, relevant: Relevant, seed: int) -> Split:
    """Those people of a log who have traits, asked before their first row.

    By date if enough of them come after the first 80 % of the rows; else a random fifth of all people is kept back.
    """
    if log.has_times and log.is_ordered:
        cut = _with_traits(newcomers(log, calendar(log), relevant))
        if len(cut) >= _FEWEST_PEOPLE:
            return sampled(cut, _MOST_PEOPLE, seed)
    is_kept = np.random.default_rng(seed).random(log.n_users) < _KEPT_BACK
    fit = log.select(~is_kept[log.user_index])
    nobody = np.zeros(0, np.int32)
    cut = Split("new people", fit, fit, nobody, log.net[nobody], fit.last_ms, int(is_kept.sum()), int(is_kept.sum()))
    return sampled(_with_traits(newcomers(log, cut, relevant)), _MOST_PEOPLE, seed)


def _with_traits(cold: Split) -> Split:
    told = cold.known.traits
    has = np.array([told is not None and bool(told.of(person)) for person in cold.people.tolist()], bool)
    return replace(cold, people=cold.people[has], truth=cold.truth[has])


def _asked(model: Model, content: ItemContent | None, cold: Split, k: int) -> Float64s:
    """float64[n]: NDCG@k of each person asked."""
    return ranking_figures(cold_lists(model.fit(cold.fit, content), cold, k), cold.truth).ndcg
