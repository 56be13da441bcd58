"""Training: choose a model on the data at hand, report it honestly, fit it and its helpers on everything.

For each protocol (the calendar, if the log has times; each person's last events) the log is cut in three: candidates
are fitted on the first cut and compared on the second; the best of each family, the baselines and the chosen model
are fitted on both and reported on the third. A blend is chosen over the best single model only if it wins by more
than one standard error of the paired difference on the choosing cut. The calendar decides what is used when it can
ask enough people, because it is the only cut that does not leak the future.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bespeak.learn.blending import find_blend
from bespeak.learn.candidates import default_candidates
from bespeak.learn.leaderboard import (
    Judgement,
    Leaderboard,
    Progress,
    Stopwatch,
    fit_and_judge,
    judge,
    leaderboard,
    sampled,
)
from bespeak.learn.report import described, sentences
from bespeak.learn.splits import Relevant, Split, Splitter, calendar, per_person
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.blend import Blend
from bespeak.models.popularity import Popularity

_CHOOSING_PEOPLE = 2_000
_REPORTING_PEOPLE = 10_000
_ENOUGH_PEOPLE = 30
"""A cut that asks fewer people chooses nothing when another asks more."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What training made.

    Attributes:
        model: the chosen model, fitted on everything.
        members: the best of each family by name, fitted on everything: sources of candidates and of features.
        boards: what was measured, the deciding protocol first; empty when the data could not be cut.
        interactions: what the models were fitted on.
        relevant: which later rows counted as right answers.
    """

    model: Model
    members: dict[str, Model]
    boards: tuple[Leaderboard, ...]
    interactions: Interactions
    relevant: Relevant

    def sentences(self) -> list[str]:
        """What was found, in words for whoever trains."""
        return sentences(self.model, self.boards, self.interactions, self.relevant)

    def metrics(self) -> dict[str, float]:
        """Figures for the header of a stored version: per protocol the chosen model and its baseline."""
        figures: dict[str, float] = {}
        for board in self.boards:
            prefix = board.protocol.replace(" ", "_")
            chosen, baseline = board.rows[board.winner], board.rows[board.baseline]
            figures |= {
                f"{prefix}.ndcg@{board.k}": chosen.ndcg.mean,
                f"{prefix}.ndcg@{board.k}.low": chosen.ndcg.low,
                f"{prefix}.ndcg@{board.k}.high": chosen.ndcg.high,
                f"{prefix}.recall@{board.k}": chosen.recall,
                f"{prefix}.baseline.ndcg@{board.k}": baseline.ndcg.mean,
                f"{prefix}.people": float(board.n_people),
            }
        return figures


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """What one protocol came to: unfitted models, best on the choosing cut first."""

    chosen: Model
    best_of_family: dict[str, Model]
    board: Leaderboard
    n_choosing: int


def train(
    interactions: Interactions,
    content: ItemContent | None = None,
    *,
    candidates: Sequence[Model] | None = None,
    seed: int = 0,
    now_ms: int | None = None,
    relevant: Relevant = "positive",
    k: int = 10,
    progress: Progress | None = None,
    stopwatch: Stopwatch = time.perf_counter,
) -> Trained:
    """Chooses, reports and fits. Deterministic under the seed; any data gives an answer, if only popularity.

    Args:
        interactions: the log.
        content: what is known of the items; items without an event are scored by it too.
        candidates: what to try instead of `default_candidates`.
        seed: of samples, first vectors and bootstrap draws.
        now_ms: events after it are left out.
        relevant: which later rows count as right answers.
        k: length of the lists.
        progress: told what is being done.
        stopwatch: for the seconds in the report.
    """
    log = interactions if now_ms is None else interactions.select(interactions.times_ms <= now_ms)
    if content is not None:
        log = log.with_items(content.item_ids)
    tried = list(candidates) if candidates is not None else default_candidates(log, content, seed=seed)
    steps = _Steps(progress, n_expected=2 * (len(tried) + 10) + 10)
    protocols: list[tuple[Splitter, str]] = [(lambda rows: per_person(rows, relevant=relevant), "popularity")]
    if log.has_times:
        protocols.insert(0, (lambda rows: calendar(rows, relevant=relevant), "recent_popularity"))
    contest = _Contest(content, tried, k, seed, stopwatch, steps)
    choices = [choice for split, baseline in protocols if (choice := contest.hold(log, split, baseline)) is not None]
    choices.sort(key=lambda choice: choice.n_choosing < _ENOUGH_PEOPLE)  # stable: the calendar first if it can tell
    chosen = choices[0].chosen if choices else Popularity()
    wanted = choices[0].best_of_family if choices else _first_of_family(tried)
    members = {}
    for name, model in wanted.items():
        steps.tell(f"fitting {name} on everything")
        members[name] = model.fit(log, content)
    fitted = _fitted_from(chosen, members, log, content)
    steps.finish()
    return Trained(fitted, members, tuple(choice.board for choice in choices), log, relevant)


@dataclass(frozen=True, slots=True, eq=False)
class _Contest:
    """The candidates and how they are compared."""

    content: ItemContent | None
    candidates: Sequence[Model]
    k: int
    seed: int
    stopwatch: Stopwatch
    steps: _Steps

    def hold(self, log: Interactions, split: Splitter, baseline: str) -> _Choice | None:
        """Chooses on one cut and reports on the next; None when a cut leaves nobody to ask."""
        reporting = sampled(split(log), _REPORTING_PEOPLE, self.seed)
        choosing = sampled(split(reporting.fit), _CHOOSING_PEOPLE, self.seed)
        if not len(reporting) or not len(choosing):
            return None
        judged = sorted(
            (self._judged(model, choosing, "comparing") for model in self.candidates), key=lambda j: -j.ndcg
        )
        best_of_family = _first_of_family([judgement.model for judgement in judged])
        blend = self._blend(list(best_of_family.values()), choosing)
        figures = {judgement.model.name: judgement.ndcg for judgement in reversed(judged)}
        reported = {name: self._judged(model, reporting, "measuring") for name, model in best_of_family.items()}
        if blend is not None:
            figures[Blend.name] = blend[1]
            refitted = [reported[member["name"]].model for member in blend[0].members]
            again = Blend.of(refitted, blend[0].weights, reporting.fit)
            reported[Blend.name] = judge(again, reporting, self.k, stopwatch=self.stopwatch)
        names = sorted(reported, key=lambda name: (name != Blend.name, -figures[name]))  # a found blend has won
        board = leaderboard(
            [reported[name] for name in names],
            [figures[name] for name in names],
            reporting,
            k=self.k,
            seed=self.seed,
            baseline=names.index(baseline) if baseline in names else None,
        )
        chosen = blend[0] if blend is not None else best_of_family[names[0]]
        return _Choice(chosen, best_of_family, board, len(choosing))

    def _judged(self, model: Model, split: Split, doing: str) -> Judgement:
        self.steps.tell(f"{doing} {described(model)} ({split.name})")
        return fit_and_judge(model, self.content, split, self.k, self.stopwatch)

    def _blend(self, best_first: Sequence[Model], choosing: Split) -> tuple[Blend, float] | None:
        """The best blend and its figure, if one beats the best single model beyond noise."""
        self.steps.tell(f"looking for a blend ({choosing.name})")
        found = find_blend(best_first, choosing, self.k)
        if len(found.members) < 2:
            return None
        members = [{"name": model.name, "settings": model.settings()} for model in found.members]
        return Blend(members, list(found.weights)), found.ndcg


class _Steps:
    """Counts steps for the progress callback; the share never goes back and ends at 1."""

    def __init__(self, progress: Progress | None, n_expected: int) -> None:
        self._progress = progress
        self._n_expected = n_expected
        self._done = 0

    def tell(self, stage: str) -> None:
        """Says what begins now."""
        if self._progress is not None:
            self._progress(stage, min(0.99, self._done / self._n_expected))
        self._done += 1

    def finish(self) -> None:
        """Says that all is done."""
        if self._progress is not None:
            self._progress("trained", 1.0)


def _first_of_family(models: Sequence[Model]) -> dict[str, Model]:
    """The first model of each name."""
    best: dict[str, Model] = {}
    for model in models:
        best.setdefault(model.name, model)
    return best


def _fitted_from(chosen: Model, members: dict[str, Model], log: Interactions, content: ItemContent | None) -> Model:
    """The chosen model on everything, from members that are fitted already where they are the same."""
    if isinstance(chosen, Blend):
        return Blend.of([members[member["name"]] for member in chosen.members], chosen.weights, log)
    if chosen.name in members:
        return members[chosen.name]
    return chosen.fit(log, content)
