"""The formulas of the models as their papers print them, in plain NumPy and SciPy, and libraries that have them.

Each takes a log and gives a fitted model of ours that holds the other's numbers, so that the same code asks both.
"""

from __future__ import annotations

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_array, csr_matrix, diags_array
from scipy.sparse.linalg import svds
from threadpoolctl import threadpool_limits

from bespeak.models import (
    Ease,
    GraphFilter,
    ImplicitMf,
    Interactions,
    ItemNeighbours,
    SequenceRules,
    SessionLinks,
    Slist,
)
from bespeak.models.base import Model
from bespeak.models.item_weights.sparse_inverse import SparseInverse
from bespeak.models.linear import packed_weights

FACTORS, L2, ALPHA, ROUNDS = 64, 10.0, 10.0, 10
EASE_L2 = 300.0


def strengths_of(data: Interactions) -> csr_array:
    """log2(1 + n), as the models weigh."""
    strengths = data.matrix.copy()
    strengths.data = np.log2(1 + strengths.data)
    return strengths


def filtered(data: Interactions) -> int:
    """How many directions a graph filter keeps."""
    return min(256, data.n_items // 4)


def ease_with_numpy(data: Interactions) -> Model:
    """Steck 2019: a dense float64 inverse. RecTools has these very lines."""
    strengths = strengths_of(data)
    gram = (strengths.T @ strengths).toarray().astype(np.float64)
    inverse = np.linalg.inv(gram + EASE_L2 * np.eye(len(gram)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return _linear(Ease(l2=EASE_L2, precision="float64"), data, {"weights": weights.astype(np.float32)})


def als_with_numpy(data: Interactions) -> Model:
    """Hu, Koren, Volinsky 2008: exact alternating least squares, one solve per row."""
    strengths = strengths_of(data)
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
    return _factors(data, vectors[1])


def als_with_implicit(data: Interactions) -> Model:
    """The library alone, on the same confidences."""
    strengths = strengths_of(data)
    confidence = csr_matrix((1 + ALPHA * strengths.data, strengths.indices, strengths.indptr), shape=strengths.shape)
    with threadpool_limits(limits=1, user_api="blas"):
        solver = AlternatingLeastSquares(
            factors=FACTORS, regularization=L2, alpha=1.0, iterations=ROUNDS, random_state=0
        )
        solver.fit(confidence.astype(np.float32), show_progress=False)
    return _factors(data, solver.item_factors)


def neighbours_with_implicit(data: Interactions) -> Model:
    """Cosine neighbours of the library; an item is one of its own neighbours there."""
    recommender = CosineRecommender(K=201)
    recommender.fit(csr_matrix(strengths_of(data)), show_progress=False)
    return _linear(ItemNeighbours(), data, packed_weights(_without_diagonal(csr_array(recommender.similarity.tocsr()))))


def filter_with_scipy(data: Interactions) -> Model:
    """Shen et al. 2021 (GF-CF): R'R and the exact first singular vectors, dense; cut, lifted and tilted as ours is."""
    ours = GraphFilter(factors=filtered(data))
    strengths = strengths_of(data).astype(np.float64)
    people, items = (np.maximum(np.asarray(strengths.sum(axis=axis)).ravel(), 1e-12) for axis in (1, 0))
    middle, tilt = (ours.known + ours.scored) / 2, (ours.known - ours.scored) / 2
    balanced = diags_array(people ** (-ours.person / 2)) @ strengths @ diags_array(items**-middle)
    _, sizes, directions = svds(balanced, k=ours.factors, random_state=0)
    spectrum = sizes**2
    unit = spectrum.min()
    gains = np.minimum(spectrum, ours.cap * unit) - spectrum + ours.lift * unit
    weights = (balanced.T @ balanced).toarray() + (directions.T * gains) @ directions
    weights *= (items**-tilt)[:, None] * items**tilt
    np.fill_diagonal(weights, 0)
    return _linear(Ease(), data, {"weights": weights.astype(np.float32)})


def sparse_inverse_with_numpy(data: Interactions) -> Model:
    """Grote and Huckle 1997: one dense solve per item on its nearest items, from the whole of X'X."""
    ours = SparseInverse()
    strengths = strengths_of(data)
    gram = (strengths.T @ strengths).toarray().astype(np.float64)
    sums = np.maximum(np.asarray(strengths.sum(axis=0)).ravel(), 1e-12)
    near = gram / np.sqrt(np.outer(sums, sums))
    np.fill_diagonal(near, 0)
    penalty = ours.l2 + ours.dropout / (1 - ours.dropout) * np.diag(gram)
    weights = np.zeros_like(gram)
    for item in range(len(gram)):
        chosen = np.argpartition(-near[item], ours.neighbours)[: ours.neighbours]
        chosen = chosen[near[item, chosen] > 0]
        weights[chosen, item] = np.linalg.solve(
            gram[np.ix_(chosen, chosen)] + np.diag(penalty[chosen]), gram[chosen, item]
        )
    return _linear(ours, data, packed_weights(csr_array(weights.astype(np.float32))))


def rules_with_scipy(data: Interactions) -> Model:
    """Ludewig and Jannach 2018: all pairs in one sparse matrix."""
    ours = SequenceRules()
    links = _pairs(data, ours.window, lambda gap: 1 / gap).tocoo()
    counts = np.bincount(data.item_index, minlength=data.n_items).astype(np.float64)
    links.data /= (counts[links.row] * counts[links.col]) ** ours.norm
    return _linear(ours, data, packed_weights(_strongest(_without_diagonal(links.tocsr()), ours.successors)))


def slist_with_scipy(data: Interactions) -> Model:
    """Choi et al. 2021, equations 6 to 10, with every prefix of every history written out as a row."""
    ours = Slist()
    gamma, reach = np.exp(-1 / ours.memory), int(ours.memory * np.log(1000)) + 1
    user, item = data.user_index, data.item_index
    rows, columns, values = [], [], []
    for back in range(1, reach + 1):
        same = np.flatnonzero(user[back:] == user[:-back])
        rows.append(same + back)
        columns.append(item[same])
        values.append(np.full(len(same), gamma ** (back - 1)))
    x = csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (len(item), data.n_items))
    rows, columns, values = [], [], []
    for ahead in range(ours.ahead):
        same = np.flatnonzero(user[ahead:] == user[: len(user) - ahead])
        rows.append(same)
        columns.append(item[same + ahead])
        values.append(np.full(len(same), 1 / (ahead + 1)))
    y = csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), x.shape)
    cases = np.flatnonzero(user[1:] == user[:-1]) + 1
    x, y = x[cases], y[cases]
    links = (x.T @ y).toarray()
    np.fill_diagonal(links, 0)
    weights = np.linalg.solve((x.T @ x).toarray() + ours.l2 * np.eye(data.n_items), links)
    np.fill_diagonal(weights, 0)
    return _linear(ours, data, {"weights": weights.astype(np.float32)})


def session_links_with_scipy(data: Interactions) -> Model:
    """The formula of our own model, all pairs and both steps at once in dense float64."""
    ours = session_links()
    after = _pairs(data, ours.window, lambda gap: np.exp(-(gap - 1) / ours.ahead))
    before = _pairs(data, ours.window, lambda gap: ours.behind_share * np.exp(-(gap - 1) / ours.behind))
    counts = np.bincount(data.item_index, minlength=data.n_items).astype(np.float64)
    near = (after + before.T).toarray() + np.diag(counts)
    steps = near - np.diag(np.diag(near))
    for row in steps:
        row[np.argsort(-row)[ours.fan :]] = 0
    steps /= np.maximum(steps.sum(axis=1, keepdims=True), 1e-300)
    two = steps @ steps
    np.fill_diagonal(two, 0)
    common = np.maximum(np.asarray((data.matrix > 0).sum(axis=0)).ravel(), 1)
    scaled = near * (common**-ours.rarity)[:, None]
    whole = (scaled + ours.second_step * scaled.sum(axis=1, keepdims=True) * two) * common**-ours.item_rarity
    return _linear(ours, data, packed_weights(_strongest(csr_array(whole), ours.links)))


def session_links() -> SessionLinks:
    """Everything that a person did is one visit, all of them count the same."""
    return SessionLinks(gap_minutes=None, length=0.0, recency=0.0)


def _pairs(data: Interactions, window: int, weight: object) -> csr_array:
    rows, columns, values = [], [], []
    for gap in range(1, window + 1):
        same = np.flatnonzero(data.user_index[gap:] == data.user_index[:-gap])
        rows.append(data.item_index[same])
        columns.append(data.item_index[same + gap])
        values.append(np.full(len(same), weight(gap)))
    places = np.concatenate(rows), np.concatenate(columns)
    return csr_array((np.concatenate(values), places), shape=(data.n_items, data.n_items))


def _without_diagonal(matrix: csr_array) -> csr_array:
    return (matrix - diags_array(matrix.diagonal())).tocsr()


def _strongest(matrix: csr_array, k: int) -> csr_array:
    whole = matrix.toarray()
    for row in whole:
        row[np.argpartition(-row, min(k, len(row) - 1))[k:]] = 0
    return csr_array(whole.astype(np.float32))


def _factors(data: Interactions, vectors: np.ndarray) -> Model:
    vectors = np.asarray(vectors, np.float32)
    arrays = {"vectors": vectors, "gram": (vectors.T @ vectors).astype(np.float64)}
    return _linear(ImplicitMf(factors=FACTORS, l2=L2, alpha=ALPHA), data, arrays)


def _linear(ours: Model, data: Interactions, arrays: dict[str, np.ndarray]) -> Model:
    return type(ours).from_arrays(ours.settings(), data.item_ids, arrays)
