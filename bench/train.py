"""EASE and iALS training beside the fastest well-kept library and a plain NumPy reference, in one run.

    python bench/train.py [--users 6000] [--items 2500] [--events 600000] [--repeats 3]

The data is synthetic (Zipf popularity within tastes), made from a seed. Every row is the best of the repeats, taken in
turn so that a busy moment hits all of them alike. Ratios are against the first row of each group; below 1 is faster.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_info, threadpool_limits

from bespeak.models import Ease, ImplicitMf, Interactions, ItemNeighbours
from parts.figures import emit, options, peak_mb, tell

FACTORS, L2, ALPHA, ROUNDS = 64, 10.0, 10.0, 10
EASE_L2 = 300.0


def synthetic(n_users: int, n_items: int, n_events: int, seed: int) -> Interactions:
    """Twenty tastes; three of four events fall within a person's own."""
    rng = np.random.default_rng(seed)
    users = rng.integers(0, n_users, n_events)
    rank = np.minimum((n_items ** rng.random(n_events)).astype(np.int64), n_items - 1)
    own = rng.random(n_events) < 0.75
    items = np.where(own, (rank // 20 * 20 + users % 20) % n_items, rank)
    names = [str(u) for u in range(n_users)], [str(i) for i in range(n_items)]
    return Interactions.from_arrays(*names, users, items, times_ms=np.arange(n_events))


def ease_with_numpy(data: Interactions) -> np.ndarray:
    """The formula as it is printed: dense float64 inverse."""
    strengths = data.matrix.copy()
    strengths.data = np.log2(1 + strengths.data)
    gram = (strengths.T @ strengths).toarray().astype(np.float64)
    inverse = np.linalg.inv(gram + EASE_L2 * np.eye(len(gram)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def als_with_numpy(data: Interactions) -> np.ndarray:
    """Exact alternating least squares, one solve per row."""
    strengths = data.matrix.copy()
    strengths.data = np.log2(1 + strengths.data)
    rng = np.random.default_rng(0)
    sides = [strengths.tocsr(), strengths.T.tocsr()]
    vectors = [rng.random((side.shape[0], FACTORS)) * 0.01 for side in sides]
    for _ in range(ROUNDS):
        for here, there in ((0, 1), (1, 0)):
            base = vectors[there].T @ vectors[there] + L2 * np.eye(FACTORS)
            for row in range(sides[here].shape[0]):
                entries = slice(sides[here].indptr[row], sides[here].indptr[row + 1])
                known = vectors[there][sides[here].indices[entries]]
                extra = ALPHA * sides[here].data[entries]
                vectors[here][row] = np.linalg.solve(base + known.T @ (extra[:, None] * known), known.T @ (1 + extra))
    return vectors[1]


def als_with_implicit(data: Interactions) -> np.ndarray:
    """The library alone, on the same confidences."""
    strengths = data.matrix
    confidence = csr_matrix((1 + ALPHA * np.log2(1 + strengths.data), strengths.indices, strengths.indptr))
    with threadpool_limits(limits=1, user_api="blas"):
        solver = AlternatingLeastSquares(
            factors=FACTORS, regularization=L2, alpha=1.0, iterations=ROUNDS, random_state=0
        )
        solver.fit(confidence.astype(np.float32), show_progress=False)
    return solver.item_factors


def neighbours_with_implicit(data: Interactions) -> object:
    """Cosine neighbours of the library."""
    recommender = CosineRecommender(K=200)
    recommender.fit(csr_matrix(data.matrix), show_progress=False)
    return recommender.similarity


GROUPS: dict[str, dict[str, Callable[[Interactions], object]]] = {
    "EASE": {
        "NumPy, float64": ease_with_numpy,
        "bespeak, float64": lambda data: Ease(l2=EASE_L2, precision="float64").fit(data),
        "bespeak, float32": lambda data: Ease(l2=EASE_L2).fit(data),
    },
    "iALS": {
        "implicit": als_with_implicit,
        "bespeak": lambda data: ImplicitMf(factors=FACTORS, l2=L2, alpha=ALPHA, rounds=ROUNDS).fit(data),
        "NumPy": als_with_numpy,
    },
    "item neighbours": {
        "implicit": neighbours_with_implicit,
        "bespeak": lambda data: ItemNeighbours(neighbours=200).fit(data),
    },
}


def measure(data: Interactions, repeats: int) -> list[dict[str, object]]:
    """Best seconds per row and its ratio to the first row of its group."""
    _ = data.matrix, data.dislikes  # made once by whoever has the log, not by a model
    rows: list[dict[str, object]] = []
    for group, contenders in GROUPS.items():
        best = dict.fromkeys(contenders, float("inf"))
        for _ in range(repeats):
            for name, fit in contenders.items():
                started = time.perf_counter()
                fit(data)
                best[name] = min(best[name], time.perf_counter() - started)
        first = next(iter(best.values()))
        rows += [
            {"model": group, "by": name, "seconds": seconds, "ratio": seconds / first} for name, seconds in best.items()
        ]
    return rows


def main() -> None:
    """Runs the benchmark: a table on stderr, one JSON document on stdout."""
    given = options(
        __doc__,
        users=(6_000, 800, "people"),
        items=(2_500, 400, "items"),
        events=(600_000, 20_000, "events"),
        repeats=(3, 1, "fits of each, of which the best counts"),
    )
    data = synthetic(given.users, given.items, given.events, seed=1)
    rows = measure(data, given.repeats)
    tell(f"{data.n_users:,} people, {data.n_items:,} items, {data.matrix.nnz:,} pairs; best of {given.repeats}")
    tell(f"{'model':<16} {'by':<18} {'seconds':>8} {'ratio':>6}")
    for row in rows:
        tell(f"{row['model']:<16} {row['by']:<18} {row['seconds']:>8.2f} {row['ratio']:>6.2f}")
    emit(
        {
            "people": data.n_users,
            "items": data.n_items,
            "pairs": int(data.matrix.nnz),
            "repeats": given.repeats,
            "blas_threads": max((pool["num_threads"] for pool in threadpool_info()), default=1),
            "python": platform.python_version(),
            "peak_mb": peak_mb(),
            "rows": rows,
        }
    )


if __name__ == "__main__":
    main()
