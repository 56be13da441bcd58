"""The 100 best of all items by inner product: multiplying all vectors beside the index, and faiss' own.

    python bench/top_k.py [--largest 1000000] [--queries 100]

Vectors of 64 numbers from a seed: directions in clusters, lengths as popularity spreads them; a person is the sum of
a few items, half of them of one cluster, as a fold-in makes it. `recall` is the share of the 100 best by multiplying
all that is found. p50 over the queries, one at a time, one thread, the three in turn. `faiss` is an IVF with as many
cells and as many probes over the same vectors. Needs the extra `ann`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from bespeak.models.vector_index import VectorIndex
from parts.figures import emit, options, peak_mb, spread, tell

WIDTH, K = 64, 100
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)


def made_up(n_items: int, n_queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Item vectors and people."""
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(max(20, n_items // 500), WIDTH)).astype(np.float32)
    cluster = rng.integers(0, len(middles), n_items)
    vectors = middles[cluster] + 0.7 * rng.normal(size=(n_items, WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths = rng.permutation(1 / np.arange(1, n_items + 1) ** 0.3).astype(np.float32)
    vectors *= lengths[:, None] / lengths.mean()
    people = []
    for _ in range(n_queries):
        known = rng.choice(n_items, 10)
        alike = np.flatnonzero(cluster == cluster[known[0]])[:10]
        people.append(vectors[known].sum(axis=0) + vectors[alike].sum(axis=0))
    return vectors, np.array(people, np.float32)


def multiplied(vectors: np.ndarray, person: np.ndarray) -> np.ndarray:
    """The 100 best by looking at all."""
    scores = vectors @ person
    top = np.argpartition(-scores, K)[:K]
    return top[np.argsort(-scores[top], kind="stable")]


def with_faiss(vectors: np.ndarray, n_cells: int) -> Callable[[np.ndarray], np.ndarray]:
    """An IVF of the library over the vectors as they are."""
    import faiss  # noqa: PLC0415

    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(WIDTH), WIDTH, n_cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid = 10, 64
    index.train(vectors)
    index.add(vectors)
    index.nprobe = max(1, n_cells // 32)
    return lambda person: index.search(person[None], K)[1][0]


def measure(n_items: int, n_queries: int) -> list[dict[str, object]]:
    """A row for each way."""
    vectors, people = made_up(n_items, n_queries)
    started = time.perf_counter()
    index = VectorIndex.build(vectors)
    built = time.perf_counter() - started
    faiss_best = with_faiss(vectors, len(index.centres))
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "all multiplied": lambda person: multiplied(vectors, person),
        "index": lambda person: index.best(person, K)[0],
        "faiss IVF": faiss_best,
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for person in people:
        right: set[int] = set()
        for name, best in ways.items():
            started = time.perf_counter()
            top = best(person)
            taken[name].append((time.perf_counter() - started) * 1000)
            right = right or set(top.tolist())
            found[name].append(len(right & set(top.tolist())) / K)
    return [
        {
            "items": n_items,
            "by": name,
            **spread(taken[name]),
            "recall@100": round(float(np.mean(found[name])), 4),
            "lowest_recall": min(found[name]),
            "build_seconds": round(built, 1) if name == "index" else None,
        }
        for name in ways
    ]


def main() -> None:
    """Runs the benchmark: a table on stderr, one JSON document on stdout."""
    given = options(
        __doc__, largest=(1_000_000, 10_000, "largest catalogue"), queries=(100, 20, "people asked for at each size")
    )
    rows = []
    with threadpool_limits(limits=1):
        for n_items in SIZES:
            if n_items > given.largest:
                break
            for row in measure(n_items, given.queries):
                rows.append(row)
                tell(f"{n_items:>9,} {row['by']:<15} p50 {row['p50_ms']:8.3f} ms  recall {row['recall@100']:.4f}")
    emit({"width": WIDTH, "k": K, "rows": rows, "peak_mb": peak_mb()})


if __name__ == "__main__":
    main()
