"""Learns the weights of every placement from what it showed, and says in words what came of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bespeak.decide.placements import Placement
from bespeak.engine.core import Core
from bespeak.engine.training.exposures import DAY_MS, Exposed, exposed_items
from bespeak.engine.weights import LearnedSignal, StoredWeights, WeightsReport
from bespeak.learn.click_rate import click_rates
from bespeak.learn.intervals import Interval
from bespeak.learn.weights import LearnedWeights, learn_weights, missing_rows


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
        missing = missing_rows(exposed.shown)
        if missing:
            reports.append(_too_few(name, placement, exposed, missing))
            continue
        learned = _learned(core, name, placement, exposed, seed)
        values = click_rates(exposed.shown, learned.bias.examination_of(exposed.shown))
        rates[name] = {exposed.item_ids[code]: round(float(values[code]), 4) for code in np.flatnonzero(values)}
        report = _report(name, placement, exposed, learned)
        reports.append(report)
        if report.is_in_use:
            better[name] = StoredWeights(
                version=0,
                created_ms=created_ms,
                table=dict(zip(learned.names, learned.score.weights.tolist(), strict=True)),
                intercept=learned.score.intercept,
                slope=learned.score.slope,
                sentence=report.sentences[0],
            )
    return LearnedPlacements(tuple(reports), better, rates)


def _learned(core: Core, name: str, placement: Placement, exposed: Exposed, seed: int) -> LearnedWeights:
    world, names = core.world, exposed.shown.names
    return learn_weights(
        exposed.shown,
        world.weights.of(names, world.models.best, placement.weights),
        world.weights_of(name).of(names, world.models.best, placement.weights),
        window_ms=int(placement.attribution_days * DAY_MS),
        signs=placement.signs,
        seed=seed,
    )


def _too_few(name: str, placement: Placement, exposed: Exposed, missing: str) -> WeightsReport:
    shown = exposed.shown
    sentences = [f"{name}: the weights are not learned yet, {missing}."]
    if exposed.n_open:
        days = f"{placement.attribution_days:g} day{'' if placement.attribution_days == 1 else 's'}"
        sentences.append(f"{name}: {exposed.n_open:,} items were shown within {days}: too lately to tell.")
    if len(shown) and not shown.n_rewarded:
        sentences.append(
            f"{name}: none of {', '.join(placement.objective)} came of anything shown; `objective` says what counts."
        )
    return WeightsReport(
        placement=name,
        n_shown=len(shown),
        n_rewarded=shown.n_rewarded,
        n_decisions=shown.n_decisions,
        n_people=shown.n_people,
        n_open=exposed.n_open,
        sentences=sentences,
    )


def _report(name: str, placement: Placement, exposed: Exposed, learned: LearnedWeights) -> WeightsReport:
    gain, score = learned.gain, learned.score
    curves = {"": learned.bias.curve, **learned.bias.by_device}
    return WeightsReport(
        placement=name,
        is_learned=True,
        is_in_use=learned.is_better,
        n_shown=learned.n_shown,
        n_rewarded=learned.n_rewarded,
        n_decisions=learned.n_decisions,
        n_people=learned.n_people,
        n_open=exposed.n_open,
        likelier=_shares(learned.likelier),
        gain=(gain.low, gain.mean, gain.high),
        auc=learned.auc,
        current_auc=learned.current_auc,
        calibration=list(learned.calibration),
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
        sentences=_sentences(name, placement, exposed, learned),
    )


def _sentences(name: str, placement: Placement, exposed: Exposed, learned: LearnedWeights) -> list[str]:
    low, mean, high = _shares(learned.likelier)
    said = [
        f"{name}: weights learned from {learned.n_shown:,} shown items ({learned.n_rewarded:,} outcomes, "
        f"{learned.n_people:,} people) make what people later chose {mean:+.1%} likelier than those in use (95 % "
        f"interval {low:+.1%} to {high:+.1%}): {_verdict(learned)}."
    ]
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
