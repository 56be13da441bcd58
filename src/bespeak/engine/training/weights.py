"""Learns the weights of every placement from what it showed, and says in words what came of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from bespeak.decide.rankers.forest import TREES
from bespeak.decide.rankers.score import Weights
from bespeak.decide.settings.placements import Placement
from bespeak.decide.world import World
from bespeak.engine.core import Core
from bespeak.engine.training.exposures import DAY_MS, TURNED_TO, Exposed, exposed_items
from bespeak.engine.training.policy_values import weights_values
from bespeak.engine.training.promotion import Trial, tried_on_log
from bespeak.engine.worlds.weights import (
    LearnedSignal,
    Prediction,
    StoredForest,
    StoredWeights,
    WeightsReport,
    stored_weights,
)
from bespeak.learn.intervals import Interval
from bespeak.learn.rankers.click_rate import click_rates
from bespeak.learn.rankers.shown import Float64s
from bespeak.learn.rankers.tree_ranker import LearnedTrees, learn_trees
from bespeak.learn.rankers.trees import MISSING, lightgbm
from bespeak.learn.rankers.weights import LearnedWeights, WeightedScore, learn_weights, missing_rows


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
    brought = {one.placement: one.sentence for one in weights_values(core, only_in_use=True) if one.online}
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
        found = _Found(name, placement, exposed, learned, trees)
        trial = found.tried(core, now_ms)
        report = _report(found, trial, brought.get(name, ""))
        reports.append(report)
        if report.is_in_use:
            stored = found.stored(core.world, report.sentences[0], trial.prediction)
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


@dataclass(frozen=True, eq=False)
class _Found:
    """What was learned for one placement, and which parts of it may be taken over.

    Attributes:
        trees: None where none were grown.
    """

    name: str
    placement: Placement
    exposed: Exposed
    learned: LearnedWeights
    trees: LearnedTrees | None

    @property
    def better_trees(self) -> LearnedTrees | None:
        """The trees where they tell more than the linear score alone."""
        return self.trees if self.trees is not None and self.trees.is_better else None

    @property
    def is_better(self) -> bool:
        """Whether anything is, by what people later chose."""
        return self.learned.is_better or self.better_trees is not None

    @property
    def has_new_linear(self) -> bool:
        """Whether the linear weights would be new: those in use stay below trees that alone are better."""
        return self.learned.is_better or self.better_trees is None

    def tried(self, core: Core, now_ms: int) -> Trial:
        """What the decision log says of it."""
        of_trees = 0 if self.better_trees is None else self.better_trees.judged_from_ms
        from_ms = max(self.learned.judged_from_ms, of_trees)
        taken = self.stored(core.world, "", None).weights()
        return tried_on_log(core, self.placement, self._judged(core.world), taken, self.exposed.worth, from_ms, now_ms)

    def _judged(self, world: World) -> Weights:
        """What would be taken over, as far as it was fitted on the earlier part alone."""
        table = self._table(world, self.learned.judged)
        forest = None
        if self.better_trees is not None:
            table[TREES], forest = self.better_trees.weight, self.better_trees.tried
        score = self.learned.judged
        return Weights(learned=table, version=-1, forest=forest, intercept=score.intercept, slope=score.slope)

    def stored(self, world: World, sentence: str, prediction: Prediction | None) -> StoredWeights:
        """What is taken over, fitted on everything."""
        table, forest = self._table(world, self.learned.score), None
        if self.better_trees is not None:
            table[TREES], forest = self.better_trees.weight, StoredForest.of(self.better_trees.forest)
        return StoredWeights(
            version=0,
            created_ms=0,
            table=table,
            intercept=self.learned.score.intercept,
            slope=self.learned.score.slope,
            forest=forest,
            sentence=sentence,
            prediction=prediction,
        )

    def _table(self, world: World, score: WeightedScore) -> dict[str, float]:
        names, weights = self.learned.names, score.weights
        if not self.has_new_linear:
            weights = world.weights_of(self.name).of(names, world.models.best, self.placement.weights)
        return dict(zip(names, weights.tolist(), strict=True))


def _linear(core: Core, name: str, placement: Placement, learned: LearnedWeights) -> Float64s:
    """The linear weights that trees stand on: those learned where they are better, else those in use."""
    if learned.is_better:
        return learned.score.weights
    return core.world.weights_of(name).of(learned.names, core.world.models.best, placement.weights)


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


def _report(found: _Found, trial: Trial, brought: str) -> WeightsReport:
    exposed, learned, trees = found.exposed, found.learned, found.trees
    gain, score = learned.gain, learned.score
    curves = {"": learned.bias.curve, **learned.bias.by_device}
    return WeightsReport(
        placement=found.name,
        is_learned=True,
        is_in_use=_is_taken_over(found, trial),
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
        prediction=trial.prediction,
        sentences=[*_sentences(found, trial), *([brought] if brought else [])],
    )


def _is_taken_over(found: _Found, trial: Trial) -> bool:
    """Whether the log says so; where it cannot tell, whether what people later chose does."""
    return trial.has_won or (found.is_better and not trial.has_lost)


def _sentences(found: _Found, trial: Trial) -> list[str]:
    name, placement, learned, trees = found.name, found.placement, found.learned, found.trees
    is_used = _is_taken_over(found, trial)
    low, mean, high = _shares(learned.likelier)
    said = [
        f"{name}: weights learned from {learned.n_shown:,} shown items ({learned.n_rewarded:,} outcomes, "
        f"{learned.n_people:,} people) make what people later chose {mean:+.1%} likelier than those in use (95 % "
        f"interval {low:+.1%} to {high:+.1%}): {_verdict(learned, is_used=is_used and found.has_new_linear)}."
    ]
    if trees is not None:
        low, mean, high = _shares(trees.likelier)
        said.append(
            f"{name}: boosted trees on top make it {mean:+.1%} likelier still (95 % interval {low:+.1%} to {high:+.1%})"
            f": {'they are used' if is_used and trees.is_better else 'they are not used'}."
        )
    elif placement.ranker == "trees":
        why = MISSING if lightgbm() is None else "boosted trees need more outcomes on more days"
        said.append(f"{name}: {why}.")
    if placement.explore:
        said.append(trial.sentence(name))
    if not learned.bias.curve.is_harvested:
        how = "set `explore` to let positions be drawn" if not placement.explore else "more drawn positions will tell"
        said.append(f"{name}: how likely each position is looked at is guessed from the slates; {how}.")
    if not found.exposed.are_seen:
        said.append(f"{name}: no exposures were reported, so everything that was decided counts as shown.")
    return said + [f"{name}: {warning}" for warning in learned.warnings]


def _verdict(learned: LearnedWeights, *, is_used: bool) -> str:
    if is_used:
        return "they are taken over"
    if learned.likelier.above_zero and not learned.is_better:
        return f"but their order would bring {learned.gain.mean:+.1%}, so those in use stay"
    return "those in use stay"


def _shares(logs: Interval) -> tuple[float, float, float]:
    """An interval of logarithms of ratios as (low, mean, high) of what is above 1."""
    low, mean, high = np.expm1([logs.low, logs.mean, logs.high]).tolist()
    return low, mean, high
