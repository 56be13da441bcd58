"""Biased factorization: ratings as a sum of how generous a person is, how good an item is, and how their tastes meet.

Koren, Bell and Volinsky, "Matrix factorization techniques for recommender systems" (2009), with the prior of items from
their attributes and every regularisation learned: variational Bayes (Lim and Teh, "Variational Bayesian approach to
movie rating prediction", KDD Cup 2007). A person is x, an item y, and a_i are the item's attributes behind a one:

    r_ui = mean + b_u + b_i + p_u . q_i + noise
    x = (b_u, p_u) ~ N(m, diag s),     y = (b_i, q_i) ~ N(W' a_i, diag t)

Each round gives every person, then every item, its posterior: one regularised least-squares solve in which the other
side stands with its uncertainty (E[z z'] is more than E[z] E[z]'), so few ratings never pass for many:

    precision_x = diag(1/s) + sum over rated i of E[z_i z_i'] / noise,     z_i = (1, q_i)
    mean_x = precision_x^-1 (m / s + sum of E[z_i (r_ui - mean - b_i)] / noise)

and the same with the sides changed. Then m, s, t, noise and W (a ridge regression of the y on the attributes) are
estimated anew. Nothing is left to tune but the length of the vectors, and too long ones do little harm.

Only the items' first and second moments are kept. A person's posterior is computed from the ratings given at the call;
somebody without any gets m. An item without ratings gets what its attributes foretell, one of which nothing is known
what all items have in common. The spread of a prediction holds the uncertainty of both sides and the noise.

Cost: per round ratings * factors^2 + (people + items) * factors^3; memory items * factors^2 numbers and a block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from bespeak.errors import InvalidInput
from bespeak.models.interactions import Csr, Float64s, ItemContent
from bespeak.models.packing import pack_strings, unpack_strings
from bespeak.models.ratings.base import Predictions, RatingModel, Ratings, RatingScale
from bespeak.models.ratings.bilinear import Posterior, block_rows, from_sums, posterior

_MIN_ITEMS = 5  # an attribute value of fewer items says more about these items than about itself
_MAX_TERMS = 500
_ATTRIBUTE_RIDGE = 5.0  # in items
_TINY = 1e-6
_FIRST_BIAS, _FIRST_PERSON, _FIRST_ITEM, _FIRST_NOISE = 0.2, 1.0, 0.02, 0.8  # variances, of ratings with variance 1


@dataclass(frozen=True, eq=False)
class BiasedFactorization(RatingModel):
    """Biases, attributes and factors with learned regularisation.

    Args:
        factors: length of the vectors; 0 leaves biases and attributes alone.
        rounds: alternations.
        seed: of the first vectors.

    Example:
        >>> told = Ratings.of(["a", "b"], ["x", "y", "z"], [0, 0, 1], [0, 1, 0], [5, 1, 4], scale=RatingScale(1, 5))
        >>> model = BiasedFactorization(factors=0).fit(told)
        >>> good, bad = model.predict(told, [1, 1], [0, 1]).values.tolist()
        >>> good > bad
        True
    """

    name: ClassVar[str] = "biased_factorization"

    factors: int = 16
    rounds: int = 20
    seed: int = 0

    def fit(self, ratings: Ratings, items: ItemContent | None = None) -> Self:
        """See `RatingModel.fit`. Text values of attributes count, numbers and texts of items do not.

        Raises:
            InvalidInput: there is no rating, or a setting is out of range.
        """
        if self.factors < 0 or self.rounds < 1:
            raise InvalidInput("factors must be at least 0 and rounds at least 1.")
        if not len(ratings):
            raise InvalidInput("There is no rating to fit on.")
        content = (items or ItemContent(())).aligned(ratings.item_ids)
        terms = _common_terms(content)
        fitting = _Fitting(ratings, _design(content, terms), self.factors, self.seed)
        for _ in range(self.rounds):
            fitting.round()
        arrays: dict[str, npt.NDArray[Any]] = {
            "item_moments": np.vstack([fitting.items, fitting.unknown_item()]).astype(np.float32),
            "item_variance": fitting.item_variance,
            "attribute_weights": fitting.attribute_weights,
            "person_mean": fitting.person_mean,
            "person_variance": fitting.person_variance,
            "noise": np.array([fitting.noise]),
            "centre_and_unit": np.array([fitting.centre, fitting.unit]),
            "scale": np.array([ratings.scale.low, ratings.scale.high]),
        }
        return self._fitted(ratings.item_ids, arrays | pack_strings("terms", terms))

    def predict(self, known: Ratings, user_index: npt.ArrayLike, item_index: npt.ArrayLike) -> Predictions:
        """See `RatingModel.predict`."""
        users, items = np.asarray(user_index, np.int64).reshape(-1), np.asarray(item_index, np.int64).reshape(-1)
        centre, unit = self._array("centre_and_unit").tolist()
        noise, moments = float(self._array("noise")[0]), self._array("item_moments")
        pattern, told = _sides(known, len(self.item_ids), centre, unit)
        prior = self._array("person_mean"), self._array("person_variance"), noise
        values, spreads = np.empty(len(users)), np.empty(len(users))
        step = block_rows(self.factors)
        for start in range(0, len(users), step):
            part = slice(start, start + step)
            people, place = np.unique(users[part], return_inverse=True)
            first, second = posterior(pattern[people], told[people], moments[:-1], *prior).opposite()
            item = moments[items[part]]  # the last row, -1, is the item of which nothing is known
            expected = np.einsum("nd,nd->n", first[place], item[:, : first.shape[1]])
            squared = np.einsum("nt,nt->n", second[place], item)
            values[part] = centre + unit * expected
            spreads[part] = unit * np.sqrt(np.maximum(squared - expected**2, 0) + noise)
        return Predictions(self.scale.clipped(values), spreads)

    def extended(self, items: ItemContent) -> Self:
        """A copy that also knows new items by their attributes; items that it knows stay as they are."""
        known = set(self.item_ids)
        fresh = [item for item in dict.fromkeys(items.item_ids) if item not in known]
        if not fresh:
            return self
        design = _design(items.aligned(fresh), unpack_strings("terms", self._arrays))
        prior = Posterior.independent(design @ self._array("attribute_weights"), self._array("item_variance"))
        moments = self._array("item_moments")
        both = np.vstack([moments[:-1], prior.moments().astype(np.float32), moments[-1:]])
        return self._fitted((*self.item_ids, *fresh), {**self._arrays, "item_moments": both})

    @cached_property
    def scale(self) -> RatingScale:
        """The scale of the ratings that it was fitted on."""
        return RatingScale(*self._array("scale").tolist())


class _Fitting:
    """The state of one fit. Ratings are measured from their mean in units of their standard deviation."""

    def __init__(self, ratings: Ratings, design: Csr, factors: int, seed: int) -> None:
        self.centre = float(ratings.values.mean())
        self.unit = float(ratings.values.std()) or 1.0
        n_items = len(ratings.item_ids)
        pattern, told = _sides(ratings, n_items, self.centre, self.unit)
        is_active = np.diff(pattern.indptr) > 0
        self._pattern, self._told = pattern[is_active], told[is_active]
        self._is_rated = np.bincount(ratings.item_index, minlength=n_items) > 0
        self._factors, self._design = factors, design
        rated = design[self._is_rated]
        ridge = np.full(design.shape[1], _ATTRIBUTE_RIDGE)
        ridge[0] = 0  # what all items have in common is not shrunk
        self._regress = np.linalg.solve((rated.T @ rated).toarray() + np.diag(ridge), rated.T.toarray())
        self.noise = _FIRST_NOISE
        self.person_mean = np.zeros(1 + factors)
        self.person_variance = np.r_[_FIRST_BIAS, np.full(factors, _FIRST_PERSON)]
        self.item_variance = np.r_[_FIRST_BIAS, np.full(factors, _FIRST_ITEM)]
        self.attribute_weights = np.zeros((design.shape[1], 1 + factors))
        start = np.zeros((n_items, 1 + factors))
        start[:, 1:] = np.random.default_rng(seed).normal(0, 0.1, (n_items, factors))
        self.items = Posterior.independent(start, np.zeros(1 + factors)).moments()

    def round(self) -> None:
        """One alternation: people, items, then what both have in common."""
        squares, products = self._meet_people()
        prior = self._prior()
        means, variances, moments = np.empty_like(prior), np.empty_like(prior), np.empty_like(self.items)
        error = float(self._told.data @ self._told.data)
        step = block_rows(self._factors)
        for start in range(0, len(prior), step):
            part = slice(start, start + step)
            found = from_sums(squares[part], products[part], prior[part], self.item_variance, self.noise)
            first, second = found.opposite()
            error += float((second * squares[part]).sum() - 2 * (first * products[part]).sum())
            means[part], variances[part], moments[part] = found.mean, found.variances, found.moments()
        self.items, self.noise = moments, max(error / self._told.nnz, _TINY)
        rated = self._is_rated
        self.attribute_weights = self._regress @ means[rated]
        left = means[rated] - self._prior()[rated]
        self.item_variance = np.maximum((left**2 + variances[rated]).mean(axis=0), _TINY)

    def unknown_item(self) -> Float64s:
        """float64[1, t]: moments of an item of which nothing is known: any of the priors."""
        priors = self._prior()
        return Posterior.independent(priors.mean(axis=0)[None], self.item_variance + priors.var(axis=0)).moments()

    def _prior(self) -> Float64s:
        return np.asarray(self._design @ self.attribute_weights)

    def _meet_people(self) -> tuple[Float64s, Float64s]:
        """Computes everybody anew; returns what the items need of them (see `from_sums`)."""
        squares = np.zeros_like(self.items)
        products = np.zeros((len(self.items), 2 + self._factors))
        total, square, spread = np.zeros((3, 1 + self._factors))
        n_people = self._pattern.shape[0]
        step = block_rows(self._factors)
        for start in range(0, n_people, step):
            pattern, told = self._pattern[start : start + step], self._told[start : start + step]
            people = posterior(pattern, told, self.items, self.person_mean, self.person_variance, self.noise)
            moments = people.moments()
            squares += pattern.T @ moments
            products += told.T @ moments[:, : products.shape[1]]
            total, square = total + people.mean.sum(axis=0), square + (people.mean**2).sum(axis=0)
            spread += people.variances.sum(axis=0)
        self.person_mean = total / n_people
        self.person_variance = np.maximum((square + spread) / n_people - self.person_mean**2, _TINY)
        return squares, products


def _sides(ratings: Ratings, n_items: int, centre: float, unit: float) -> tuple[Csr, Csr]:
    """CSR float64[n_users, n_items]: where there is a rating, and the ratings in units from the centre."""
    shape, places = (len(ratings.user_ids), n_items), (ratings.item_index, ratings.row_starts)
    pattern = csr_array((np.ones(len(ratings)), *places), shape=shape)
    return pattern, csr_array(((ratings.values - centre) / unit, *places), shape=shape)


def _common_terms(content: ItemContent) -> list[str]:
    """The attribute values that enough items have, the most common ones where there are too many."""
    counts = Counter(
        term for name, column in content.attributes.items() for held in column for term in {f"{name}={v}" for v in held}
    )
    usual = sorted((-n, term) for term, n in counts.items() if n >= _MIN_ITEMS)
    return sorted(term for _, term in usual[:_MAX_TERMS])


def _design(content: ItemContent, terms: Sequence[str]) -> Csr:
    """CSR float64[n_items, 1 + terms]: ones at the start of each row and at the terms that the item has."""
    n_items = len(content.item_ids)
    column = {term: place for place, term in enumerate(terms, start=1)}
    rows, columns = list(range(n_items)), [0] * n_items
    for name, values in content.attributes.items():
        for row, held in enumerate(values):
            found = {column[term] for term in (f"{name}={value}" for value in held) if term in column}
            rows.extend([row] * len(found))
            columns.extend(sorted(found))
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=(n_items, 1 + len(terms)))
