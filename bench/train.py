"""Training beside the fastest well-kept library, and beside the formula in plain NumPy or SciPy, in one run.

    python bench/train.py [--users 6000] [--items 2500] [--events 600000] [--repeats 3]

The data is synthetic (Zipf popularity within tastes), made from a seed; the last event of each person is held out.
Every row is the median of the repeats, taken in turn so that a busy moment hits all of them alike. Ratios are against
the first row of each group; below 1 is faster. NDCG@10 of the held out events stands beside them: a fit counts as
equal only where that is equal too. User neighbours are not fitted but asked: seconds for 500 people.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from bespeak.models import (
    Ease,
    GraphFilter,
    ImplicitMf,
    Interactions,
    ItemNeighbours,
    Model,
    SequenceRules,
    Slist,
    SparseInverse,
    UserNeighbours,
)
from bespeak.models.topk import top_k
from parts import references as by
from parts.figures import emit, options, peak_mb, tell

ASKED = 1_000
NEIGHBOURS_ASKED = 500
K = 10

Fit = Callable[[Interactions], Model]


def synthetic(n_users: int, n_items: int, n_events: int, seed: int) -> Interactions:
    """Twenty tastes; three of four events fall within a person's own, one of four follows the one before."""
    rng = np.random.default_rng(seed)
    users = np.sort(rng.integers(0, n_users, n_events))
    rank = np.minimum((n_items ** rng.random(n_events)).astype(np.int64), n_items - 1)
    own = rng.random(n_events) < 0.75
    items = np.where(own, (rank // 20 * 20 + users % 20) % n_items, rank)
    follows = np.flatnonzero(rng.random(n_events - 1) < 0.25) + 1
    items[follows] = (items[follows - 1] + 20) % n_items
    names = [str(u) for u in range(n_users)], [str(i) for i in range(n_items)]
    return Interactions.from_arrays(*names, users, items, times_ms=np.arange(n_events))


class NeighboursWithScipy:
    """Resnick et al. 1994: the cosines of all people, dense, and the sum over the nearest 100."""

    def __init__(self, data: Interactions) -> None:
        self._people = by.strengths_of(data)
        lengths = np.sqrt(np.asarray(self._people.multiply(self._people).sum(axis=1)).ravel())
        self._unit = csr_array(self._people.multiply(1 / np.maximum(lengths, 1e-12)[:, None]))

    def ask(self, rows: np.ndarray) -> np.ndarray:
        """float[rows, n_items]."""
        alike = (self._unit[rows] @ self._unit.T).toarray()
        far = np.argpartition(-alike, 100, axis=1)[:, 100:]
        np.put_along_axis(alike, far, 0, axis=1)
        return csr_array(alike) @ self._people


GROUPS: dict[str, dict[str, Fit]] = {
    "EASE": {
        "NumPy, float64": by.ease_with_numpy,
        "bespeak, float64": lambda data: Ease(l2=by.EASE_L2, precision="float64").fit(data),
        "bespeak, float32": lambda data: Ease(l2=by.EASE_L2).fit(data),
    },
    "iALS": {
        "implicit": by.als_with_implicit,
        "bespeak": lambda data: ImplicitMf(factors=by.FACTORS, l2=by.L2, alpha=by.ALPHA, rounds=by.ROUNDS).fit(data),
        "NumPy": by.als_with_numpy,
    },
    "item neighbours": {
        "implicit": by.neighbours_with_implicit,
        "bespeak": lambda data: ItemNeighbours(neighbours=200, shrinkage=0.0).fit(data),
    },
    "graph filter": {
        "SciPy": by.filter_with_scipy,
        "bespeak": lambda data: GraphFilter(factors=by.filtered(data)).fit(data),
    },
    "sparse inverse": {
        "NumPy": by.sparse_inverse_with_numpy,
        "bespeak": lambda data: SparseInverse().fit(data),
    },
    "sequence rules": {
        "SciPy": by.rules_with_scipy,
        "bespeak": lambda data: SequenceRules().fit(data),
    },
    "SLIST": {
        "SciPy": by.slist_with_scipy,
        "bespeak": lambda data: Slist().fit(data),
    },
    "session links": {
        "SciPy, dense": by.session_links_with_scipy,
        "bespeak": lambda data: by.session_links().fit(data),
    },
}


def measure(data: Interactions, right: np.ndarray, repeats: int) -> list[dict[str, object]]:
    """Median seconds per row, its ratio to the first row of its group, and how well what was fitted foretells."""
    _ = data.matrix, data.dislikes  # made once by whoever has the log, not by a model
    rows: list[dict[str, object]] = []
    for group, contenders in GROUPS.items():
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        ndcg = {}
        for _ in range(repeats):
            for name, fit in contenders.items():
                started = time.perf_counter()
                model = fit(data)
                taken[name].append(time.perf_counter() - started)
                ndcg[name] = foretells(model, data, right)
        rows += told(rows_of(group, taken, ndcg))
    return rows + told(asked_neighbours(data, repeats))


def told(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Says rows as soon as they are there."""
    for row in rows:
        ndcg = "" if row["ndcg@10"] is None else f"{row['ndcg@10']:8.4f}"
        tell(f"{row['model']:<16} {row['by']:<18} {row['seconds']:>8.2f} {row['ratio']:>6.2f} {ndcg}")
    return rows


def rows_of(group: str, taken: dict[str, list[float]], ndcg: dict[str, float]) -> list[dict[str, object]]:
    """The rows of one group."""
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    first = next(iter(medians.values()))
    return [
        {"model": group, "by": name, "seconds": seconds, "ratio": seconds / first, "ndcg@10": ndcg.get(name)}
        for name, seconds in medians.items()
    ]


def foretells(model: Model, data: Interactions, right: np.ndarray) -> float:
    """NDCG@10 of the held out events of the first people; what a person had stays in the list."""
    histories = data.histories(np.arange(min(ASKED, data.n_users)))
    index, _ = top_k(model.scores(histories, data.last_ms), K)
    hit, place = np.nonzero(index == right[: len(index), None])
    return float((1 / np.log2(place + 2)).sum() / len(index)) if len(hit) else 0.0


def asked_neighbours(data: Interactions, repeats: int) -> list[dict[str, object]]:
    """User neighbours: nothing is fitted, so what counts is the time of an answer."""
    asked = np.arange(min(NEIGHBOURS_ASKED, data.n_users))
    theirs, ours = NeighboursWithScipy(data), UserNeighbours().fit(data)
    ours.scores(data.histories(asked[:1]), 0)  # what is kept between answers is made by the first
    taken: dict[str, list[float]] = {"SciPy, dense": [], "bespeak": []}
    for _ in range(repeats):
        for name, ask in (
            ("SciPy, dense", lambda: theirs.ask(asked)),
            ("bespeak", lambda: ours.scores(data.histories(asked), 0)),
        ):
            started = time.perf_counter()
            ask()
            taken[name].append(time.perf_counter() - started)
    return rows_of("user neighbours", taken, {})


def main() -> None:
    """Runs the benchmark: a table on stderr, one JSON document on stdout."""
    given = options(
        __doc__,
        users=(6_000, 800, "people"),
        items=(2_500, 400, "items"),
        events=(600_000, 20_000, "events"),
        repeats=(3, 1, "fits of each, of which the median counts"),
        threads=(1, 1, "of BLAS, for everybody; `train` takes one for catalogues of this size"),
    )
    whole = synthetic(given.users, given.items, given.events, seed=1)
    is_last = np.append(whole.user_index[1:] != whole.user_index[:-1], True)
    right = np.full(whole.n_users, -1)
    right[whole.user_index[is_last]] = whole.item_index[is_last]
    data = whole.select(~is_last)
    tell(f"{data.n_users:,} people, {data.n_items:,} items, {data.matrix.nnz:,} pairs; median of {given.repeats}")
    tell(f"{'model':<16} {'by':<18} {'seconds':>8} {'ratio':>6} {'NDCG@10':>8}")
    with threadpool_limits(limits=given.threads, user_api="blas"):
        rows = measure(data, right, given.repeats)
    emit(
        {
            "people": data.n_users,
            "items": data.n_items,
            "pairs": int(data.matrix.nnz),
            "repeats": given.repeats,
            "blas_threads": given.threads,
            "python": platform.python_version(),
            "peak_mb": peak_mb(),
            "rows": rows,
        }
    )


if __name__ == "__main__":
    main()
