"""What learned weights were predicted to bring, and what they have brought since: the prediction beside the outcome.

Both are of the same decisions: those that explored, for people who may be measured, over the same positions, outcomes
and window. A prediction is of its version's weights as they were judged, fitted on part of the log; those taken over
were fitted on all of it.
"""

from __future__ import annotations

import msgspec
import numpy as np

from bespeak.engine.core import Core
from bespeak.engine.logged.slate_log import SlateLog
from bespeak.engine.worlds.weights import Prediction, StoredWeights, stored_weights
from bespeak.measure.choices import Choices
from bespeak.measure.off_policy import evaluate
from bespeak.storage.tables.log import DAY_MS

FARTHEST_DAYS = 28
"""The outcome is of the latest so many days."""


class Online(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision has brought, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


class WeightsValue(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a placement's learned weights.

    Attributes:
        is_in_use: it decides; those before it do not any more.
        why: why it was taken over.
        prediction: what a replay said; None where the log could not tell.
        n_decisions: made with it since, whose window is closed.
        online: what they brought; None without a prediction to hold it beside, or before there are two people.
        is_off: the interval of what it brought excludes what was predicted.
        sentence: all that, in words.
    """

    placement: str
    version: int
    created_ms: int
    is_in_use: bool
    why: str
    prediction: Prediction | None
    n_decisions: int
    online: Online | None
    is_off: bool
    sentence: str


def weights_values(core: Core, placement: str = "", *, only_in_use: bool = False) -> list[WeightsValue]:
    """Returns the kept versions of learned weights, of all placements or of one, the newest first."""
    with core.store.read() as session:
        held = stored_weights(session)
    found = []
    for name in sorted(held):
        if placement not in ("", name):
            continue
        until_ms = core.now_ms()
        for place, weights in enumerate(held[name][:1] if only_in_use else held[name]):
            found.append(_value(core, name, weights, until_ms, is_in_use=place == 0))
            until_ms = weights.created_ms
    return found


def _value(core: Core, name: str, weights: StoredWeights, until_ms: int, *, is_in_use: bool) -> WeightsValue:
    said = weights.prediction
    n_decisions, online = (0, None) if said is None else _online(core, name, weights, said, until_ms)
    is_off = said is not None and online is not None and not online.low <= said.value <= online.high
    return WeightsValue(
        placement=name,
        version=weights.version,
        created_ms=weights.created_ms,
        is_in_use=is_in_use,
        why=weights.sentence,
        prediction=said,
        n_decisions=n_decisions,
        online=online,
        is_off=is_off,
        sentence=_sentence(f"{name}, weights {weights.version}", said, n_decisions, online),
    )


def _online(
    core: Core, name: str, weights: StoredWeights, said: Prediction, until_ms: int
) -> tuple[int, Online | None]:
    """How many decisions the version made, and what they brought."""
    from_ms = max(weights.created_ms, core.now_ms() - FARTHEST_DAYS * DAY_MS)
    log = SlateLog(core, name, said.worth, from_ms, said.window_ms, needs_candidates=False)
    rewards, persons = [], []
    for scene in log.scenes():
        if scene.decision.weights_version == weights.version and scene.decision.time_ms <= until_ms:
            rewards.append(float(scene.rewards[: said.n_positions].sum()))
            persons.append(scene.person)
    if len(set(persons)) < 2:
        return len(rewards), None
    sure = np.ones(len(rewards))
    found = evaluate(Choices(np.array(rewards), sure, sure, unit=np.array(persons)), ()).logged
    return len(rewards), Online(value=found.value, low=found.interval.low, high=found.interval.high)


def _sentence(of: str, said: Prediction | None, n_decisions: int, online: Online | None) -> str:
    if said is None:
        return f"{of}: the decision log could not tell what they would bring, so nothing was predicted."
    predicted = f"{said.value:.4g} a decision was predicted ({said.interval[0]:.4g} to {said.interval[1]:.4g})"
    if online is None:
        counted = (
            "no decision whose window is closed tells" if not n_decisions else "one person's decisions tell nothing"
        )
        return f"{of}: {predicted}; {counted} of it yet."
    brought = f"{n_decisions:,} decisions brought {online.value:.4g} each ({online.low:.4g} to {online.high:.4g})"
    if online.low <= said.value <= online.high:
        verdict = "as predicted"
    else:
        verdict = f"{'less' if online.high < said.value else 'more'} than predicted"
        if online.low <= said.interval[1] and said.interval[0] <= online.high:
            verdict += ", but the intervals overlap"
    return f"{of}: {predicted}; {brought}: {verdict}."
