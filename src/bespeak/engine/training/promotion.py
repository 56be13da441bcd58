"""Whether learned weights would have won on the decision log, before anybody is shown what they choose.

Weights are judged by what people later chose out of the slates that they were shown. That says nothing of slates that
only the new weights would make. Where a placement explores, the log does: decisions are replayed, doubly robust, under
weights that were fitted before them alone, and under the weights in use. Where that tells the two apart, it decides;
else the held-out comparison does, and the sentence says so.

What is taken over is fitted on everything, so it brings something else again. What the same replay says of that is kept
with the version as its prediction, for `views.policy_values` to hold the outcome beside it. It was fitted on outcomes
of these decisions too, which makes it look a little better than it is; nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

from bespeak.decide.rankers.score import Weights
from bespeak.decide.settings.placements import Placement
from bespeak.decide.world import World
from bespeak.engine.core import Core
from bespeak.engine.logged.slate_log import SlateLog
from bespeak.engine.worlds.weights import Prediction
from bespeak.learn.replay.reward_model import Float64s
from bespeak.learn.replay.slates import replay
from bespeak.measure.choices import Choices
from bespeak.measure.off_policy import compare, evaluate
from bespeak.signals.purposes import IMPROVE, MEASURE
from bespeak.storage.tables.log import DAY_MS

POSITIONS = (3, 1)
"""How many positions of a slate count: the most that the log can tell of."""

MOST_REPLAYED = 1_000
"""Decisions, spread evenly over the span: more would hardly narrow the interval."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the log says of weights that may be taken over.

    Attributes:
        prediction: what they would have earned; None where the log cannot tell.
        reason: why it cannot; "" where it can.
    """

    prediction: Prediction | None
    reason: str = ""

    @property
    def has_won(self) -> bool:
        """Whether they would have earned more than those in use, beyond chance."""
        return self.prediction is not None and self.prediction.difference_interval[0] > 0

    @property
    def has_lost(self) -> bool:
        """Whether they would have earned less, beyond chance."""
        return self.prediction is not None and self.prediction.difference_interval[1] < 0

    def sentence(self, name: str) -> str:
        """What was found, in words."""
        found = self.prediction
        if found is None:
            return f"{name}: the decision log cannot tell what they would have brought: {self.reason}."
        low, high = found.difference_interval
        n, positions = found.n_positions, "position" if found.n_positions == 1 else "positions"
        said = (
            f"{name}: replayed on {found.n_decisions:,} later decisions (first {n} {positions}) they bring "
            f"{found.difference:+.4g} a decision beside those in use (95 % interval {low:+.4g} to {high:+.4g}): "
        )
        if self.has_won:
            return said + "they would have won."
        return said + ("they would have lost." if self.has_lost else "the log cannot tell them apart.")


def tried_on_log(
    core: Core,
    placement: Placement,
    judged: Weights,
    taken: Weights,
    worth: Mapping[str, float],
    from_ms: int,
    until_ms: int,
) -> Trial:
    """Replays later decisions under weights that may be taken over and under those in use.

    Args:
        core: the open project, its lake up to date.
        placement: whose decisions.
        judged: fitted on decisions before `from_ms` alone: what is decided by.
        taken: fitted on everything: what would be taken over.
        worth: signal class -> what it counts for.
        from_ms, until_ms: the first moment of what judges, and the last that is known.
    """
    if not placement.explore:
        return Trial(None, "the placement does not explore")
    window_ms = int(placement.attribution_days * DAY_MS)
    log = SlateLog(core, placement.name, worth, from_ms, window_ms, (MEASURE, IMPROVE), until_ms)
    if not log.n_recorded:
        return Trial(None, "no later decision kept its candidates")
    step = -(-log.n_recorded // MOST_REPLAYED)
    learned = core.world.learned
    worlds = [replace(core.world, learned={**learned, placement.name: weights}) for weights in (judged, taken)]
    of_log: dict[str, Float64s] = {}
    laid = [_laid(log, placement, world, step, of_log) for world in (*worlds, core.world)]
    reason = "no later decision can be walked again"
    for n_positions in POSITIONS:
        ours, new, current = (None if choices is None else _first(choices, n_positions) for choices in laid)
        if ours is None or new is None or current is None:
            break
        reason = _against(ours, new, current)
        if not reason:
            found, said = compare(ours, current), compare(new, current)
            assert found.difference is not None
            assert found.difference_interval is not None
            return Trial(
                Prediction(
                    worth=dict(worth),
                    window_ms=window_ms,
                    n_positions=n_positions,
                    n_decisions=ours.n_decisions,
                    value=said.value,
                    interval=(said.interval.low, said.interval.high),
                    difference=found.difference,
                    difference_interval=(found.difference_interval.low, found.difference_interval.high),
                )
            )
    return Trial(None, reason.rstrip("."))


def _against(*laid: Choices) -> str:
    """Why the log cannot tell of one of some policies; "" where it tells of all."""
    if int(laid[0].units.max()) < 1:
        return "all later decisions are one person's"
    seen = [evaluate(choices, ()).overlap for choices in laid]
    return next((said for one in seen if (said := one.refusal or one.suspicion)), "")


def _laid(log: SlateLog, placement: Placement, world: World, step: int, of_log: dict[str, Float64s]) -> Choices | None:
    """The log with the placement's policy under the weights of a world beside it."""
    scenes = islice(log.scenes(), 0, None, step)
    return replay(scenes, placement, world, n_positions=max(POSITIONS), of_log=of_log).choices


def _first(choices: Choices, n_positions: int) -> Choices:
    """The first positions of every slate; at a position nothing hangs on those after it."""
    kept = choices.positions < n_positions
    columns = ("reward", "propensity", "target", "predicted", "expected", "decision", "position", "unsupported")
    parts = {name: column[kept] for name in columns if (column := getattr(choices, name)) is not None}
    unit = None if choices.unit is None else choices.unit[kept]
    return replace(choices, **parts, unit=unit)
