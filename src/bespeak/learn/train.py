"""Training: choose a model on the data at hand, report it honestly, fit it and its helpers on everything.

For each protocol of `splits` (live and calendar if the log has times, per person always) the log is cut in three:
candidates are fitted on the first cut and compared on the second; the best of each family, the baselines and the chosen
model are fitted on both and reported on the third. A blend is chosen over the best single model only if it wins beyond
noise (see `blending`). The live protocol decides what is used, as long as it can ask enough people: it leaks no future
and asks as a server is asked. The model in use is reported under the other protocols too, wherever it stands there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

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
from bespeak.learn.splits import Relevant, Split, calendar, live, per_person, rolling
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.blend import Blend
from bespeak.models.families import model_class
from bespeak.models.interactions import Float64s
from bespeak.models.popularity import Popularity

_CHOOSING_PEOPLE = 2_000
_REPORTING_PEOPLE = 10_000
_MANY_PEOPLE = 500
"""A small log is cut at several dates for choosing until so many people are asked."""
_SMALL_LOG = 1_000_000
_SMALL_CATALOGUE = 4_000
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
    """What one protocol came to.

    Attributes:
        chosen: unfitted.
        families: the best settings of each family, unfitted, best on the choosing cuts first.
        reporting: the reporting cut.
        judgements: on it, the chosen model first.
        figures: of the same models on the choosing cuts.
        baseline: position to compare with, None for the default.
        n_choosing: people asked on the choosing cuts.
    """

    chosen: Model
    families: dict[str, Model]
    reporting: Split
    judgements: list[Judgement]
    figures: list[float | None]
    baseline: int | None
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
    # On small matrices the threads of BLAS mostly wait for one another, and on a busy machine they wait long.
    with threadpool_limits(limits=1 if log.n_items <= _SMALL_CATALOGUE else None, user_api="blas"):
        return _trained(log, content, candidates, seed, relevant, k, progress, stopwatch)


def _trained(
    log: Interactions,
    content: ItemContent | None,
    candidates: Sequence[Model] | None,
    seed: int,
    relevant: Relevant,
    k: int,
    progress: Progress | None,
    stopwatch: Stopwatch,
) -> Trained:
    if content is not None:
        log = log.with_items(content.item_ids)
    tried = list(candidates) if candidates is not None else default_candidates(log, content, seed=seed)
    steps = _Steps(progress, n_expected=3 * (len(tried) + 10) + 12)
    contest = _Contest(content, tried, k, seed, stopwatch, steps)
    by_person = per_person(log, relevant=relevant)
    held = [contest.hold(by_person, [per_person(by_person.fit, relevant=relevant)], "popularity")]
    if log.has_times:
        enough = _MANY_PEOPLE if len(log) <= _SMALL_LOG else 1
        for place, protocol in enumerate((live, calendar)):
            by_date = protocol(log, relevant=relevant)
            choosing = rolling(protocol, by_date.fit, relevant=relevant, enough_people=enough)
            held.insert(place, contest.hold(by_date, choosing, "recent_popularity"))
    choices = [choice for choice in held if choice is not None]
    choices.sort(key=lambda choice: choice.n_choosing < _ENOUGH_PEOPLE)  # stable: live first if it can tell
    chosen = choices[0].chosen if choices else Popularity()
    families = choices[0].families if choices else _first_of_family(tried)
    boards = tuple(contest.board(choice, chosen) for choice in choices)
    members = {}
    for name, model in families.items():
        steps.tell(f"fitting {name} on everything")
        members[name] = model.fit(log, content)
    trained = Trained(
        model=_fitted_from(chosen, members, log, content),
        members=members,
        boards=boards,
        interactions=log,
        relevant=relevant,
    )
    steps.finish()
    return trained


@dataclass(frozen=True, slots=True, eq=False)
class _Tried:
    """One candidate on the choosing cuts: the settings, a fitted copy per cut, NDCG@k per person asked."""

    model: Model
    fitted: tuple[Model, ...]
    ndcg: Float64s

    @property
    def mean(self) -> float:
        return float(self.ndcg.mean())


@dataclass(frozen=True, slots=True, eq=False)
class _Contest:
    """The candidates and how they are compared."""

    content: ItemContent | None
    candidates: Sequence[Model]
    k: int
    seed: int
    stopwatch: Stopwatch
    steps: _Steps

    def hold(self, reporting: Split, choosing: Sequence[Split], baseline: str) -> _Choice | None:
        """Chooses on earlier cuts and reports on a later one; None when a cut leaves nobody to ask."""
        cuts = [sampled(cut, _CHOOSING_PEOPLE, self.seed) for cut in choosing if len(cut)]
        reporting = sampled(reporting, _REPORTING_PEOPLE, self.seed)
        if not len(reporting) or not cuts:
            return None
        best = self._best_of_families(cuts)
        blend, blend_figure = self._blend(best, cuts)
        reported = {name: self._measured(tried.model, reporting) for name, tried in best.items()}
        figures = {name: tried.mean for name, tried in best.items()}
        if blend is not None:
            refitted = [reported[member["name"]].model for member in blend.members]
            again = Blend.of(refitted, blend.weights, reporting.fit)
            reported[Blend.name] = judge(again, reporting, self.k, stopwatch=self.stopwatch)
            figures[Blend.name] = blend_figure
        names = sorted(reported, key=lambda name: (name != Blend.name, -figures[name]))  # a found blend has won
        families = {name: tried.model for name, tried in best.items()}
        return _Choice(
            chosen=blend or families[names[0]],
            families=families,
            reporting=reporting,
            judgements=[reported[name] for name in names],
            figures=[figures[name] for name in names],
            baseline=names.index(baseline) if baseline in names else None,
            n_choosing=sum(map(len, cuts)),
        )

    def board(self, choice: _Choice, used: Model) -> Leaderboard:
        """The figures of a protocol, with those of the model used in the end even if another protocol chose it."""
        judgements, figures = list(choice.judgements), list(choice.figures)
        in_use = 0
        if used is not choice.chosen:
            in_use = len(judgements)
            judgements.append(self._measured(used, choice.reporting))
            figures.append(None)
        return leaderboard(
            judgements,
            figures,
            choice.reporting,
            k=self.k,
            seed=self.seed,
            in_use=in_use,
            baseline=choice.baseline,
        )

    def _best_of_families(self, cuts: Sequence[Split]) -> dict[str, _Tried]:
        """The best candidate of each family, best family first. Only these keep their fitted copies."""
        best: dict[str, _Tried] = {}
        for model in self.candidates:
            self.steps.tell(f"comparing {described(model)} ({cuts[0].name})")
            judged = [fit_and_judge(model, self.content, cut, self.k, self.stopwatch) for cut in cuts]
            tried = _Tried(model, tuple(j.model for j in judged), np.concatenate([j.figures.ndcg for j in judged]))
            if model.name not in best or tried.mean > best[model.name].mean:
                best[model.name] = tried
        return dict(sorted(best.items(), key=lambda named: -named[1].mean))

    def _measured(self, model: Model, reporting: Split) -> Judgement:
        self.steps.tell(f"measuring {described(model)} ({reporting.name})")
        return fit_and_judge(model, self.content, reporting, self.k, self.stopwatch)

    def _blend(self, best: dict[str, _Tried], cuts: Sequence[Split]) -> tuple[Blend | None, float]:
        """The best blend and its figure, if one beats the best single model beyond noise."""
        self.steps.tell(f"looking for a blend ({cuts[0].name})")
        families = list(best.values())
        found = find_blend([[tried.fitted[cut] for tried in families] for cut in range(len(cuts))], cuts, self.k)
        if len(found.positions) < 2:
            return None, 0.0
        models = [families[position].model for position in found.positions]
        members = [{"name": model.name, "settings": model.settings()} for model in models]
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
    """A chosen model on everything, made from members that are fitted already where their settings are the same."""
    if isinstance(chosen, Blend):
        parts = [model_class(member["name"])(**member["settings"]) for member in chosen.members]
        return Blend.of([_fitted_from(part, members, log, content) for part in parts], chosen.weights, log)
    known = members.get(chosen.name)
    return known if known is not None and known.settings() == chosen.settings() else chosen.fit(log, content)
