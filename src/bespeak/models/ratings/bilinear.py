"""One side of a bilinear rating model given the other, with the uncertainty of both: posteriors and their moments.

A person is (b, v), an item is (c, w), a rating is  b + c + v . w + noise.  Written with a constant one, as (1, b, v)
and (1, c, w), both sides have the same form, so one function serves both. What one side needs to know of the other
are the first and second moments of these vectors. The second moments are symmetric: their upper triangle is kept, row
by row, so its first row is the first moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bespeak.models.interactions import Csr, Float64s

_CONSTANT, _BIAS = 0, 1
BLOCK_BYTES = 64 << 20


def block_rows(factors: int) -> int:
    """How many posteriors to compute at once: a few copies of their matrices stay within `BLOCK_BYTES`."""
    return max(1, BLOCK_BYTES // (4 * 8 * (factors + 2) ** 2))


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Normal beliefs about n people, or n items.

    Attributes:
        mean: float64[n, 1 + factors], the bias first.
        covariance: float64[n, 1 + factors, 1 + factors].
    """

    mean: Float64s
    covariance: Float64s

    @classmethod
    def independent(cls, mean: Float64s, variance: Float64s) -> Posterior:
        """Beliefs without correlations: `mean` float64[n, 1 + factors], `variance` float64[1 + factors]."""
        return cls(mean, np.broadcast_to(np.diag(variance), (len(mean), len(variance), len(variance))))

    @property
    def variances(self) -> Float64s:
        """float64[n, 1 + factors]."""
        return np.asarray(np.diagonal(self.covariance, axis1=1, axis2=2))

    def moments(self) -> Float64s:
        """float64[n, t]: E of (1, b, v) times itself, as the other side needs it."""
        n, width = self.mean.shape
        whole = np.concatenate([np.ones((n, 1)), self.mean], axis=1)
        upper = np.triu_indices(width + 1)
        packed = whole[:, upper[0]] * whole[:, upper[1]]
        beside = upper[0] > 0
        packed[:, beside] += self.covariance[:, upper[0][beside] - 1, upper[1][beside] - 1]
        return np.asarray(packed)

    def opposite(self) -> tuple[Float64s, Float64s]:
        """What meets `moments` of the other side: z = (b, 1, v), so that z . (1, c, w) is the rating.

        Returns:
            E[z], float64[n, 2 + factors], and E[z z'] in the packed form with everything beside the diagonal doubled,
            so that its product with the other's moments is the mean of the squared rating.
        """
        n, width = self.mean.shape
        first = np.concatenate([self.mean[:, :1], np.ones((n, 1)), self.mean[:, 1:]], axis=1)
        upper = np.triu_indices(width + 1)
        packed = first[:, upper[0]] * first[:, upper[1]]
        beside = (upper[0] != _BIAS) & (upper[1] != _BIAS)
        place = np.maximum(np.arange(width + 1) - 1, 0)  # of b is 0, of v as before
        packed[:, beside] += self.covariance[:, place[upper[0][beside]], place[upper[1][beside]]]
        return first, packed * np.where(upper[0] == upper[1], 1.0, 2.0)


def posterior(
    pattern: Csr, told: Csr, others: npt.NDArray[Any], prior_mean: Float64s, prior_variance: Float64s, noise: float
) -> Posterior:
    """Beliefs about n people from their ratings, given the moments of the items (or the other way round).

    Args:
        pattern: CSR [n, m], 1 where there is a rating.
        told: CSR [n, m], the ratings.
        others: float[m, t], see `Posterior.moments`.
        prior_mean: float64[1 + factors], or one row for each of the n.
        prior_variance: float64[1 + factors].
        noise: variance of a rating around its mean.
    """
    n_first = len(prior_variance) + 1
    return from_sums(pattern @ others, told @ others[:, :n_first], prior_mean, prior_variance, noise)


def from_sums(
    squares: Float64s, products: Float64s, prior_mean: Float64s, prior_variance: Float64s, noise: float
) -> Posterior:
    """The same from sums over the ratings of each: of the others' moments, and of rating times their first moments."""
    width = len(prior_variance)
    upper = np.triu_indices(width + 1)
    whole = np.empty((len(squares), width + 1, width + 1))
    whole[:, upper[0], upper[1]] = squares
    whole[:, upper[1], upper[0]] = squares
    kept = np.r_[_CONSTANT, 2 : width + 1]  # what multiplies (b, v): the constant and the other's vector
    precision = whole[:, kept][:, :, kept] / noise + np.diag(1 / prior_variance)
    pull = (products[:, kept] - whole[:, kept, _BIAS]) / noise + prior_mean / prior_variance
    covariance = np.asarray(np.linalg.inv(precision), np.float64)
    return Posterior(np.einsum("nij,nj->ni", covariance, pull), covariance)
