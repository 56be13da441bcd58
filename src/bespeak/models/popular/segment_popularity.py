"""Popularity by segment: what is popular, lifted by what the people of a country, age band or gender like more.

For a trait value s (a segment) and item j, n_sj distinct people of s like j, where the share of s in all likes lets
expect e_sj = n_j N_s / N. How many times likelier than usual that is, is shrunk to 1, the whole population (Clayton and
Kaldor, "Empirical Bayes estimates of age-standardized relative risks", Biometrics 1987, eq. 3.1):

    lift_sj = (n_sj + a) / (e_sj + a)

The prior strength a is one number per trait name, the likeliest under the negative binomial that n_sj then has: a trait
about which people hardly differ gets a large a, hence lifts near 1. Traits add up as evidence, tempered by their
number because a person's likes and traits hang together (summed whole, as naive Bayes does, three did worse than one):

    score_j = votes_j * exp(1 / sqrt(k) * sum over the person's k known traits of ln lift_sj),  votes as in `popularity`

or, when `recent`, as in `recent_popularity`: fashions pass faster than tastes differ, so the lifts are of all events.
Without a known trait that is popularity. The history plays no part.

No lift speaks of few people: a segment needs `min_people` distinct people, and a cell (s, j) that fewer of them like
has lift 1. So no array holds a single person, and what an erased person added is gone with the next training.

Cost: one sparse product, traits by events; memory one number per cell that is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array
from scipy.special import gammaln

from bespeak.models.attribute_terms import AttributeTerms
from bespeak.models.base import Model
from bespeak.models.interactions import Csr, Float32s, Float64s, History, Interactions, ItemContent, Traits
from bespeak.models.linear import dense
from bespeak.models.packing import pack_csr, unpack_csr
from bespeak.models.popular.popularity import Popularity
from bespeak.models.popular.recent_popularity import RecentPopularity

_STRENGTHS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


@dataclass(frozen=True, eq=False)
class SegmentPopularity(Model):
    """Popularity within the segments of a person.

    Args:
        min_people: distinct people behind a segment, and behind each lift of an item in it.
        recent: whether the votes are those of the last days, as `recent_popularity` chooses them.

    Example:
        >>> from bespeak.models.interactions import PersonTraits
        >>> log = Interactions.from_events(list("abcdef"), list("xxxyyy"))
        >>> told = log.with_traits(PersonTraits(log.user_ids, {"country": [["DE"]] * 3 + [["FR"]] * 3}))
        >>> model = SegmentPopularity(min_people=2).fit(told)
        >>> scores = model.scores([History.empty({"country": ["FR"]})], now_ms=0)[0]
        >>> bool(scores[1] > scores[0]), model.leading_trait({"country": ["FR"]}, 1)
        (True, ('country', 'FR'))
    """

    name: ClassVar[str] = "segment_popularity"
    personal: ClassVar[bool] = False
    reads_traits: ClassVar[bool] = True

    min_people: int = 5
    recent: bool = False

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`; without traits in the log it is popularity."""
        likes = interactions.matrix.copy()
        likes.data = np.ones_like(likes.data)
        columns = {} if interactions.traits is None else interactions.traits.attributes
        terms = AttributeTerms.of(columns, np.diff(likes.indptr) > 0, self.min_people)
        together = (terms.matrix_of(columns, interactions.n_users).T @ likes).tocsr()
        together.sort_indices()
        lifts = self._lifts(terms, together, np.asarray(likes.sum(axis=0), np.float64).reshape(-1))
        whole = RecentPopularity() if self.recent else Popularity()
        voted = whole.fit(interactions).scores([History.empty()], interactions.last_ms)[0]
        arrays = {"votes": voted} | terms.arrays("terms") | pack_csr("lifts", lifts)
        return self._fitted(interactions.item_ids, arrays, interactions)

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`: one row for all people of the same traits."""
        held = self._terms.matrix([history.traits for history in histories])
        counts = np.maximum(1, np.diff(held.indptr))
        evidence = dense(held @ self._log_lifts) / np.sqrt(counts, dtype=np.float32)[:, None]
        scores: Float32s = self._array("votes") * np.exp(evidence)
        return scores

    def leading_trait(self, traits: Traits, item: int) -> tuple[str, str] | None:
        """See `Model.leading_trait`: the trait of the largest lift; at least `min_people` people stand behind it."""
        lift, best = max(
            ((self._log_lift(place, item), place) for place in self._terms.positions(traits)), default=(0, 0)
        )
        return self._terms.pairs[best] if lift > 0 else None

    @cached_property
    def _terms(self) -> AttributeTerms:
        self._array("votes")
        return AttributeTerms.from_arrays("terms", self._arrays)

    @cached_property
    def _log_lifts(self) -> Csr:
        return unpack_csr("lifts", self._arrays)

    def _log_lift(self, term: int, item: int) -> float:
        lifts = self._log_lifts
        start, stop = lifts.indptr[term], lifts.indptr[term + 1]
        place = start + np.searchsorted(lifts.indices[start:stop], item)
        return float(lifts.data[place]) if place < stop and lifts.indices[place] == item else 0.0

    def _lifts(self, terms: AttributeTerms, together: Csr, likes_of: Float64s) -> Csr:
        """CSR float32[terms, n_items]: ln lift_sj of the cells with enough people.

        Args:
            terms: the segments.
            together: CSR [terms, n_items], n_sj.
            likes_of: float64[n_items], n_j.
        """
        share = np.asarray(together.sum(axis=1), np.float64).reshape(-1) / max(1.0, float(likes_of.sum()))
        rows = np.repeat(np.arange(len(terms)), np.diff(together.indptr))
        seen, expected = together.data.astype(np.float64), share[rows] * likes_of[together.indices]
        names = np.array([name for name, _ in terms.pairs], object)
        logs = np.zeros(len(seen))
        for name in dict.fromkeys(names.tolist()):
            of_name = names == name
            prior = likeliest_prior(together[of_name], share[of_name], likes_of)
            cells = of_name[rows]
            logs[cells] = np.log((seen[cells] + prior) / (expected[cells] + prior))
        kept = csr_array((np.where(seen >= self.min_people, logs, 0), together.indices, together.indptr),
                         shape=together.shape, dtype=np.float32)  # fmt: skip
        kept.eliminate_zeros()
        return kept


def likeliest_prior(together: Csr, share: Float64s, likes_of: Float64s) -> float:
    """The prior strength a under which the counts of the segments of one trait are likeliest.

    n_sj is negative binomial with size a and mean e_sj = share_s * likes_j, for all cells, those without a like too.

    Example:
        >>> same, apart = csr_array(np.array([[50.0, 50.0]])), csr_array(np.array([[99.0, 1.0]]))
        >>> of = np.array([0.5]), np.array([100.0, 100.0])
        >>> likeliest_prior(same, *of) > likeliest_prior(apart, *of)
        True
    """
    likelihood = np.zeros(len(_STRENGTHS))
    for row, part in enumerate(share.tolist()):
        expected = part * likes_of
        entries = slice(together.indptr[row], together.indptr[row + 1])
        seen, at = together.data[entries].astype(np.float64), expected[together.indices[entries]]
        for place, a in enumerate(_STRENGTHS):
            likelihood[place] -= a * np.log1p(expected / a).sum()
            likelihood[place] += (gammaln(seen + a) - gammaln(a) + seen * np.log(at / (a + at))).sum()
    return _STRENGTHS[int(likelihood.argmax())]
