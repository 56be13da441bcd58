"""What an evaluation found, as values: models side by side on one cut, every figure with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bespeak.learn.evaluation.groups import Group, ItemGroup
from bespeak.learn.intervals import Interval

Role: TypeAlias = Literal["in use", "candidate", "baseline", "theirs"]

ACCURACY = ("ndcg", "recall", "map", "mrr", "hit")
QUALITY = ("novelty", "diversity", "popularity", "head_share", "miscalibration")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure less another of the same people.

    Attributes:
        interval: mean and 95 % interval.
        p: two-sided, by random signs.
        p_holm: raised for the number of models that were compared.
        verdict: `better` or `worse`, of a figure that is neither `higher` or `lower`; where `p_holm` is 0.05 or more
            `no difference beyond noise`.
    """

    interval: Interval
    p: float
    p_holm: float
    verdict: str


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One model.

    Attributes:
        name: in words, with the settings that differ from the family's usual ones.
        model: name of the algorithm; empty for somebody else's lists.
        settings: its constructor arguments.
        role: why it takes part.
        figures: NDCG, recall, MAP, MRR and hit rate at k, and the figures of `list_figures`. Of a figure about which
            nothing can be said, `n` is 0.
        miscalibration_by_facet: in nats.
        coverage: share of the items that are recommended to anybody.
        gini: how unevenly items are recommended, 0 to 1.
        lorenz: share of all places that the least recommended items take, at even steps.
        share_filled: share of the k places that hold an item.
        seconds_fit: None for somebody else's.
        seconds_recommend: for all people asked; None for somebody else's.
        difference: of NDCG from the baseline; None for the baseline itself.
    """

    name: str
    model: str
    settings: Mapping[str, Any]
    role: Role
    figures: Mapping[str, Interval]
    miscalibration_by_facet: Mapping[str, float]
    coverage: float
    gini: float
    lorenz: tuple[float, ...]
    share_filled: float
    seconds_fit: float | None
    seconds_recommend: float | None
    difference: Difference | None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What was measured on one cut; rows by NDCG, the highest first.

    Attributes:
        protocol: name of the cut.
        k: length of the lists.
        seed: of the draws.
        now_ms: time of the last row that models were fitted on; lists are made as at this moment.
        n_rows_fit: rows that models were fitted on.
        n_items: items ranked for everybody.
        n_people: people asked.
        n_people_of_cut: people whom the cut could ask; more than asked where a sample was drawn or `theirs` hold fewer.
        n_answers: right answers of those asked.
        n_people_later: people with rows after the cut.
        share_new: share of these without any row before it.
        rows: one per model.
        in_use: place of the model in use.
        baseline: place of the row that differences are taken from.
        theirs: place of somebody else's lists, or None.
        against: figure -> the model in use less theirs, or None.
        asked_for: what the right answers themselves are like: novelty, diversity, popularity, head share and
            miscalibration of what people turned to.
        activity: the same people by the length of their history.
        newcomers: people without any row when they are asked; None when there are none.
        items: recall of right answers that were new, in the tail, or in the head.
        left_out: models that need a package which is not installed, in words.
    """

    protocol: str
    k: int
    seed: int
    now_ms: int
    n_rows_fit: int
    n_items: int
    n_people: int
    n_people_of_cut: int
    n_answers: int
    n_people_later: int
    share_new: float
    rows: tuple[Row, ...]
    in_use: int
    baseline: int
    theirs: int | None
    against: Mapping[str, Difference] | None
    asked_for: Mapping[str, float]
    activity: tuple[Group, ...]
    newcomers: Group | None
    items: tuple[ItemGroup, ...]
    left_out: tuple[str, ...] = ()
