"""Candidates against each other: chosen on earlier cuts, reported on a later one that played no part in the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bespeak.learn.blending import find_blend
from bespeak.learn.choice import Choice
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
from bespeak.learn.report import described
from bespeak.learn.splits import Split
from bespeak.learn.tuning import Space, tune
from bespeak.models.base import ItemContent, Model
from bespeak.models.blend import Blend
from bespeak.models.interactions import Float64s

_CHOOSING_CELLS = 60_000_000
"""People asked times items ranked, when choosing: enough to tell models apart, few enough to rank in seconds."""
_CHOOSING_PEOPLE = (2_000, 8_000)
_REPORTING_PEOPLE = 10_000


class Steps:
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


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """One candidate on the choosing cuts: the settings, a fitted copy per cut, NDCG@k per person asked."""

    model: Model
    fitted: tuple[Model, ...]
    ndcg: Float64s

    @property
    def mean(self) -> float:
        """NDCG@k over everybody asked."""
        return float(self.ndcg.mean())


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The models of a choice on its reporting cut, best on the choosing cuts first; a blend that was found has won."""

    choice: Choice
    cut: Split
    judgements: list[Judgement]
    figures: list[float | None]
    baseline: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """The candidates and how they are compared.

    Attributes:
        content: of the items.
        spaces: where to look for settings.
        n_trials: of settings, for each family besides its start.
        k: length of the lists.
        seed: of samples and bootstrap draws.
        stopwatch: for the seconds in the report.
        deadline: reading of the stopwatch after which no more settings are tried; None for no end.
        steps: told what is being done.
    """

    content: ItemContent | None
    spaces: Sequence[Space]
    n_trials: int
    k: int
    seed: int
    stopwatch: Stopwatch
    deadline: float | None
    steps: Steps

    def choose(self, cuts: Sequence[Split]) -> Choice | None:
        """Chooses on cuts; None when they leave nobody to ask."""
        cuts = [self._of_some(cut) for cut in cuts if len(cut)]
        if not cuts:
            return None
        found = tune(
            self.spaces,
            lambda model: self._tried(model, cuts),
            lambda tried: tried.mean,
            n_trials=self.n_trials,
            is_late=self.is_late,
        )
        best: dict[str, Tried] = {}
        for tried in found:
            if tried.model.name not in best or tried.mean > best[tried.model.name].mean:
                best[tried.model.name] = tried
        families = sorted(best.values(), key=lambda tried: -tried.mean)
        figures = {tried.model.name: tried.mean for tried in families}
        chosen = families[0].model
        self.steps.tell(f"looking for a blend ({cuts[0].name})")
        blend = find_blend([[tried.fitted[cut] for tried in families] for cut in range(len(cuts))], cuts, self.k)
        if len(blend.positions) > 1:
            models = [families[position].model for position in blend.positions]
            members = [{"name": model.name, "settings": model.settings()} for model in models]
            chosen = Blend(members, list(blend.weights))
            figures[Blend.name] = blend.ndcg
        return Choice(
            protocol=cuts[0].name,
            chosen=chosen,
            families={tried.model.name: tried.model for tried in families},
            figures=figures,
            n_asked=sum(map(len, cuts)),
        )

    def report(self, choice: Choice, cut: Split, baseline: str) -> Report | None:
        """Fits the best of each family on what a later cut may see and asks it; None when it leaves nobody to ask."""
        cut = sampled(cut, _REPORTING_PEOPLE, self.seed).with_content(self.content)
        if not len(cut):
            return None
        reported = {name: self._measured(model, cut) for name, model in choice.families.items()}
        if isinstance(choice.chosen, Blend):
            refitted = [reported[member["name"]].model for member in choice.chosen.members]
            again = Blend.of(refitted, choice.chosen.weights, cut.fit)
            reported[Blend.name] = judge(again, cut, self.k, stopwatch=self.stopwatch)
        names = sorted(reported, key=lambda name: (name != Blend.name, -choice.figures[name]))
        return Report(
            choice=choice,
            cut=cut,
            judgements=[reported[name] for name in names],
            figures=[choice.figures[name] for name in names],
            baseline=names.index(baseline) if baseline in names else None,
        )

    def board(self, report: Report, used: Model) -> Leaderboard:
        """The figures of a protocol, with those of the model used in the end even if another protocol chose it."""
        judgements, figures = list(report.judgements), list(report.figures)
        in_use = 0
        if used is not report.choice.chosen:
            in_use = len(judgements)
            judgements.append(self._measured(used, report.cut))
            figures.append(None)
        return leaderboard(
            judgements, figures, report.cut, k=self.k, seed=self.seed, in_use=in_use, baseline=report.baseline
        )

    def is_late(self) -> bool:
        """Whether time is up."""
        return self.deadline is not None and self.stopwatch() > self.deadline

    def _of_some(self, cut: Split) -> Split:
        fewest, most = _CHOOSING_PEOPLE
        n_people = min(most, max(fewest, _CHOOSING_CELLS // max(1, cut.fit.n_items)))
        return sampled(cut, n_people, self.seed).with_content(self.content)

    def _tried(self, model: Model, cuts: Sequence[Split]) -> Tried:
        self.steps.tell(f"comparing {described(model)} ({cuts[0].name})")
        judged = [fit_and_judge(model, self.content, cut, self.k, self.stopwatch) for cut in cuts]
        return Tried(model, tuple(j.model for j in judged), np.concatenate([j.figures.ndcg for j in judged]))

    def _measured(self, model: Model, cut: Split) -> Judgement:
        self.steps.tell(f"measuring {described(model)} ({cut.name})")
        return fit_and_judge(model, self.content, cut, self.k, self.stopwatch)
