"""`measure replay`: what another policy would have earned, from a log of choices from outside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from bespeak.cli.measuring.columns import Table, column_names, is_numeric, names, numbers, read_table
from bespeak.cli.measuring.report import tell_of_bad_lines
from bespeak.cli.options import JsonOption
from bespeak.cli.output import Told, bar, emit, note
from bespeak.cli.trying.replay_report import document, show, tell
from bespeak.errors import InvalidInput, UnknownName
from bespeak.learn.replay.logged_choices import Targets, encoded, with_model
from bespeak.learn.replay.reward_model import Csr, Float64s, Int64s
from bespeak.measure.choices import Assumption, Choices
from bespeak.measure.off_policy import ESTIMATORS, NEEDING_MODEL, Evaluation, evaluate
from bespeak.signals.counts import counted

UNIFORM = "uniform"
ALL = "all"
_OF_ACTION = ":"
_SEED = 1
_APART = 1e-6
_MOST = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class Asked:
    """Which column means what; `None` where the file need not have it.

    Attributes:
        reward, propensity: of what was taken.
        target: chance of what was taken under the evaluated policy; also the head of `target:ACTION` columns.
        target_action: what the evaluated policy takes, where it always takes the same.
        action: what was taken.
        context: features of the context.
        decision, position: of a slate's rows.
        unit: whose rows depend on one another.
    """

    reward: str
    propensity: str
    target: str | None
    target_action: str | None
    action: str | None
    context: tuple[str, ...]
    decision: str | None
    position: str | None
    unit: str | None

    def __post_init__(self) -> None:
        if (self.target is None) == (self.target_action is None):
            raise InvalidInput("Say what the evaluated policy does.", hint="With --target, or with --target-action.")
        if (self.decision is None) != (self.position is None):
            raise InvalidInput("--decision and --position go together.", hint="One row for each position of a slate.")
        if self.action is None and (self.target_action is not None or self.context):
            raise InvalidInput(
                "--target-action and --context need --action.", hint="It is the column of what was taken."
            )


def replay_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSONL or Parquet: one row for each choice.")],
    reward: Annotated[str, typer.Option("--reward", metavar="COL", help="What came of the choice.")],
    propensity: Annotated[
        str, typer.Option("--propensity", metavar="COL", help="Probability with which it was taken.")
    ],
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="COL",
            help="Probability with which the other policy would have taken it; columns COL:ACTION hold those of all "
            "actions. 'uniform', where there is no such column, takes all actions alike.",
        ),
    ] = None,
    target_action: Annotated[
        str | None,
        typer.Option("--target-action", metavar="COL", help="What the other policy would have taken, always."),
    ] = None,
    action: Annotated[str | None, typer.Option("--action", metavar="COL", help="What was taken.")] = None,
    context: Annotated[
        str | None, typer.Option("--context", metavar="COL,…", help="What the reward model may go by.")
    ] = None,
    decision: Annotated[
        str | None, typer.Option("--decision", metavar="COL", help="Of a slate: which one the row belongs to.")
    ] = None,
    position: Annotated[
        str | None, typer.Option("--position", metavar="COL", help="Of a slate: the row's place in it, a number.")
    ] = None,
    assume: Annotated[
        str,
        typer.Option(
            "--assume",
            metavar="position|cascade",
            help="What a reward in a slate hangs on: item and position (probabilities of the item at its position), or "
            "also what stands before it (probabilities given that).",
        ),
    ] = "position",
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="COL", help="Whose rows depend on one another: the person.")
    ] = None,
    estimator: Annotated[
        str | None,
        typer.Option(
            "--estimator",
            metavar="NAME,…",
            help=f"{', '.join(ESTIMATORS)}, or all; else dr, or snips without --action.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Says what another policy would have earned, from a log of what one policy did, with which probability.

    With --action and the chances of all actions a reward model is fitted, which dm, dr, sndr, switch and dros need.
    Refuses, with status 1, where the log says too little of the other policy.
    """
    columns = tuple(name.strip() for name in context.split(",")) if context else ()
    asked = Asked(reward, propensity, target, target_action, action, columns, decision, position, unit)
    if assume not in ("position", "cascade"):
        raise InvalidInput(f"--assume {assume} is none.", hint="Allowed: position, cascade.")
    with bar("replaying") as told:
        found = _evaluated(file, asked, "cascade" if assume == "cascade" else "position", estimator, told)
    if as_json:
        emit({"assume": assume, **document(found)})
    else:
        show(found, reward=reward, unit="decision" if decision else "choice")
    tell(found, hint="Log more choices, let the log's policy explore more, or ask about a policy closer to it.")


def _evaluated(file: Path, asked: Asked, assumption: Assumption, estimator: str | None, told: Told) -> Evaluation:
    names_there = column_names(file)
    of_actions = _target_columns(asked, names_there)
    is_uniform = asked.target == UNIFORM and UNIFORM not in names_there and not of_actions
    if is_uniform and asked.action is None:
        raise InvalidInput("--target uniform needs --action.", hint="It takes all actions of that column alike.")
    has_target = asked.target is not None and (asked.target in names_there or not (of_actions or is_uniform))
    wanted = [asked.reward, asked.propensity, asked.target_action, asked.action, asked.decision, asked.position]
    wanted += [asked.unit, *asked.context, *of_actions.values(), asked.target if has_target else None]
    table = read_table(file, list(dict.fromkeys(name for name in wanted if name is not None)), told)
    return _Log(table, asked, of_actions, is_uniform=is_uniform, has_target=has_target).evaluated(
        assumption, estimator, told
    )


class _Log:
    """The rows of a file that have all numbers, and what they say of both policies."""

    def __init__(
        self, table: Table, asked: Asked, of_actions: dict[str, str], *, is_uniform: bool, has_target: bool
    ) -> None:
        self._asked = asked
        block = table.rows
        self._block = block
        reward, propensity = numbers(block, asked.reward), numbers(block, asked.propensity)
        whole = ~(np.isnan(reward) | np.isnan(propensity))
        self._actions, self._taken = (
            names(block, asked.action) if asked.action else ([], np.zeros(len(table), np.int64))
        )
        whole &= self._taken >= 0
        self._of_actions, self._is_uniform = of_actions, is_uniform
        self._would: Int64s = np.zeros(0, np.int64)
        if asked.target_action is not None:
            others, codes = names(block, asked.target_action)
            self._join(others)
            self._would = np.append([self._actions.index(name) for name in others], -1)[codes].astype(np.int64)
            whole &= self._would >= 0
        self._join(list(of_actions))
        self._chances = self._read_chances() if of_actions else None
        target = numbers(block, asked.target) if has_target and asked.target else self._target_of(self._taken)
        whole &= ~np.isnan(target)
        self._rows = np.flatnonzero(whole)
        self._reward, self._propensity, self._target = reward, propensity, target
        if len(self._rows) < len(table):
            lacking = counted(len(table) - len(self._rows), "row lacks", "rows lack")
            note(f"{lacking} a value: left out.")
        tell_of_bad_lines(table.bad)

    def evaluated(self, assumption: Assumption, estimator: str | None, told: Told) -> Evaluation:
        """Estimates, with a reward model where there can be one."""
        rows, asked = self._rows, self._asked
        self._check_chances()
        decision = self._codes(asked.decision)
        position = None if asked.position is None else self._whole_numbers(asked.position)
        choices = Choices(
            self._reward[rows],
            self._propensity[rows],
            self._target[rows],
            decision=decision,
            position=position,
            unit=self._codes(asked.unit),
            assumption=assumption,
        )
        has_model = bool(self._actions) and (
            self._chances is not None or self._is_uniform or asked.target_action is not None
        )
        wanted = _estimators(estimator, has_model=has_model, assumption=assumption)
        if has_model and NEEDING_MODEL & set(wanted):
            told("fitting the reward model", 0.5)
            choices = with_model(
                choices, self._context(), self._taken[rows], len(self._actions), self._targets(), _generator()
            )
        return evaluate(choices, wanted)

    def _check_chances(self) -> None:
        """Refuses what is no probability, by its line in the file: rows may have been left out before it."""
        for what, held, is_right, allowed in (
            ("propensity", self._propensity, self._propensity > 0, "above 0 and at most 1"),
            ("target probability", self._target, self._target >= 0, "within 0 to 1"),
        ):
            wrong = self._rows[~(is_right & (held <= _MOST))[self._rows]]
            if len(wrong):
                line, value = self._block.lines[int(wrong[0])], held[wrong[0]]
                raise InvalidInput(
                    f"The {what} in line {line} is {value:g}, and not {allowed}.",
                    hint="Both are the probability of what was taken: under the log's policy, and under the other one.",
                )

    def _join(self, others: list[str]) -> None:
        """Numbers actions that only the evaluated policy takes after those of the log."""
        self._actions += [name for name in others if name not in set(self._actions)]

    def _target_of(self, taken: Int64s) -> Float64s:
        if self._chances is not None:
            return self._chances[np.arange(len(taken)), taken]
        if self._is_uniform:
            return np.full(len(taken), 1 / max(len(self._actions), 1))
        return np.equal(taken, self._would).astype(np.float64)

    def _read_chances(self) -> Float64s:
        """float64[rows, actions]; an action without a column is never taken."""
        found = np.zeros((len(self._taken), len(self._actions)))
        for name, column in self._of_actions.items():
            found[:, self._actions.index(name)] = numbers(self._block, column)
        wrong = np.flatnonzero(~(np.abs(found.sum(axis=1) - 1) <= _APART))
        if len(wrong):
            line = self._block.lines[int(wrong[0])]
            raise InvalidInput(
                f"The chances of all actions do not add up to 1 in line {line}.",
                hint=f"Each action that may be taken needs a column {self._asked.target}{_OF_ACTION}ACTION.",
            )
        return found

    def _targets(self) -> Targets:
        n_actions = len(self._actions)

        def of(places: Int64s) -> Float64s:
            rows = self._rows[places]
            if self._chances is not None:
                return self._chances[rows]
            if self._is_uniform:
                return np.full((len(rows), n_actions), 1 / n_actions)
            found = np.zeros((len(rows), n_actions))
            found[np.arange(len(rows)), self._would[rows]] = 1.0
            return found

        return of

    def _context(self) -> Csr:
        held_numbers, held_names = [], []
        for column in self._asked.context:
            if is_numeric(self._block, column):
                held_numbers.append(numbers(self._block, column)[self._rows])
            else:
                values, codes = names(self._block, column)
                held_names.append((len(values), codes[self._rows]))
        return encoded(len(self._rows), held_numbers, held_names)

    def _codes(self, column: str | None) -> Int64s | None:
        """The names of a column as numbers; each missing one is its own."""
        if column is None:
            return None
        values, codes = names(self._block, column)
        alone = len(values) + np.arange(len(codes))
        return np.where(codes >= 0, codes, alone)[self._rows]

    def _whole_numbers(self, column: str) -> Int64s:
        held = numbers(self._block, column)[self._rows]
        if not (held == np.floor(held)).all():
            raise InvalidInput(f"The column '{column}' holds something other than whole numbers.")
        return held.astype(np.int64)


def _target_columns(asked: Asked, there: tuple[str, ...]) -> dict[str, str]:
    """Action -> the column of its chance under the evaluated policy."""
    if asked.target is None or asked.action is None:
        return {}
    head = asked.target + _OF_ACTION
    return {name.removeprefix(head): name for name in there if name.startswith(head)}


def _estimators(text: str | None, *, has_model: bool, assumption: Assumption) -> list[str]:
    """The names that were asked for; `all` are those that the file has enough for."""
    if text is None:
        return ["dr" if has_model else "snips"]
    if text == ALL:
        possible = [name for name in ESTIMATORS if has_model or name not in NEEDING_MODEL]
        return [name for name in possible if assumption == "position" or name not in ("switch", "dros")]
    wanted = [name.strip() for name in text.split(",")]
    for name in wanted:
        if name not in ESTIMATORS:
            raise UnknownName("estimator", name, [*ESTIMATORS, ALL])
        if name in NEEDING_MODEL and not has_model:
            raise InvalidInput(
                f"'{name}' needs a reward model, and a reward model the chances of all actions.",
                hint="Give --action and --target-action, columns TARGET:ACTION, or --target uniform.",
            )
    return wanted


def _generator() -> np.random.Generator:
    """The same file gives the same figures."""
    return np.random.default_rng(_SEED)
