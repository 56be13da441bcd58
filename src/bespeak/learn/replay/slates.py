"""Logged decisions and what came of them -> a log of choices on which another policy is evaluated.

The reward model is linear in the features that were logged with each candidate, the score, and the position. So its
prediction averaged over what a policy shows is its prediction for the average features, and of each decision no more is
kept than two rows of features a position, however many candidates there were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from bespeak.decide.settings.placements import Placement
from bespeak.decide.trying.rewalk import Rewalked, rewalked
from bespeak.decide.world import World
from bespeak.learn.replay.logged_choices import rewards_to_come
from bespeak.learn.replay.reward_model import Csr, Float64s, cross_fitted
from bespeak.measure.choices import Assumption, Choices
from bespeak.signals.decisions import Decision

_SCORE = "score"


@dataclass(frozen=True, eq=False)
class Scene:
    """A decision of the log.

    Attributes:
        decision: the record, with its candidates.
        placement: its settings when the decision was made.
        rewards: float64[positions], what came of each shown item.
        person: who it was for.
    """

    decision: Decision
    placement: Placement
    rewards: Float64s
    person: int


@dataclass(frozen=True, eq=False)
class Replayed:
    """The log of choices.

    Attributes:
        choices: with a reward model; None where no decision was left.
        n_used: decisions that it holds.
        n_unfaithful: decisions that are left out, because walking them again does not give the logged propensities, or
            because items of theirs have left the catalogue.
    """

    choices: Choices | None
    n_used: int
    n_unfaithful: int


@dataclass(slots=True)
class _Rows:
    """The rows gathered so far: one for each position of each decision."""

    reward: list[float] = field(default_factory=list)
    propensity: list[float] = field(default_factory=list)
    target: list[float] = field(default_factory=list)
    unsupported: list[float] = field(default_factory=list)
    mass: list[float] = field(default_factory=list)
    decision: list[int] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    unit: list[int] = field(default_factory=list)
    taken: list[dict[str, float]] = field(default_factory=list)
    averaged: list[dict[str, float]] = field(default_factory=list)

    def add(
        self, scene: Scene, number: int, again: Rewalked, logged: Float64s, target: Float64s, lost: Float64s
    ) -> None:
        """Adds the first positions of a decision; `logged` and `target` float64[n, c], `lost` float64[n]."""
        kept = scene.decision.candidate_features
        assert kept is not None
        n = len(logged)
        places = np.arange(n), list(again.shown[:n])
        self.reward += scene.rewards[:n].tolist()
        self.propensity += logged[places].tolist()
        self.target += target[places].tolist()
        self.unsupported += lost.tolist()
        self.mass += target.sum(axis=1).tolist()
        self.decision += [number] * n
        self.position += list(range(n))
        self.unit += [scene.person] * n
        names = [*kept.columns, _SCORE]
        values = np.array([*kept.columns.values(), kept.scores])
        for shown, averages in zip(values[:, places[1]].T.tolist(), (target @ values.T).tolist(), strict=True):
            self.taken.append(dict(zip(names, shown, strict=True)))
            self.averaged.append(dict(zip(names, averages, strict=True)))


def replay(
    scenes: Iterable[Scene],
    target: Placement,
    world: World,
    *,
    is_personal: bool = True,
    assumption: Assumption = "position",
    n_positions: int | None = None,
    told: Callable[[int], None] | None = None,
    of_log: dict[str, Float64s] | None = None,
) -> Replayed:
    """Walks every decision again under both policies, and foretells rewards.

    Args:
        scenes: the log; decisions without candidates are passed over.
        target: the policy to evaluate.
        world: as it is now.
        is_personal: whether the target may use what was known of people.
        assumption: what a reward hangs on.
        n_positions: of each slate only so many are counted.
        told: told how many decisions are done.
        of_log: decision -> probabilities under the policy of the log, found under "position" alone; what is missing is
            added. For who replays one log under several targets: half of the work is the log's.
    """
    rows, n_used, n_unfaithful = _Rows(), 0, 0
    for done, scene in enumerate(scenes, 1):
        again = rewalked(scene.decision, scene.placement, target, world, is_personal=is_personal)
        if again is None or not again.is_faithful:
            n_unfaithful += 1
            continue
        n = min(n_positions or len(again.shown), len(again.shown))
        logged, wanted, lost = _chances(again, n, scene.decision.decision_id, world.seed, assumption, of_log)
        rows.add(scene, n_used, again, logged, wanted, lost)
        n_used += 1
        if told is not None:
            told(done)
    if not n_used:
        return Replayed(None, 0, n_unfaithful)
    choices = Choices(
        np.array(rows.reward),
        np.array(rows.propensity),
        np.array(rows.target),
        decision=np.array(rows.decision),
        position=np.array(rows.position),
        unit=np.array(rows.unit),
        unsupported=np.array(rows.unsupported),
        assumption=assumption,
    )
    return Replayed(_with_model(choices, rows, np.random.default_rng(world.seed)), n_used, n_unfaithful)


def _chances(
    again: Rewalked, n: int, decision_id: str, seed: int, assumption: Assumption, known: dict[str, Float64s] | None
) -> tuple[Float64s, Float64s, Float64s]:
    """Probabilities of both policies at the first n positions, float64[n, c].

    And how much of the target's has none in the log's, float64[n].
    """
    shown, of_log, of_target = again.shown, again.logged.first(n), again.target.first(n)
    if assumption == "cascade":
        logged, target = of_log.after(shown)[:n], of_target.after(shown)[:n]
    else:
        found = None if known is None else known.get(decision_id)
        logged = of_log.at_position(seed, decision_id, shown)[:n] if found is None else found
        if known is not None:
            known[decision_id] = logged
        target = of_target.at_position(seed, f"{decision_id} target")[:n]
    lost = (target * (logged <= 0)).sum(axis=1)
    for place in again.target.out_of_reach:
        lost[place : place + 1] = 1.0
    if assumption == "cascade":  # what no weight leads to is not lost
        places = np.arange(n), list(shown[:n])
        ratios = np.cumprod(target[places] / logged[places])
        lost[1:] *= ratios[:-1]
    return logged, target, lost


def _with_model(choices: Choices, rows: _Rows, rng: np.random.Generator) -> Choices:
    """The log with the model's predictions; nobody is predicted by a model that has seen them."""
    mass = np.array(rows.mass)
    names = sorted({name for row in rows.taken for name in row})
    taken = _features(rows.taken, names, choices, np.ones(len(mass)))
    averaged = _features(rows.averaged, names, choices, mass)
    goal = choices.reward if choices.assumption == "position" else rewards_to_come(choices)
    predicted, expected = np.empty(len(mass)), np.empty(len(mass))
    for held_out, model in cross_fitted(taken, goal, choices.units[choices.decisions], rng, is_linear=True):
        predicted[held_out] = model.predict(taken[held_out])
        expected[held_out] = averaged[held_out] @ model.weights + model.intercept * mass[held_out]
    return replace(choices, predicted=predicted, expected=expected)


def _features(rows: Sequence[dict[str, float]], names: Sequence[str], choices: Choices, mass: Float64s) -> Csr:
    """CSR float64[n, d]: the features, and which position it is as often as something stands there."""
    of_items = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    place = sparse.csr_matrix((mass, (np.arange(len(rows)), choices.positions)))
    return sparse.hstack([sparse.csr_matrix(of_items), place], format="csr")
