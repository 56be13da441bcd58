"""Learns the weights of every placement from what it showed, and says in words what came of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from bespeak.decide.scoring.forest import TREES
from bespeak.decide.settings.placements import Placement
from bespeak.engine.core import Core
from bespeak.engine.training.exposures import DAY_MS, TURNED_TO, Exposed, exposed_items
from bespeak.engine.weights import LearnedSignal, StoredForest, StoredWeights, WeightsReport, stored_weights
from bespeak.learn.intervals import Interval
from bespeak.learn.rankers.click_rate import click_rates
from bespeak.learn.rankers.shown import Float64s
from bespeak.learn.rankers.tree_ranker import LearnedTrees, learn_trees
from bespeak.learn.rankers.trees import MISSING, lightgbm
from bespeak.learn.rankers.weights import LearnedWeights, learn_weights, missing_rows


@dataclass(frozen=True)
class LearnedPlacements:
    """What was found for each placement that showed anything, the weights that were better, and items' click rates."""

    reports: tuple[WeightsReport, ...] = ()
    better: Mapping[str, StoredWeights] = field(default_factory=dict)
    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """What was found, in words."""
        return [sentence for report in self.reports for sentence in report.sentences]


def learn_placements(core: Core, now_ms: int, created_ms: int, seed: int) -> LearnedPlacements:
    """Learns the weights of each placement that lets them be learned.

    Args:
        core: the open project, refreshed, its lake up to date.
        now_ms: outcomes are known up to here.
        created_ms: when it is done, for the record.
        seed: of the intervals.
    """
    reports: list[WeightsReport] = []
    better: dict[str, StoredWeights] = {}
    rates: dict[str, dict[str, float]] = {}
    for name, placement in core.world.placements.items():
        if not placement.learn:
            continue
        exposed = exposed_items(core, name, placement, now_ms)
        if not len(exposed.shown) and not exposed.n_open:
            continue
        since_ms = _learned_until(core, name)
        missing = missing_rows(exposed.shown, int(placement.attribution_days * DAY_MS), since_ms)
        if missing:
            reports.append(_too_few(name, placement, exposed, missing, is_first=not since_ms))
            continue
        learned = _learned(core, name, placement, exposed, since_ms, seed)
        values = click_rates(exposed.shown, learned.bias.examination_of(exposed.shown))
        rates[name] = {exposed.item_ids[code]: round(float(values[code]), 4) for code in np.flatnonzero(values)}
        trees = _trees(core, name, placement, exposed, learned, seed) if placement.ranker == "trees" else None
        report = _report(name, placement, exposed, learned, trees)
        reports.append(report)
        if report.is_in_use:
            stored = _stored(core, name, placement, learned, trees, report.sentences[0])
            until_ms = int(exposed.shown.times_ms.max())
            better[name] = msgspec.structs.replace(stored, created_ms=created_ms, until_ms=until_ms)
    return LearnedPlacements(tuple(reports), better, rates)


def _learned_until(core: Core, name: str) -> int:
    """The latest decision that the learned weights in use were learned from; 0 where the default ones are in use."""
    version = core.world.weights_of(name).version
    with core.store.read() as session:
        kept = stored_weights(session).get(name, [])
    return next((held.until_ms for held in kept if held.version == version), 0)


def _learned(core: Core, name: str, placement: Placement, exposed: Exposed, since_ms: int, seed: int) -> LearnedWeights:
    world, shown = core.world, exposed.shown
    current = world.weights_of(name)
    scores = shown.values @ current.of(shown.names, world.models.best, placement.weights)
    if current.forest is not None:
        scores += current.learned[TREES] * current.forest.scores(shown.names, shown.values)
    return learn_weights(
        shown,
        world.weights.of(shown.names, world.models.best, placement.weights),
        scores,
        window_ms=int(placement.attribution_days * DAY_MS),
        since_ms=since_ms,
        signs=placement.signs,
        seed=seed,
    )


def _trees(
    core: Core, name: str, placement: Placement, exposed: Exposed, learned: LearnedWeights, seed: int
) -> LearnedTrees | None:
    """Trees on top of the linear weights that will be in use; None where they cannot be grown."""
    if lightgbm() is None:
        return None
    linear = _linear(core, name, placement, learned)
    return learn_trees(
        exposed.shown,
        exposed.shown.values @ linear,
        learned.score.slope,
        learned.bias,
        window_ms=int(placement.attribution_days * DAY_MS),
        seed=seed,
    )


def _linear(core: Core, name: str, placement: Placement, learned: LearnedWeights) -> Float64s:
    """The linear weights that will be in use: those learned where they are better, else those that are."""
    if learned.is_better:
        return learned.score.weights
    return core.world.weights_of(name).of(learned.names, core.world.models.best, placement.weights)


def _stored(
    core: Core,
    name: str,
    placement: Placement,
    learned: LearnedWeights,
    trees: LearnedTrees | None,
    sentence: str,
) -> StoredWeights:
    table = dict(zip(learned.names, _linear(core, name, placement, learned).tolist(), strict=True))
    has_trees = trees is not None and trees.is_better
    if has_trees:
        assert trees is not None
        table[TREES] = trees.weight
    return StoredWeights(
        version=0,
        created_ms=0,
        table=table,
        intercept=learned.score.intercept,
        slope=learned.score.slope,
        forest=StoredForest.of(trees.forest) if has_trees and trees is not None else None,
        sentence=sentence,
    )


def _too_few(name: str, placement: Placement, exposed: Exposed, missing: str, *, is_first: bool) -> WeightsReport:
    shown = exposed.shown
    sentences = [f"{name}: the weights are not learned {'' if is_first else 'anew '}yet, {missing}."]
    if exposed.n_open:
        days = f"{placement.attribution_days:g} day{'' if placement.attribution_days == 1 else 's'}"
        sentences.append(f"{name}: {exposed.n_open:,} items were shown within {days}: too lately to tell.")
    if len(shown) and not shown.n_rewarded:
        counted = ", ".join(placement.objective or TURNED_TO)
        sentences.append(f"{name}: none of {counted} came of anything shown; `objective` says what counts.")
    return WeightsReport(
        placement=name,
        n_shown=len(shown),
        n_rewarded=shown.n_rewarded,
        n_decisions=shown.n_decisions,
        n_people=shown.n_people,
        n_open=exposed.n_open,
        sentences=sentences,
    )


def _report(
    name: str, placement: Placement, exposed: Exposed, learned: LearnedWeights, trees: LearnedTrees | None
) -> WeightsReport:
    gain, score = learned.gain, learned.score
    curves = {"": learned.bias.curve, **learned.bias.by_device}
    return WeightsReport(
        placement=name,
        is_learned=True,
        is_in_use=learned.is_better or (trees is not None and trees.is_better),
        n_shown=learned.n_shown,
        n_rewarded=learned.n_rewarded,
        n_decisions=learned.n_decisions,
        n_people=learned.n_people,
        n_open=exposed.n_open,
        likelier=_shares(learned.likelier),
        gain=(gain.low, gain.mean, gain.high),
        trees=None if trees is None else _shares(trees.likelier),
        auc=learned.auc,
        current_auc=learned.current_auc,
        calibration=[(one.predicted, one.observed) for one in learned.calibration],
        examination={device: curve.examination.tolist() for device, curve in curves.items()},
        signals={
            signal: LearnedSignal(usual=usual, learned=weight, standard_error=error)
            for signal, usual, weight, error in zip(
                learned.names,
                learned.usual.tolist(),
                score.weights.tolist(),
                score.standard_errors.tolist(),
                strict=True,
            )
        },
        sentences=_sentences(name, placement, exposed, learned, trees),
    )


def _sentences(
    name: str, placement: Placement, exposed: Exposed, learned: LearnedWeights, trees: LearnedTrees | None
) -> list[str]:
    low, mean, high = _shares(learned.likelier)
    said = [
        f"{name}: weights learned from {learned.n_shown:,} shown items ({learned.n_rewarded:,} outcomes, "
        f"{learned.n_people:,} people) make what people later chose {mean:+.1%} likelier than those in use (95 % "
        f"interval {low:+.1%} to {high:+.1%}): {_verdict(learned)}."
    ]
    if trees is not None:
        low, mean, high = _shares(trees.likelier)
        said.append(
            f"{name}: boosted trees on top make it {mean:+.1%} likelier still (95 % interval {low:+.1%} to {high:+.1%})"
            f": {'they are used' if trees.is_better else 'they are not used'}."
        )
    elif placement.ranker == "trees":
        why = MISSING if lightgbm() is None else "boosted trees need more outcomes on more days"
        said.append(f"{name}: {why}.")
    if not learned.bias.curve.is_harvested:
        how = "set `explore` to let positions be drawn" if not placement.explore else "more drawn positions will tell"
        said.append(f"{name}: how likely each position is looked at is guessed from the slates; {how}.")
    if not exposed.are_seen:
        said.append(f"{name}: no exposures were reported, so everything that was decided counts as shown.")
    return said + [f"{name}: {warning}" for warning in learned.warnings]


def _verdict(learned: LearnedWeights) -> str:
    if learned.is_better:
        return "they are taken over"
    if learned.likelier.above_zero:
        return f"but their order would bring {learned.gain.mean:+.1%}, so those in use stay"
    return "those in use stay"


def _shares(logs: Interval) -> tuple[float, float, float]:
    """An interval of logarithms of ratios as (low, mean, high) of what is above 1."""
    low, mean, high = np.expm1([logs.low, logs.mean, logs.high]).tolist()
    return low, mean, high
