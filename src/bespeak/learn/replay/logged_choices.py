"""A reward model for a log from outside: features of context and action, cross-fitted, asked of what each policy takes.

The model adds up what the context, the action and the position are worth, and, where that stays small, what each action
is worth in each context. A better model narrows the intervals of DR; a worse one leaves them right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from bespeak.learn.replay.reward_model import Csr, Float64s, Int64s, RewardModel, cross_fitted
from bespeak.measure.choices import Choices

Targets: TypeAlias = Callable[[Int64s], Float64s]
"""Rows -> float64[rows, actions], the chances of all actions under the evaluated policy."""

MOST_CROSSED = 400
MOST_VALUES = 100
_CHUNK = 20_000


def with_model(
    choices: Choices, context: Csr, actions: Int64s, n_actions: int, targets: Targets, rng: np.random.Generator
) -> Choices:
    """Returns the log with `predicted` and `expected`.

    Args:
        choices: the log. Under the cascade the model foretells the reward from a position on.
        context: CSR float64[n, d], features of each row's context, about of size 1; d may be 0.
        actions: int64[n], what was taken, numbered from 0.
        n_actions: how many actions there are.
        targets: the evaluated policy.
        rng: spreads units over folds.
    """
    is_crossed = context.shape[1] * n_actions <= MOST_CROSSED
    features = _features(context, actions, n_actions, choices, is_crossed)
    goal = choices.reward if choices.assumption == "position" else rewards_to_come(choices)
    predicted, expected = np.empty(len(actions)), np.empty(len(actions))
    for held_out, model in cross_fitted(features, goal, choices.units[choices.decisions], rng):
        for rows in _chunks(np.flatnonzero(held_out)):
            rewards = _of_all_actions(model, context[rows], n_actions, choices.positions[rows], is_crossed)
            predicted[rows] = rewards[np.arange(len(rows)), actions[rows]]
            expected[rows] = (targets(rows) * rewards).sum(axis=1)
    return replace(choices, predicted=predicted, expected=expected)


def encoded(n: int, numbers: Sequence[Float64s], names: Sequence[tuple[int, Int64s]]) -> Csr:
    """CSR float64[n, d]: numbers with mean 0 and spread 1, and a column for each frequent name.

    Args:
        n: rows.
        numbers: float64[n] each; NaN, where one is missing, counts as the mean.
        names: (how many there are, int64[n] codes) each; -1 is missing.

    Example:
        >>> encoded(2, [np.array([1.0, 3.0])], [(2, np.array([1, 0]))]).toarray().tolist()
        [[-1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    parts = [sparse.csr_matrix((n, 0)), *(sparse.csr_matrix(_standard(column)[:, None]) for column in numbers)]
    for n_names, codes in names:
        frequent = np.argsort(-np.bincount(codes[codes >= 0], minlength=n_names), kind="stable")[:MOST_VALUES]
        place = np.full(n_names + 1, -1)
        place[np.sort(frequent)] = np.arange(len(frequent))
        parts.append(_one_hot(place[codes], len(frequent)))
    return sparse.hstack(parts, format="csr")


def _standard(column: Float64s) -> Float64s:
    known = column[~np.isnan(column)]
    middle, spread = (known.mean(), known.std()) if len(known) else (0.0, 0.0)
    return np.nan_to_num((column - middle) / (spread or 1.0), nan=0.0)


def _one_hot(codes: npt.NDArray[np.integer], n_columns: int) -> Csr:
    rows = np.flatnonzero(codes >= 0)
    return sparse.csr_matrix((np.ones(len(rows)), (rows, codes[rows])), shape=(len(codes), n_columns))


def _features(context: Csr, actions: Int64s, n_actions: int, choices: Choices, is_crossed: bool) -> Csr:
    """Columns: context, action, position, and context by action (all of the first action first)."""
    parts = [context, _one_hot(actions, n_actions), _one_hot(choices.positions, choices.n_positions)]
    if is_crossed:
        entries = context.tocoo()
        columns = actions[entries.row] * context.shape[1] + entries.col
        shape = (len(actions), n_actions * context.shape[1])
        parts.append(sparse.csr_matrix((entries.data, (entries.row, columns)), shape=shape))
    return sparse.hstack(parts, format="csr")


def _of_all_actions(model: RewardModel, context: Csr, n_actions: int, positions: Int64s, is_crossed: bool) -> Float64s:
    """float64[rows, actions]: the reward of each action in each row's context and position."""
    d = context.shape[1]
    shared, rest = model.weights[:d], model.weights[d:]
    by_action, rest = rest[:n_actions], rest[n_actions:]
    n_positions = len(rest) - d * n_actions * is_crossed
    raw = (context @ shared + model.intercept + rest[:n_positions][positions])[:, None] + by_action
    if is_crossed:
        raw += context @ rest[n_positions:].reshape(n_actions, d).T
    return model.linked(raw)


def rewards_to_come(choices: Choices) -> Float64s:
    """float64[n]: a decision's reward from each row's position on."""
    left = choices.per_decision(choices.reward)
    found = np.empty(len(choices.reward))
    for position in range(choices.n_positions):
        rows = np.flatnonzero(choices.positions == position)
        found[rows] = left[choices.decisions[rows]]
        left[choices.decisions[rows]] -= choices.reward[rows]
    return found


def _chunks(rows: Int64s) -> Iterator[Int64s]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]
