"""Logged single choices under another policy: a variant, an action, the creative of an item.

A record says what was taken, with which probability, and by which named numbers. What each thing that could have been
taken earns is told by a ridge regression for each of them (`decide.variants.bandits`), fitted on other people's rows:
so no row is predicted by what has seen it or another row of its person. A policy that is itself learned, the one with
the best estimate for example, is learned from those other rows too. Its value is then that of learning from four fifths
of this log and deciding about the rest: nothing that it learned by heart passes for knowledge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.variants.bandits import ArmSums, Learner, Posterior
from bespeak.decide.variants.context import vector_of
from bespeak.measure.choices import Choices

Bools: TypeAlias = npt.NDArray[np.bool_]
Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]

N_FOLDS = 5
MODEL_DIMENSION = 32


@dataclass(frozen=True, eq=False)
class Taken:
    """One logged choice.

    Attributes:
        arms: what either policy could take.
        place: of what was taken, in `arms`.
        propensity: with which the log's policy took it, above 0.
        is_tried: bool[arms], what the log's policy takes with some probability.
        reward: what came of it.
        person: whose choices depend on one another.
        features: named numbers that were logged with it.
        about: what the arms belong to: the item whose creatives they are; "" where all choices have the same arms.
        time_ms: when it was made.
        settled: float64[arms], the evaluated policy's probabilities where they do not hang on what is learned.
    """

    arms: tuple[str, ...]
    place: int
    propensity: float
    is_tried: Bools
    reward: float
    person: int
    features: Mapping[str, float]
    about: str = ""
    time_ms: int = 0
    settled: Float64s | None = None


class Target(Protocol):
    """A policy to evaluate."""

    def chances(self, taken: Taken, learned: Learned, generator: np.random.Generator) -> Float64s:
        """float64[arms], adding up to 1 at most: how likely the policy takes each.

        Args:
            taken: the logged choice.
            learned: what other people's rows say.
            generator: for policies whose probabilities have no closed form.
        """
        ...


@dataclass(frozen=True)
class Always:
    """Takes one thing; what could not be taken counts as never tried."""

    arm: str

    def chances(self, taken: Taken, learned: Learned, generator: np.random.Generator) -> Float64s:
        """1 for that thing."""
        del learned, generator
        return np.array([float(arm == self.arm) for arm in taken.arms])


@dataclass(frozen=True)
class Shares:
    """Takes each thing with a share of its own."""

    shares: Mapping[str, float]

    def chances(self, taken: Taken, learned: Learned, generator: np.random.Generator) -> Float64s:
        """The shares."""
        del learned, generator
        return np.array([self.shares.get(arm, 0.0) for arm in taken.arms])


@dataclass(frozen=True)
class Learning:
    """Takes what is learned to earn most, of the arms that it knows.

    Attributes:
        features: names of what it learns by, as `variants.context` has them; empty learns what is best for all.
        dimension: numbers that the features are kept in.
        learner: how often others are tried; None takes the best estimate.
        explore: share spread evenly while it learns; width: of `thompson` and `linucb`.
        half_life_ms: what is so old counts half.
        largest_reward: what one choice can earn at most.
        arms: those that it may take; empty for all.
    """

    features: tuple[str, ...] = ()
    dimension: int = 2
    learner: Learner | None = None
    explore: float = 0.0
    width: float = 0.5
    half_life_ms: float | None = None
    largest_reward: float = 1.0
    arms: frozenset[str] = frozenset()

    def chances(self, taken: Taken, learned: Learned, generator: np.random.Generator) -> Float64s:
        """What is tried how often, by what other people's rows say."""
        places = [n for n, arm in enumerate(taken.arms) if not self.arms or arm in self.arms]
        found = np.zeros(len(taken.arms))
        if not places:
            return found
        posterior = learned.posterior(taken, [taken.arms[place] for place in places], self)
        x = learned.vector(taken.features, self)
        if self.learner is None:
            found[places[int(np.argmax(posterior.estimates(x)))]] = 1.0
            return found
        usual = posterior.usual(self.learner, x, self.width, generator)
        found[places] = (1 - self.explore) * usual + self.explore / len(places)
        return found


class Learned:
    """What rows of a log say of arms, as somebody who may not see some of the rows would learn it.

    Args:
        rows: of the log that may be seen.
        until_ms: what rows fade towards.
    """

    def __init__(self, rows: Sequence[Taken], until_ms: int) -> None:
        self._until_ms = until_ms
        self._rows: dict[str, list[Taken]] = defaultdict(list)
        for row in rows:
            self._rows[row.about].append(row)
        self._sums: dict[tuple[str, Learning], tuple[dict[str, int], ArmSums]] = {}
        self._posteriors: dict[tuple[str, tuple[str, ...], Learning], Posterior] = {}

    def posterior(self, taken: Taken, arms: Sequence[str], how: Learning) -> Posterior:
        """What is known of these arms, in this order."""
        key = taken.about, tuple(arms), how
        found = self._posteriors.get(key)
        if found is None:
            place, sums = self._sums_of(taken.about, how)
            known = [n for n, arm in enumerate(arms) if arm in place]
            held = ArmSums.empty(len(arms), how.dimension)
            for part, all_of in zip(
                (held.moments, held.rewards, held.squares), (sums.moments, sums.rewards, sums.squares), strict=True
            ):
                part[known] = all_of[[place[arms[n]] for n in known]]
            found = self._posteriors[key] = Posterior(held, largest_reward=how.largest_reward)
        return found

    def _sums_of(self, about: str, how: Learning) -> tuple[dict[str, int], ArmSums]:
        """The sums of all arms that the rows took, and the place of each in them."""
        found = self._sums.get((about, how))
        if found is None:
            rows = self._rows[about]
            place = {arm: n for n, arm in enumerate(dict.fromkeys(row.arms[row.place] for row in rows))}
            sums = ArmSums.of(
                np.array([self.vector(row.features, how) for row in rows]).reshape(len(rows), how.dimension),
                np.array([place[row.arms[row.place]] for row in rows], np.int64),
                np.array([row.reward for row in rows]),
                n_arms=len(place),
                weights=self._weights(rows, how),
            )
            found = self._sums[about, how] = place, sums
        return found

    def vector(self, features: Mapping[str, float], how: Learning) -> Float64s:
        """float64[dimension]: of the logged numbers those that are learned by."""
        kept = {name: value for name, value in features.items() if is_of(name, how.features)}
        return vector_of(kept, how.dimension)

    def _weights(self, rows: Sequence[Taken], how: Learning) -> Float64s:
        if how.half_life_ms is None:
            return np.ones(len(rows))
        ages = np.array([self._until_ms - row.time_ms for row in rows], np.float64)
        return np.asarray(0.5 ** (ages / how.half_life_ms))


def is_of(name: str, features: Sequence[str]) -> bool:
    """Whether a logged number belongs to one of some declared features.

    Example:
        >>> is_of("device=mobile", ["device"]), is_of("affinity.brand=acme", ["device"])
        (True, False)
    """
    return name.partition("=")[0] in features


def replay_single(rows: Sequence[Taken], target: Target, seed: int) -> Choices:
    """Lays a policy beside the log.

    Args:
        rows: of the log, at least one.
        target: the policy to evaluate, where a row does not say what it does.
        seed: spreads people over folds, and draws for policies whose probabilities have no closed form.

    Example:
        >>> tried = np.ones(2, np.bool_)
        >>> log = [Taken(("a", "b"), n % 2, 0.5, tried, float(n % 2), n, {}) for n in range(100)]
        >>> found = replay_single(log, Learning(), 1)
        >>> float((found.weights * found.reward).mean())
        1.0
    """
    rng = np.random.default_rng(seed)
    persons = np.array([row.person for row in rows], np.int64)
    units = np.unique(persons, return_inverse=True)[1]
    n_units = int(units.max()) + 1
    folds = rng.permutation(np.arange(n_units) % max(2, min(N_FOLDS, n_units)))[units]
    names = tuple(sorted({name.partition("=")[0] for row in rows for name in row.features}))
    model = Learning(features=names, dimension=MODEL_DIMENSION if names else 2, largest_reward=_largest(rows))
    until_ms = max(row.time_ms for row in rows)
    found = np.zeros((4, len(rows)))  # target, predicted, expected, unsupported
    for fold in np.unique(folds).tolist():
        learned = Learned([row for row, other in zip(rows, folds.tolist(), strict=True) if other != fold], until_ms)
        for n in np.flatnonzero(folds == fold).tolist():
            row = rows[n]
            chances = row.settled if row.settled is not None else target.chances(row, learned, rng)
            values = learned.posterior(row, row.arms, model).estimates(learned.vector(row.features, model))
            lost = max(0.0, 1.0 - float(chances.sum())) + float(chances[~row.is_tried].sum())
            found[:, n] = chances[row.place], values[row.place], chances @ values, lost
    return Choices(
        np.array([row.reward for row in rows]),
        np.array([row.propensity for row in rows]),
        found[0],
        predicted=found[1],
        expected=found[2],
        unit=persons,
        unsupported=np.where(found[3] < 1e-9, 0.0, found[3]),
    )


def _largest(rows: Sequence[Taken]) -> float:
    return max((abs(row.reward) for row in rows), default=0.0) or 1.0
