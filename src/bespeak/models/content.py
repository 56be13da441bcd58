"""Content: items whose texts and attributes are alike. Works for an item that nobody has touched yet.

Salton and Buckley, "Term-weighting approaches in automatic text retrieval" (1988). Every item becomes a unit vector in
up to two blocks, the words of its text and its attribute values ("genre=drama"; numbers as overlapping fifths of their
range):

    entry = (1 + ln tf) * ln((1 + n) / (1 + df)),  each block scaled to length 1, then weighted so that
    v_i . v_j = text_share * cosine of texts + (1 - text_share) * cosine of attributes

(an item that lacks one block has the other alone). W = V V', scores = x W: a sum over the history. The likeness of an
item to itself is 1.

Cost: one pass over the texts; memory and time of scoring grow with the terms per item, never with the people.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, hstack

from bespeak.errors import InvalidInput
from bespeak.models.interactions import Csr, Float32s, Float64s, Int32s, Interactions, ItemContent
from bespeak.models.linear import LinearModel, dense_product
from bespeak.models.packing import pack_csr, pack_strings, unpack_csr, unpack_strings
from bespeak.models.strength import Weighting
from bespeak.models.topk import top_k

_WORD = re.compile(r"\w+")
_QUANTILES = np.linspace(0, 1, 11)


@dataclass(frozen=True, eq=False)
class Content(LinearModel):
    """Likeness of texts and attributes.

    Args:
        text_share: how much of the likeness comes from the texts, between 0 and 1.
        min_items: a term must stand in at least so many items; a term of one item links nothing.
        weighting: how summed weights of a history become strengths.

    Example:
        >>> films = ItemContent(["a", "b", "c"], attributes={"genre": [["war"], ["war"], ["love"]]})
        >>> model = Content().fit(Interactions.from_events(["u"], ["a"], item_ids=["a", "b", "c"]), films)
        >>> model.recommend(["u"], 1).items(0)
        ['b']
    """

    name: ClassVar[str] = "content"
    reads_content: ClassVar[bool] = True

    text_share: float = 0.4
    min_items: int = 2
    weighting: Weighting = "log"

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`; without `items` every score is zero."""
        content = (items or ItemContent(())).aligned(interactions.item_ids)
        edges = {name: _quantiles(values) for name, values in content.numbers.items()}
        texts, attributes = _text_terms(content), _attribute_terms(content, edges)
        arrays: dict[str, npt.NDArray[Any]] = {}
        for block, terms in (("text", texts), ("attribute", attributes)):
            document_counts = Counter(term for counts in terms for term in counts)
            kept = sorted(term for term, count in document_counts.items() if count >= self.min_items)
            rarity = [np.log((1 + len(terms)) / (1 + document_counts[term])) for term in kept]
            arrays |= pack_strings(f"{block}_terms", kept) | {f"{block}_rarity": np.array(rarity, np.float64)}
        arrays |= pack_strings("number_names", list(edges))
        arrays["number_edges"] = np.array(list(edges.values()), np.float64).reshape(len(edges), len(_QUANTILES) - 2)
        vectors = self._vectorised(arrays, texts, attributes)
        return self._fitted(interactions.item_ids, arrays | pack_csr("vectors", vectors), interactions)

    def vectors_of(self, items: ItemContent) -> Csr:
        """CSR float32[n, terms]: the vectors of items that it was not fitted with, at once, from the fitted terms."""
        edges = dict(zip(unpack_strings("number_names", self._arrays), self._array("number_edges"), strict=True))
        return self._vectorised(self._arrays, _text_terms(items), _attribute_terms(items, edges))

    def similar(self, item_index: npt.ArrayLike, k: int) -> tuple[Int32s, Float32s]:
        """See `Model.similar`; items without anything in common are left out."""
        chosen = np.asarray(item_index, np.int64)
        likeness = dense_product(self.vectors[chosen], self._by_term)
        likeness[np.arange(len(chosen)), chosen] = 0
        return top_k(np.where(likeness > 0, likeness, -np.inf), k)

    @cached_property
    def vectors(self) -> Csr:
        """CSR float32[n_items, terms]: the vectors of its items, of length 1, or 0 where nothing is known."""
        self._array("vectors_data")
        return unpack_csr("vectors", self._arrays)

    @cached_property
    def _by_term(self) -> Csr:
        return self.vectors.T.tocsr()

    def _pull(self, strengths: Csr) -> Float32s:
        return dense_product(strengths @ self.vectors, self._by_term)

    def _push_down(self, strengths: Csr) -> Float32s:
        return self._pull(strengths)

    def _links(self, items: Int32s, item: int) -> Float32s:
        return dense_product(self.vectors[items], self.vectors[[item]].T).reshape(-1)

    def _self_similar(self) -> bool:
        return True

    def _vectorised(
        self,
        arrays: Mapping[str, npt.NDArray[Any]],
        texts: Sequence[Counter[str]],
        attributes: Sequence[Counter[str]],
    ) -> Csr:
        """CSR float32[n, terms], rows of length 1 or 0."""
        if not 0 <= self.text_share <= 1:
            raise InvalidInput(f"text_share must lie between 0 and 1, got {self.text_share:g}.")
        blocks = [
            _weighted_terms(terms, unpack_strings(f"{block}_terms", arrays), arrays[f"{block}_rarity"])
            for block, terms in (("text", texts), ("attribute", attributes))
        ]
        has_text, has_attributes = (np.diff(block.indptr) > 0 for block in blocks)
        text_part = np.where(has_attributes, self.text_share, 1.0) * has_text
        attribute_part = np.where(has_text, 1 - self.text_share, 1.0) * has_attributes
        parts = (text_part, attribute_part)
        scaled = [_scaled_rows(block, np.sqrt(part)) for block, part in zip(blocks, parts, strict=True)]
        return hstack(scaled, format="csr").astype(np.float32)


def words(text: str) -> list[str]:
    """Lower-cased words, accents folded, single characters left out.

    Example:
        >>> words("Le Café, 1994")
        ['le', 'cafe', '1994']
    """
    folded = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return [word for word in _WORD.findall(folded) if len(word) > 1]


def _text_terms(content: ItemContent) -> list[Counter[str]]:
    return [Counter(words(text)) for text in content.texts] or [Counter() for _ in content.item_ids]


def _attribute_terms(content: ItemContent, edges: Mapping[str, Float64s]) -> list[Counter[str]]:
    terms: list[Counter[str]] = [Counter() for _ in content.item_ids]
    for name, column in content.attributes.items():
        for row, values in enumerate(column):
            terms[row].update(f"{name}={value}" for value in set(values))
    for name, numbers in content.numbers.items():
        for row, number in enumerate(numbers.tolist()):
            if name in edges and np.isfinite(number):
                terms[row].update(f"{name}~{part}" for part in _fifths(number, edges[name]))
    return terms


def _quantiles(values: Float64s) -> Float64s:
    """float64[9]: the inner tenths of the known values."""
    known = values[np.isfinite(values)]
    return np.quantile(known, _QUANTILES[1:-1]) if len(known) else np.zeros(len(_QUANTILES) - 2)


def _fifths(number: float, edges: Float64s) -> Iterable[int]:
    """The two overlapping fifths of the range that a number lies in, so that near numbers share at least one."""
    tenth = int(np.searchsorted(edges, number, side="right"))
    return (tenth, tenth + 1)


def _weighted_terms(terms: Sequence[Counter[str]], kept: Sequence[str], rarity: Float64s) -> Csr:
    """CSR float64[n, len(kept)]: (1 + ln tf) * rarity, rows of length 1 or 0."""
    column = {term: position for position, term in enumerate(kept)}
    entries = [[(column[term], count) for term, count in counts.items() if term in column] for counts in terms]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in entries], dtype=np.int64)]).astype(np.int32)
    indices = np.array([term for row in entries for term, _ in row], np.int32)
    counts = np.array([count for row in entries for _, count in row], np.float64)
    data = (1 + np.log(counts)) * rarity[indices]
    matrix = csr_array((data, indices, indptr), shape=(len(terms), len(kept)))
    matrix.eliminate_zeros()  # a term of every item says nothing
    matrix.sort_indices()
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).reshape(-1))
    return _scaled_rows(matrix, np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0))


def _scaled_rows(matrix: Csr, factors: Float64s) -> Csr:
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return csr_array((matrix.data * factors[rows], matrix.indices, matrix.indptr), shape=matrix.shape)
