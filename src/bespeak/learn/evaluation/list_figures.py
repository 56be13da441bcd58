"""What lists are like besides being right: new, varied, popular, alike to what a person chose. One figure per person.

With L the list of a person and pop(i) the number of people who had item i in what the models were fitted on:

    novelty         mean over L of -log2(pop(i) / people)                        (Vargas and Castells 2011)
    diversity       mean over pairs of L of 1 - cosine(i, j), by content         (Ziegler et al. 2005)
    popularity      mean over L of the share of items that are less popular      (Abdollahpouri et al. 2019)
    head share      share of L that is among the most popular fifth of the items
    miscalibration  KL(p || 0.99 q + 0.01 p), in nats, meaned over facets        (Steck 2018, equations 2, 3 and 6)

p is the mean of p(g | i) over what a person liked, q that over L; an item spreads its 1 evenly over its values g of a
facet. A person or a list about which a figure can say nothing gets NaN, which means and intervals leave out.

Over all lists together: coverage (see `metrics`), and the Gini coefficient of how often each item is recommended: 0
when every item is equally often, towards 1 when one item takes every place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from bespeak.models.base import Interactions, ItemContent
from bespeak.models.content import Content
from bespeak.models.interactions import Bools, Csr, Float64s, Int32s
from bespeak.models.packing import unpack_csr

HEAD = 0.2
"""The most popular share of the items that somebody has had."""
_SMOOTHING = 0.01
_LORENZ_POINTS = 41


@dataclass(frozen=True, slots=True, eq=False)
class ItemFacts:
    """What is known of items at the moment of a cut.

    Attributes:
        known_by: float64[n_items], people who had each item.
        n_people: people who had any.
        percentile: float64[n_items], share of the items that fewer people had, equals counting half.
        is_head: bool[n_items], among the most popular fifth.
        vectors: CSR [n_items, terms], rows of length 1 or 0; None without any content.
        facets: facet -> CSR [n_items, values], rows that sum to 1 or 0.
    """

    known_by: Float64s
    n_people: int
    percentile: Float64s
    is_head: Bools
    vectors: Csr | None
    facets: Mapping[str, Csr]

    @classmethod
    def of(cls, fit: Interactions, content: ItemContent | None) -> ItemFacts:
        """The facts as the rows that models may see tell them."""
        seen = fit.net
        known_by = np.bincount(seen.indices, minlength=fit.n_items).astype(np.float64)
        ordered = np.sort(known_by)
        below = np.searchsorted(ordered, known_by, side="left")
        upto = np.searchsorted(ordered, known_by, side="right")
        n_head = int(np.ceil(HEAD * (known_by > 0).sum()))
        is_head = np.zeros(fit.n_items, bool)
        is_head[np.argsort(-known_by, kind="stable")[:n_head]] = True
        aligned = None if content is None else content.aligned(fit.item_ids)
        nobody = fit.select(np.zeros(len(fit), bool))
        vectors = None if aligned is None else unpack_csr("vectors", Content().fit(nobody, aligned).arrays())
        return cls(
            known_by=known_by,
            n_people=int((np.diff(seen.indptr) > 0).sum()),
            percentile=(below + upto) / 2 / max(1, fit.n_items),
            is_head=is_head,
            vectors=vectors if vectors is not None and vectors.nnz else None,
            facets={} if aligned is None else _spread(aligned),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ListFigures:
    """Figures of the lists of one model.

    Attributes:
        novelty: float64[n], bits.
        diversity: float64[n], 0 to 1.
        popularity: float64[n], 0 to 1.
        head_share: float64[n], 0 to 1.
        miscalibration: float64[n], nats, 0 is as the person chose.
        by_facet: facet -> mean miscalibration.
        coverage: share of the items that stand in at least one list.
        gini: of how often items are recommended.
        lorenz: cumulative share of all places that the least recommended share of the items takes, evenly spaced
            from 0 to 1.
    """

    novelty: Float64s
    diversity: Float64s
    popularity: Float64s
    head_share: Float64s
    miscalibration: Float64s
    by_facet: Mapping[str, float]
    coverage: float
    gini: float
    lorenz: tuple[float, ...]


def list_figures(lists: Csr, facts: ItemFacts, liked: Csr) -> ListFigures:
    """All figures of lists.

    Args:
        lists: CSR [n, n_items], ones at the items of each list; see `members`.
        facts: of the items.
        liked: CSR [n, n_items], positive where the person of that row liked an item before being asked.
    """
    surprise = -np.log2(np.minimum(np.maximum(facts.known_by, 0.5) / max(1, facts.n_people), 1))
    facets = {name: miscalibration(lists, liked, spread) for name, spread in facts.facets.items()}
    exposures = np.asarray(lists.sum(axis=0), np.float64).reshape(-1)
    return ListFigures(
        novelty=_mean_over(lists, surprise),
        diversity=diversity(lists, facts.vectors),
        popularity=_mean_over(lists, facts.percentile),
        head_share=_mean_over(lists, facts.is_head.astype(np.float64)),
        miscalibration=_mean_of_known(list(facets.values()), lists.shape[0]),
        by_facet={name: float(np.nanmean(v)) for name, v in facets.items() if not np.isnan(v).all()},
        coverage=float((exposures > 0).mean()) if len(exposures) else 0.0,
        gini=gini(exposures),
        lorenz=lorenz(exposures),
    )


def diversity(lists: Csr, vectors: Csr | None) -> Float64s:
    """float64[n]: mean of 1 - cosine over the pairs of items of a list of which content is known; NaN below two.

    The sum over pairs is taken from the length of the summed vectors, so its cost is that of the list.

    Example:
        >>> lists = csr_array(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
        >>> diversity(lists, csr_array(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))).tolist()
        [0.0, 1.0, nan]
    """
    if vectors is None:
        return np.full(lists.shape[0], np.nan)
    described = (np.diff(vectors.indptr) > 0).astype(np.float64)
    n = lists @ described
    summed = lists @ vectors.astype(np.float64)
    likeness = np.asarray(summed.multiply(summed).sum(axis=1)).reshape(-1) - n  # both orders of each pair
    pairs = n * (n - 1)
    return np.clip(np.where(pairs > 0, 1 - likeness / np.maximum(pairs, 1), np.nan), 0, 1)


def miscalibration(lists: Csr, liked: Csr, spread: Csr) -> Float64s:
    """float64[n]: KL(p || 0.99 q + 0.01 p) in nats; NaN where what was liked, or the list, has no value of the facet.

    Example:
        >>> spread = csr_array(np.array([[1.0, 0.0], [0.0, 1.0]]))
        >>> liked, lists = csr_array(np.array([[1.0, 1.0]])), csr_array(np.array([[1.0, 1.0]]))
        >>> miscalibration(lists, liked, spread).tolist()
        [0.0]
    """
    chosen = csr_array((np.asarray(liked.data > 0, np.float64), liked.indices, liked.indptr), shape=liked.shape)
    wanted, given = _distribution(chosen @ spread), _distribution(lists @ spread)
    can_tell = (np.diff(wanted.indptr) > 0) & (np.diff(given.indptr) > 0)
    rows = np.repeat(np.arange(wanted.shape[0]), np.diff(wanted.indptr))
    p = wanted.data
    # Only values that were wanted add to the divergence: 0 log 0 = 0.
    q = _at(given, rows, wanted.indices)
    terms = p * np.log(p / ((1 - _SMOOTHING) * q + _SMOOTHING * p))
    sums = np.bincount(rows, terms, minlength=wanted.shape[0])
    return np.where(can_tell, np.maximum(sums, 0), np.nan)


def gini(counts: Float64s) -> float:
    """The Gini coefficient of counts that are not negative; 0 without any.

    Example:
        >>> gini(np.array([1.0, 1.0, 1.0])), gini(np.array([0.0, 0.0, 0.0, 8.0]))
        (0.0, 0.75)
    """
    total, n = counts.sum(), len(counts)
    if not total:
        return 0.0
    places = np.arange(1, n + 1)
    return max(0.0, float(((2 * places - n - 1) * np.sort(counts)).sum() / (n * total)))


def lorenz(counts: Float64s) -> tuple[float, ...]:
    """What share of the total the smallest share of the counts has, at even steps from 0 to 1; empty without any."""
    total = counts.sum()
    if not total:
        return ()
    cumulative = np.concatenate([[0.0], np.cumsum(np.sort(counts)) / total])
    steps = np.linspace(0, 1, _LORENZ_POINTS)
    return tuple(np.interp(steps, np.linspace(0, 1, len(cumulative)), cumulative).tolist())


def members(index: Int32s, n_items: int) -> Csr:
    """CSR float64[n, n_items]: ones at the items of lists int32[n, k], -1 for none."""
    rows, places = np.nonzero(index >= 0)
    return csr_array((np.ones(len(rows)), (rows, index[rows, places])), shape=(len(index), n_items))


def _mean_over(lists: Csr, values: Float64s) -> Float64s:
    lengths = np.diff(lists.indptr).astype(np.float64)
    return np.where(lengths > 0, (lists @ values) / np.maximum(lengths, 1), np.nan)


def _mean_of_known(columns: list[Float64s], n: int) -> Float64s:
    if not columns:
        return np.full(n, np.nan)
    stacked = np.stack(columns)
    known = ~np.isnan(stacked)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, stacked, 0).sum(axis=0) / np.maximum(counts, 1), np.nan)


def _spread(content: ItemContent) -> dict[str, Csr]:
    """Facet -> CSR [n_items, values]: each item's 1 spread evenly over its values."""
    found = {}
    for name, column in content.attributes.items():
        values = {value: place for place, value in enumerate(sorted({v for row in column for v in row}))}
        held = [sorted({values[v] for v in row}) for row in column]
        lengths = np.array([len(row) for row in held], np.int64)
        shares = np.repeat(1 / np.maximum(lengths, 1), lengths)
        columns = np.array([place for row in held for place in row], np.int64)
        parts = (shares, columns, np.concatenate([[0], np.cumsum(lengths)]))
        if len(columns):
            found[name] = csr_array(parts, shape=(len(column), len(values)))
    return found


def _distribution(sums: Csr) -> Csr:
    """Rows that sum to 1, or empty ones."""
    rows = sums.tocsr()
    rows.sum_duplicates()
    rows.eliminate_zeros()
    totals = np.asarray(rows.sum(axis=1)).reshape(-1)
    rows.data = rows.data / np.repeat(totals, np.diff(rows.indptr))
    return rows


def _at(matrix: Csr, rows: np.ndarray, columns: np.ndarray) -> Float64s:
    """float64: the entries of a CSR matrix at (row, column) pairs, 0 where there is none."""
    if not matrix.nnz:
        return np.zeros(len(rows))
    width = np.int64(matrix.shape[1])
    keys = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)) * width + matrix.indices
    wanted = rows * width + columns
    order = np.argsort(keys)
    place = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    hit = order[place]
    return np.where(keys[hit] == wanted, matrix.data[hit], 0.0)
