"""Evaluates a policy on the log of a placement, and says how many decisions told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bespeak.engine.core import Core
from bespeak.engine.logged.slate_log import UNFAITHFUL, SlateLog
from bespeak.engine.views.replay.asked import Policy
from bespeak.engine.views.replay.kinds import choice_log
from bespeak.errors import InvalidInput, UnknownName
from bespeak.learn.replay.single import replay_single
from bespeak.learn.replay.slates import replay
from bespeak.measure.choices import Assumption
from bespeak.measure.off_policy import Evaluation, evaluate, known_estimators
from bespeak.storage.tables.log import DAY_MS

ESTIMATORS = ("dr", "snips", "ips")
CLICK = "click"
MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What the log says of a policy.

    Attributes:
        placement: whose log; policy: what was evaluated; outcome: what counts.
        logged_policies: policy of the record -> decisions used.
        n_decisions: of the placement within the days.
        n_used: of them those that were evaluated.
        left_out: reason -> decisions that were not.
        n_unfaithful: of them those whose policy, walked again, gives other propensities than the record.
        evaluation: None where no decision could be used.
    """

    placement: str
    policy: str
    outcome: str
    logged_policies: dict[str, int]
    n_decisions: int
    n_used: int
    left_out: dict[str, int]
    n_unfaithful: int
    evaluation: Evaluation | None

    @property
    def suspicion(self) -> str:
        """What it tells that most decisions cannot be walked again; "" where most can."""
        if self.n_unfaithful <= MOSTLY * (self.n_used + self.n_unfaithful):
            return ""
        return (
            f"{self.n_unfaithful:,} of {self.n_used + self.n_unfaithful:,} decisions have propensities that their "
            f"policy does not give: the logged propensities are wrong, or rules or items have changed since."
        )


def replay_policy(
    core: Core,
    policy: Policy,
    placement: str,
    *,
    days: float,
    outcome: str = "",
    window_days: float | None = None,
    assumption: Assumption = "position",
    n_positions: int | None = None,
    estimators: Sequence[str] = ESTIMATORS,
    told: Callable[[float], None] | None = None,
) -> ReplayReport:
    """Evaluates a policy on the log of a placement.

    Args:
        core: the open project.
        policy: what to evaluate.
        placement: whose log.
        days: how far back.
        outcome: class of signals that count. Of lists: about a shown item, clicks when left out, each position once. Of
            single choices: what the placement learns by when left out.
        window_days: how long after it was shown; a day, or what the placement learns by, when left out.
        assumption: see `measure.choices`.
        n_positions: of each slate only so many are counted.
        estimators: names of `measure.off_policy.ESTIMATORS`.
        told: told the share that is done.

    Raises:
        UnknownName: there is no such class of signals, or estimator.
        InvalidInput: the log cannot tell what the policy would do.
    """
    classes = core.config.signals.classes
    if outcome and outcome not in classes:
        raise UnknownName("class of signals", outcome, sorted(classes))
    known_estimators(estimators)
    core.drain()
    from_ms = core.now_ms() - int(days * DAY_MS)
    window_ms = None if window_days is None else int(window_days * DAY_MS)
    if not policy.is_of_slates:
        if n_positions is not None:
            raise InvalidInput(f"'{policy.name}' chooses one thing: there are no positions.", hint="Leave them out.")
        return _of_choices(core, policy, placement, from_ms, outcome, window_ms, estimators)
    outcome = outcome or CLICK
    log = SlateLog(core, placement, {outcome: 1.0}, from_ms, DAY_MS if window_ms is None else window_ms)
    wanted = max(log.n_recorded, 1)
    found = replay(
        log.scenes(),
        policy.placement,
        core.world,
        is_personal=policy.is_personal,
        assumption=assumption,
        n_positions=n_positions,
        told=None if told is None else lambda done: told(done / wanted),
    )
    left_out = {**log.left_out, UNFAITHFUL: found.n_unfaithful}
    return ReplayReport(
        placement=placement,
        policy=policy.name,
        outcome=outcome,
        logged_policies=dict(log.policies),
        n_decisions=log.n_decisions,
        n_used=found.n_used,
        left_out={reason: n for reason, n in left_out.items() if n},
        n_unfaithful=found.n_unfaithful,
        evaluation=None if found.choices is None else evaluate(found.choices, estimators),
    )


def _of_choices(
    core: Core,
    policy: Policy,
    placement: str,
    from_ms: int,
    outcome: str,
    window_ms: int | None,
    estimators: Sequence[str],
) -> ReplayReport:
    log = choice_log(core, policy, placement, outcome, window_ms)
    rows = log.rows(from_ms)
    n_unfaithful = log.left_out[UNFAITHFUL]
    return ReplayReport(
        placement=placement,
        policy=policy.name,
        outcome=log.outcome,
        logged_policies=dict(log.policies),
        n_decisions=log.n_decisions,
        n_used=log.n_used,
        left_out={reason: n for reason, n in log.left_out.items() if n},
        n_unfaithful=n_unfaithful,
        evaluation=evaluate(replay_single(rows, log.target, core.world.seed), estimators) if rows else None,
    )
