"""The same figures for parts of the people and of the right answers: a mean over everybody hides who is served badly.

People are parted at the quartiles of how many items they had when asked, right answers by how many people had the item
before: nobody (new), few (tail), or among the most popular fifth (head).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from bespeak.learn.evaluation.list_figures import ItemFacts
from bespeak.learn.intervals import SHARE, Interval, mean_intervals
from bespeak.learn.metrics import ranking_figures
from bespeak.models.interactions import Csr, Float64s, Int32s

ItemKind: TypeAlias = Literal["new", "tail", "head"]

_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """People with histories of some length.

    Attributes:
        fewest: items in the shortest history.
        most: items in the longest.
        n_people: how many.
        ndcg: of each row of the leaderboard.
    """

    fewest: int
    most: int
    n_people: int
    ndcg: tuple[Interval, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ItemGroup:
    """Right answers of one kind.

    Attributes:
        kind: `new` items that nobody had before the cut, `tail`, or `head`.
        n_items: items of this kind.
        n_answers: right answers of this kind.
        n_people: people with such an answer.
        recall: of each row of the leaderboard: the share of these answers that stand in the lists.
        share: of each row of the leaderboard: the share of the recommended places that such items take.
    """

    kind: ItemKind
    n_items: int
    n_answers: int
    n_people: int
    recall: tuple[Interval, ...]
    share: tuple[float, ...]


def activity_groups(ndcg: Float64s, lengths: Int32s, seed: int) -> tuple[Group, ...]:
    """The people between the quartiles of the lengths of their histories, shortest first; ties make fewer groups.

    Args:
        ndcg: float64[n, rows].
        lengths: int[n], items in each history.
        seed: of the bootstrap.

    Example:
        >>> groups = activity_groups(np.ones((6, 1)), np.array([1, 1, 1, 1, 5, 9]), seed=0)
        >>> [(group.fewest, group.most, group.n_people) for group in groups]
        [(1, 1, 4), (5, 9, 2)]
    """
    if not len(lengths):
        return ()
    edges = np.unique(np.quantile(lengths, _QUARTILES, method="lower"))
    place = np.searchsorted(edges, lengths, side="left")
    found = []
    for band in np.unique(place).tolist():
        chosen = place == band
        figures = mean_intervals(ndcg[chosen], np.random.default_rng(seed), bounds=[SHARE] * ndcg.shape[1])
        held = lengths[chosen]
        found.append(Group(int(held.min()), int(held.max()), int(chosen.sum()), tuple(figures)))
    return tuple(found)


def item_groups(lists: Sequence[Int32s], truth: Csr, facts: ItemFacts, seed: int) -> tuple[ItemGroup, ...]:
    """Right answers by how well known the item was; kinds that nobody asked for are left out.

    Args:
        lists: of each row of the leaderboard int32[n, k], -1 for none.
        truth: CSR [n, n_items] with ones at the right answers.
        facts: of the items.
        seed: of the bootstrap.
    """
    is_new = facts.known_by == 0
    kinds: dict[ItemKind, np.ndarray] = {"new": is_new, "tail": ~is_new & ~facts.is_head, "head": facts.is_head}
    found = []
    for kind, holds in kinds.items():
        answers = truth.multiply(holds[None, :].astype(np.float32)).tocsr()
        answers.eliminate_zeros()
        people = np.flatnonzero(np.diff(answers.indptr))
        if not len(people):
            continue
        columns = [ranking_figures(index[people], answers[people]).recall for index in lists]
        recall = mean_intervals(np.stack(columns, axis=1), np.random.default_rng(seed), bounds=[SHARE] * len(lists))
        found.append(
            ItemGroup(
                kind=kind,
                n_items=int(holds.sum()),
                n_answers=int(answers.nnz),
                n_people=len(people),
                recall=tuple(recall),
                share=tuple(float(holds[index[index >= 0]].mean()) if (index >= 0).any() else 0.0 for index in lists),
            )
        )
    return tuple(found)
