"""What choosing a variant costs, and how much is lost while learning, beside a reference.

    python bench/bandits.py [--short] [--rounds 8000] [--seeds 20]

Regret is the expected reward of the best arm less that of the arm that was taken, a round. The reference is linear
Thompson sampling as published (Agrawal & Goyal, 2013): a vector is drawn from the posterior of every arm, nothing is
spread evenly, and no propensity is known. Both see the same contexts and the same potential rewards, so differences are
paired by seed.

Where rewards come late, a new arm takes the place of an old one from time to time, and what is compared is how a
decision counts that nobody answered yet: not at all before its window has closed, in full at once, or by the share of
answers that come by its age (`engine.learning.shares`), which is what the product does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from bespeak.decide.slates.exploration import generator_of
from bespeak.decide.variants.bandits import ArmSums, Learner, Posterior, drawn_arm
from bespeak.engine.learning.shares import Shares
from parts.figures import emit, options, tell

Float64s: TypeAlias = npt.NDArray[np.float64]
LEARNERS: tuple[Learner, ...] = get_args(Learner)


@dataclass(frozen=True, eq=False)
class Problem:
    """Contexts and what every arm would have earned.

    Attributes:
        contexts: float64[rounds, d].
        chances: float64[rounds, arms], of a reward of 1.
        rewards: float64[rounds, arms], 0 or 1.
    """

    contexts: Float64s
    chances: Float64s
    rewards: Float64s

    @classmethod
    def logistic(cls, n_rounds: int, seed: int, *, dimension: int = 10, n_arms: int = 20, turns_at: int = 0) -> Problem:
        """A logistic model for each arm; from round `turns_at` on the arms have changed places, 0 for never."""
        rng = np.random.default_rng(seed)
        theta = rng.normal(0, 1, (n_arms, dimension))
        contexts = rng.normal(0, 1 / np.sqrt(dimension), (n_rounds, dimension)) * 2
        contexts[:, 0] = 1.0
        logits = contexts @ theta.T - 1
        if turns_at:
            logits[turns_at:] = np.roll(logits[turns_at:], n_arms // 2, axis=1)
        chances = 1 / (1 + np.exp(-logits))
        return cls(contexts, chances, (rng.random(chances.shape) < chances).astype(float))


Policy: TypeAlias = Callable[[Problem, int], Float64s]
"""(problem, seed) -> float64[rounds]: the regret of every round."""


def ours(learner: Learner, *, width: float = 0.5, explore: float = 0.01, half_life: float = 0.0) -> Policy:
    """A bandit of the product, which folds every reward at once; `half_life` in rounds."""

    def play(problem: Problem, seed: int) -> Float64s:
        n_rounds, n_arms = problem.chances.shape
        sums = ArmSums.empty(n_arms, problem.contexts.shape[1])
        regret = np.empty(n_rounds)
        fade = 0.5 ** (1 / half_life) if half_life else 1.0
        for n, x in enumerate(problem.contexts):
            posterior, generator = Posterior(sums), generator_of(seed, "bench", str(n))
            arm, _ = drawn_arm(posterior.usual(learner, x, width, generator), explore, generator)
            regret[n] = problem.chances[n].max() - problem.chances[n, arm]
            row = ArmSums.of(x[None], np.array([arm]), problem.rewards[n, arm : arm + 1], n_arms=n_arms)
            sums = (sums.times(fade) if half_life else sums) + row
        return regret

    return play


def reference(width: float) -> Policy:
    """Linear Thompson sampling with a vector drawn for every arm."""

    def play(problem: Problem, seed: int) -> Float64s:
        rng = np.random.default_rng(seed + 10_000)
        n_rounds, n_arms = problem.chances.shape
        dimension = problem.contexts.shape[1]
        inverse = np.tile(np.eye(dimension), (n_arms, 1, 1))
        root, total, theta = inverse.copy(), np.zeros((n_arms, dimension)), np.zeros((n_arms, dimension))
        regret = np.empty(n_rounds)
        for n, x in enumerate(problem.contexts):
            drawn = theta + width * np.einsum("kij,kj->ki", root, rng.standard_normal((n_arms, dimension)))
            arm = int(np.argmax(drawn @ x))
            regret[n] = problem.chances[n].max() - problem.chances[n, arm]
            along = inverse[arm] @ x
            inverse[arm] -= np.outer(along, along) / (1 + x @ along)
            root[arm] = np.linalg.cholesky(inverse[arm])
            total[arm] += problem.rewards[n, arm] * x
            theta[arm] = inverse[arm] @ total[arm]
        return regret

    return play


@dataclass(frozen=True, eq=False)
class Delays:
    """When every arm's reward would come, in rounds, and from which round on the arm is what it is.

    Attributes:
        problem: what the arms earn, of what comes within the window.
        come: float64[rounds, arms]: rounds until a reward.
        born: int64[rounds, arms].
        window: rounds; what comes later never counts.
    """

    problem: Problem
    come: Float64s
    born: npt.NDArray[np.int64]
    window: int

    @classmethod
    def exponential(cls, n_rounds: int, seed: int, *, mean: float, window: int, n_arms: int = 8) -> Delays:
        """Ten times, a new arm takes the place of one of the arms; delays are exponential, the same for all."""
        parts, each = [], max(1, n_rounds // 10)
        rng = np.random.default_rng(seed + 20_000)
        base = Problem.logistic(n_rounds, seed, dimension=5, n_arms=n_arms)
        theta = rng.normal(0, 1, (n_arms, 5))
        born = np.zeros((n_rounds, n_arms), np.int64)
        for part, start in enumerate(range(0, n_rounds, each)):
            if part:
                theta[part % n_arms] = rng.normal(0, 1, 5)
                born[start:, part % n_arms] = start
            parts.append(base.contexts[start : start + each] @ theta.T - 2)
        chances = 1 / (1 + np.exp(-np.concatenate(parts)))
        come = rng.exponential(mean, chances.shape)
        rewards = ((rng.random(chances.shape) < chances) & (come < window)).astype(float)
        in_time = 1 - np.exp(-window / mean)
        return cls(Problem(base.contexts, chances * in_time, rewards), come, born, window)


Counts: TypeAlias = Callable[[npt.NDArray[np.int64], int], Float64s]
"""(ages in rounds, window) -> float64[n]: how much decisions count that are so old."""

COUNTS: dict[str, Counts] = {
    "closed windows only": lambda ages, window: (ages >= window).astype(float),
    "in full at once": lambda ages, window: np.ones(len(ages)),
    "by the share that has come": lambda ages, window: Shares(window * 1_000).at(ages * 1_000),
}


def waiting(delays: Delays, seed: int, counts: Counts, *, turn: int = 10) -> Float64s:
    """float64[rounds]: the regret of Thompson sampling that learns every `turn` rounds from what has come by then."""
    problem, (n_rounds, n_arms) = delays.problem, delays.problem.chances.shape
    arms, regret = np.zeros(n_rounds, np.int64), np.empty(n_rounds)
    posterior = Posterior(ArmSums.empty(n_arms, problem.contexts.shape[1]))
    for n, x in enumerate(problem.contexts):
        if n and n % turn == 0:
            rounds = np.arange(n)
            rounds = rounds[delays.born[n, arms[:n]] <= rounds]
            taken, ages = arms[rounds], n - rounds
            shares = counts(ages, delays.window)
            is_heard = (delays.come[rounds, taken] <= ages) & (shares > 0)
            rewards = problem.rewards[rounds, taken] * is_heard
            posterior = Posterior(ArmSums.of(problem.contexts[rounds], taken, rewards, n_arms=n_arms, shares=shares))
        generator = generator_of(seed, "bench", str(n))
        arm, _ = drawn_arm(posterior.usual("thompson", x, 0.5, generator), 0.01, generator)
        arms[n], regret[n] = arm, problem.chances[n].max() - problem.chances[n, arm]
    return regret


def evenly(problem: Problem, seed: int) -> Float64s:
    """Any arm."""
    del seed
    return problem.chances.max(axis=1) - problem.chances.mean(axis=1)


def microseconds(learner: Learner, dimension: int, n_arms: int) -> tuple[float, float, float]:
    """(to choose, to fold a row among 1,000, to make a posterior of new sums), each of arms with many rows."""
    problem = Problem.logistic(4_000, 1, dimension=dimension, n_arms=n_arms)
    arms = np.arange(4_000) % n_arms
    rewards = problem.rewards[np.arange(4_000), arms]
    sums = ArmSums.of(problem.contexts, arms, rewards, n_arms=n_arms)
    posterior = Posterior(sums)
    posterior.usual(learner, problem.contexts[0], 1.0, generator_of(1, "b", "0"))
    took = []
    for n, x in enumerate(problem.contexts[:2_000]):
        started = time.perf_counter_ns()
        generator = generator_of(1, "bench", str(n))
        drawn_arm(posterior.usual(learner, x, 1.0, generator), 0.01, generator)
        took.append(time.perf_counter_ns() - started)
    started = time.perf_counter_ns()
    for _ in range(20):
        sums + ArmSums.of(problem.contexts[:1_000], arms[:1_000], rewards[:1_000], n_arms=n_arms)
    fold = (time.perf_counter_ns() - started) / 20_000
    started = time.perf_counter_ns()
    for _ in range(50):
        fresh = Posterior(replace(sums))
        fresh.theta, fresh.sigma  # noqa: B018 - worked out at first use
    return float(np.median(took)) / 1e3, fold / 1e3, (time.perf_counter_ns() - started) / 50e3


def main() -> None:
    given = options(__doc__, rounds=(8_000, 300, "rounds of a problem"), seeds=(20, 3, "problems"))
    summary: dict[str, Any] = {"rounds": given.rounds, "seeds": given.seeds}
    for learner in LEARNERS:
        chosen, folded, made = microseconds(learner, 50, 20)
        summary[f"{learner}, d = 50, 20 arms"] = {
            "choose_us": round(chosen, 1),
            "fold_a_row_us": round(folded, 2),
            "new_posterior_us": round(made),
        }
    problems = [Problem.logistic(given.rounds, seed) for seed in range(given.seeds)]
    base = played(reference(0.3), problems).mean(axis=1)
    margin = float(student.ppf(0.975, given.seeds - 1)) / np.sqrt(given.seeds)
    policies: dict[str, Policy] = {
        "evenly": evenly,
        "reference LinTS, v = 0.1": reference(0.1),
        "reference LinTS, v = 0.3": reference(0.3),
        **{f"{learner}": ours(learner, explore=0.05 if learner == "epsilon" else 0.01) for learner in LEARNERS},
    }
    for name, policy in policies.items():
        tell(name)
        regret = played(policy, problems).mean(axis=1)
        apart = regret - base
        summary[name] = {
            "regret_a_round": round(float(regret.mean()), 4),
            "less_reference": round(float(apart.mean()), 4),
            "interval": round(float(apart.std(ddof=1)) * margin, 4),
        }
    turn, part = given.rounds // 2, max(1, given.rounds // 8)
    turning = [Problem.logistic(given.rounds, seed, turns_at=turn) for seed in range(given.seeds)]
    for name, half_life in {"nothing fades": 0.0, f"half-life {part} rounds": float(part)}.items():
        regret = played(ours("thompson", half_life=half_life), turning).mean(axis=0)
        spans = {"before": regret[turn - part : turn], "after": regret[turn : turn + part], "late": regret[-part:]}
        summary[f"thompson, arms change places, {name}"] = {k: round(float(v.mean()), 4) for k, v in spans.items()}
    summary |= explored(problems)
    for name, (mean, window) in {"short": (0.01, 0.33), "long": (0.07, 0.33), "longest": (0.17, 0.33)}.items():
        summary |= {f"delays, {name}: {k}": v for k, v in late(given.rounds, given.seeds, mean, window).items()}
    emit(summary)


def explored(problems: Sequence[Problem]) -> dict[str, Any]:
    """Regret a round by `explore`, and less that of .01."""
    found = {}
    for learner in LEARNERS:
        regret = {}
        for explore in (0.01, 0.0, 0.05, 0.1):
            tell(f"{learner}, explore {explore}")
            regret[explore] = played(ours(learner, explore=explore), problems).mean(axis=1)
        found[f"{learner}, by explore"] = {
            f"{k:g}": {"regret_a_round": round(float(v.mean()), 4), **_apart(v - regret[0.01])}
            for k, v in sorted(regret.items())
        }
    return found


def late(n_rounds: int, n_seeds: int, mean: float, window: float) -> dict[str, Any]:
    """Regret a round where rewards come late; mean delay and window are shares of the rounds."""
    worlds = [
        Delays.exponential(n_rounds, seed, mean=mean * n_rounds, window=round(window * n_rounds))
        for seed in range(n_seeds)
    ]
    found: dict[str, Float64s] = {}
    for name, counts in COUNTS.items():
        tell(f"mean delay {mean:g}: {name}")
        found[name] = np.array([waiting(world, seed, counts).mean() for seed, world in enumerate(worlds)])
    base = found["closed windows only"]
    return {k: {"regret_a_round": round(float(v.mean()), 4), **_apart(v - base)} for k, v in found.items()}


def _apart(differences: Float64s) -> dict[str, float]:
    margin = float(student.ppf(0.975, len(differences) - 1)) / np.sqrt(len(differences))
    return {"less": round(float(differences.mean()), 4), "interval": round(float(differences.std(ddof=1)) * margin, 4)}


def played(policy: Policy, problems: Sequence[Problem]) -> Float64s:
    """float64[problems, rounds]: the regret."""
    return np.array([policy(problem, seed) for seed, problem in enumerate(problems)])


if __name__ == "__main__":
    main()
