"""Contextual bandits on additive sums: which variant earns most in these circumstances, and how sure that is.

Each variant ("arm") has a linear model of its reward (Li et al., "A contextual-bandit approach to personalized news
article recommendation", 2010, algorithm 1). All that is kept of the past is, per arm,

    moments = sum of w x x'        rewards = sum of w r x        squares = sum of w r^2

x is the context (its first entry is 1), r the reward, w the weight of a row, which halves every half-life. Sums add, so
folding rows one by one, in batches or all anew from the log is the same, and taking a person out is exact. From them

    theta = (ridge I + moments)^-1 (rewards - m * first column of moments)
    estimate = m + theta'x        deviation = sigma * sqrt(x' (ridge I + moments)^-1 x)

m is the mean reward over all arms, so an arm without rows starts at the mean; sigma^2 is the variance of what the
estimates leave, pooled over the arms, with two rows' worth of a prior. So nothing has to be tuned to the scale of the
reward.

    epsilon   takes the best estimate
    linucb    takes the best estimate + width * deviation
    thompson  draws every estimate from N(estimate, (width * deviation)^2) and takes the best (Agrawal & Goyal, 2013)

Of a Gaussian posterior whose arms share no parameter the marginals on the score axis say all that counts, so Thompson
sampling draws no vector. How probable each arm is then has no closed form: it is estimated from `N_DRAWS` draws.

Of the probabilities `usual` that this gives, `explore` is spread evenly over all arms: `p = (1 - explore) * usual +
explore / n_arms`. The variant is drawn from p itself, so the logged propensity is exact, estimated `usual` or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]

Learner = Literal["epsilon", "linucb", "thompson"]

N_DRAWS = 256
_PRIOR_ROWS = 2.0
_NO_ROWS = 1e-9  # what roundings leave where rows were taken out again


@dataclass(frozen=True, eq=False)
class ArmSums:
    """What is kept of the past: sums over rows. Values: every operation gives new ones.

    Attributes:
        moments: float64[arms, d, d].
        rewards: float64[arms, d].
        squares: float64[arms].

    Example:
        >>> one = ArmSums.of(np.array([[1.0, 2.0]]), np.array([1]), np.array([3.0]), n_arms=2)
        >>> one.n_rows.tolist(), one.rewards.tolist()
        ([0.0, 1.0], [[0.0, 0.0], [3.0, 6.0]])
        >>> bool(np.all((one + one).moments == 2 * one.moments))
        True
    """

    moments: Float64s
    rewards: Float64s
    squares: Float64s

    @classmethod
    def empty(cls, n_arms: int, dimension: int) -> Self:
        """No rows."""
        return cls(np.zeros((n_arms, dimension, dimension)), np.zeros((n_arms, dimension)), np.zeros(n_arms))

    @classmethod
    def of(
        cls,
        contexts: Float64s,
        arms: Int64s,
        rewards: Float64s,
        *,
        n_arms: int,
        weights: Float64s | None = None,
        shares: Float64s | None = None,
    ) -> Self:
        """The sums of rows.

        Args:
            contexts: float64[n, d].
            arms: int64[n].
            rewards: float64[n].
            n_arms: how many arms there are.
            weights: float64[n]; 1 each when left out.
            shares: float64[n], 0..1: how much of a row counts in the moments, of one whose reward may still come; 1
                each when left out.
        """
        dimension = contexts.shape[1]
        found = cls.empty(n_arms, dimension)
        for arm in np.unique(arms).tolist():
            rows = arms == arm
            x, r = contexts[rows], rewards[rows]
            w = np.ones(len(r)) if weights is None else weights[rows]
            counted = w if shares is None else w * shares[rows]
            found.moments[arm] = (x * counted[:, None]).T @ x
            found.rewards[arm] = (w * r) @ x
            found.squares[arm] = w @ (r * r)
        return found

    @property
    def n_rows(self) -> Float64s:
        """float64[arms]: how many rows, each by its weight."""
        return np.asarray(self.moments[:, 0, 0])

    @property
    def total(self) -> Float64s:
        """float64[arms]: the sum of rewards, each by its row's weight."""
        return np.asarray(self.rewards[:, 0])

    def __add__(self, other: ArmSums) -> ArmSums:
        return ArmSums(self.moments + other.moments, self.rewards + other.rewards, self.squares + other.squares)

    def times(self, factor: float) -> ArmSums:
        """All weights times a factor."""
        return ArmSums(self.moments * factor, self.rewards * factor, self.squares * factor)


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the sums say of every arm.

    Attributes:
        sums: of the rows.
        ridge: weight of the prior, in rows.
        largest_reward: what a row can earn at most: half of it is the deviation that the prior assumes.
    """

    sums: ArmSums
    ridge: float = 1.0
    largest_reward: float = 1.0

    @property
    def has_rows(self) -> bool:
        """Whether anything came of any arm yet."""
        return float(self.sums.n_rows.sum()) > _NO_ROWS

    @cached_property
    def mean(self) -> float:
        """The mean reward over all arms, 0 without rows."""
        n = float(self.sums.n_rows.sum())
        return float(self.sums.total.sum()) / n if self.has_rows else 0.0

    @cached_property
    def _inverses(self) -> Float64s:
        prior = self.ridge * np.eye(self.sums.moments.shape[1])
        return np.asarray(np.linalg.inv(self.sums.moments + prior), np.float64)

    @cached_property
    def theta(self) -> Float64s:
        """float64[arms, d]: the coefficients around the mean."""
        centred = self.sums.rewards - self.mean * self.sums.moments[:, :, 0]
        return np.asarray(np.einsum("kij,kj->ki", self._inverses, centred))

    @cached_property
    def sigma(self) -> float:
        """Standard deviation of a reward around its estimate."""
        mean, sums = self.mean, self.sums
        centred = sums.rewards - mean * sums.moments[:, :, 0]
        total = float((sums.squares - 2 * mean * sums.total + mean**2 * sums.n_rows).sum())
        left = total - 2 * float((self.theta * centred).sum())
        left += float(np.einsum("ki,kij,kj->", self.theta, sums.moments, self.theta))
        assumed = (self.largest_reward / 2) ** 2
        n = float(sums.n_rows.sum())
        return float(np.sqrt((max(left, 0.0) + _PRIOR_ROWS * assumed) / (n + _PRIOR_ROWS)))

    def estimates(self, context: Float64s) -> Float64s:
        """float64[arms]: the reward that each arm is expected to earn."""
        return self.mean + self.theta @ context

    def deviations(self, context: Float64s) -> Float64s:
        """float64[arms]: how unsure each estimate is, as a standard deviation."""
        spread: Float64s = (self._inverses @ context) @ context
        return self.sigma * np.sqrt(np.maximum(spread, 0.0))

    def averages(self) -> Float64s:
        """float64[arms]: the mean reward of each arm over everybody, pulled to the mean of all by `ridge` rows."""
        return (self.sums.total + self.ridge * self.mean) / (self.sums.n_rows + self.ridge)

    def usual(self, learner: Learner, context: Float64s, width: float, generator: np.random.Generator) -> Float64s:
        """float64[arms], adding up to 1: how probable each arm is before any of it is spread evenly."""
        estimates = self.estimates(context)
        n_arms = len(estimates)
        if learner == "thompson":
            drawn = generator.standard_normal((N_DRAWS, n_arms)) * (width * self.deviations(context)) + estimates
            return np.asarray(np.bincount(drawn.argmax(axis=1), minlength=n_arms) / N_DRAWS, np.float64)
        scores = estimates + width * self.deviations(context) if learner == "linucb" else estimates
        chances = np.zeros(n_arms)
        chances[int(np.argmax(scores))] = 1.0
        return chances


def drawn_arm(usual: Float64s, explore: float, generator: np.random.Generator) -> tuple[int, float]:
    """Draws an arm: (arm, its probability).

    Args:
        usual: float64[arms], adding up to 1.
        explore: the share that is spread evenly.

    Example:
        >>> drawn_arm(np.array([1.0, 0.0]), 0.0, np.random.default_rng(1))
        (0, 1.0)
    """
    chances = (1 - explore) * usual + explore / len(usual)
    sums = np.cumsum(chances)
    # The number stays below 1, so this is below the last sum: an arm without a chance is never hit.
    arm = int(np.searchsorted(sums, generator.random() * sums[-1], side="right"))
    return arm, float(chances[arm])
