"""Candidates against each other: chosen on earlier cuts, reported on a later one that played no part in the choice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from bespeak.learn.choosing.beyond_noise import first_choice, groups_of
from bespeak.learn.choosing.blending import find_blend
from bespeak.learn.choosing.checkpoints import WORTH_KEEPING_SECONDS, Checkpoints, KeptPasses, key_of
from bespeak.learn.choosing.choice import Choice
from bespeak.learn.choosing.memory import MOST_ASKED
from bespeak.learn.choosing.ranked import Ranked
from bespeak.learn.choosing.steps import Steps
from bespeak.learn.choosing.tuning import Space, tune
from bespeak.learn.leaderboard import Judgement, Leaderboard, Stopwatch, judged, leaderboard, sampled
from bespeak.learn.metrics import ranking_figures
from bespeak.learn.splits import Split
from bespeak.learn.words import described
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.blend import Blend, made_of
from bespeak.models.interactions import Float64s

_CHOOSING_CELLS = 60_000_000
"""People asked times items ranked, when choosing: enough to tell models apart, few enough to rank in seconds."""
_CHOOSING_PEOPLE = (2_000, MOST_ASKED)
_REPORTING_PEOPLE = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """One candidate on the choosing cuts: the settings, its lists on each cut, NDCG@k per person asked."""

    model: Model
    lists: tuple[Ranked, ...]
    ndcg: Float64s

    @property
    def mean(self) -> float:
        """NDCG@k over everybody asked."""
        return float(self.ndcg.mean())


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The models of a choice on its reporting cut: the chosen one, then the best on the choosing cuts first."""

    choice: Choice
    cut: Split
    judgements: list[Judgement]
    figures: list[float | None]
    baseline: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """The candidates and how they are compared.

    What was found on a cut is kept in the checkpoints, so that a training that was killed does not ask it again.

    Attributes:
        content: of the items.
        spaces: where to look for settings.
        n_trials: of settings, for each family besides its start.
        k: length of the lists.
        seed: of samples and bootstrap draws.
        stopwatch: for the seconds in the report.
        deadline: reading of the stopwatch after which no more settings are tried; None for no end.
        steps: told what is being done.
        checkpoints: where findings are kept.
    """

    content: ItemContent | None
    spaces: Sequence[Space]
    n_trials: int
    k: int
    seed: int
    stopwatch: Stopwatch
    deadline: float | None
    steps: Steps
    checkpoints: Checkpoints

    def choose(self, cuts: Sequence[Split], where: str, *, decides: bool) -> Choice | None:
        """Chooses on cuts; None when they leave nobody to ask.

        Args:
            cuts: of which some people are asked.
            where: this place of the training, in checkpoints.
            decides: whether the model in use may come from here; slow families are tried nowhere else.
        """
        cuts = [self._of_some(cut) for cut in cuts if len(cut)]
        if not cuts:
            return None
        spaces = [space for space in self.spaces if decides or not space.while_choosing]
        self.steps.phase(work_of(spaces, sum(len(cut.fit) for cut in cuts), self.n_trials))
        shorter = {space.start.name: space.while_choosing for space in spaces}
        found = tune(
            spaces,
            lambda model: self._tried(model, shorter[model.name], cuts, where),
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
        groups = groups_of(cuts)
        first = families[first_choice([each.model for each in families], [each.ndcg for each in families], groups)]
        chosen = first.model
        self.steps.tell(f"looking for a blend ({cuts[0].name})")
        ordered = [first, *(tried for tried in families if tried is not first)]
        blend = find_blend([[tried.lists[cut] for tried in ordered] for cut in range(len(cuts))], cuts, self.k)
        if len(blend.positions) > 1:
            models = [ordered[position].model for position in blend.positions]
            members = [{"name": model.name, "settings": model.settings()} for model in models]
            chosen = Blend(members, list(blend.weights))
            figures[Blend.name] = blend.ndcg
        return Choice(
            protocol=cuts[0].name,
            chosen=chosen,
            families={tried.model.name: tried.model for tried in families},
            figures=figures,
            n_asked=sum(map(len, cuts)),
            n_people=len(np.unique(groups)),
            passed_over=None if first is families[0] else (families[0].model.name, first.model.name),
        )

    def report(self, choice: Choice, cut: Split, baseline: str, where: str) -> Report | None:
        """Fits the best of each family on what a later cut may see and asks it; None when it leaves nobody to ask."""
        cut = sampled(cut, _REPORTING_PEOPLE, self.seed).with_content(self.content)
        if not len(cut):
            return None
        models = dict(choice.families)
        if isinstance(choice.chosen, Blend):
            models[Blend.name] = choice.chosen
        self.steps.phase({name: units_of(model, len(cut.fit)) for name, model in models.items()})
        kept: dict[str, Model] = {}
        names = choice.chosen.names if isinstance(choice.chosen, Blend) else ()
        reported = {name: self._measured(model, cut, where, kept, names) for name, model in models.items()}
        ordered = sorted(reported, key=lambda name: (name != choice.chosen.name, -choice.figures[name]))
        return Report(
            choice=choice,
            cut=cut,
            judgements=[reported[name] for name in ordered],
            figures=[choice.figures[name] for name in ordered],
            baseline=ordered.index(baseline) if baseline in ordered else None,
        )

    def board(self, report: Report, used: Model, where: str) -> Leaderboard:
        """The figures of a protocol, with those of the model used in the end even if another protocol chose it.

        A slow model is not fitted once more for that.
        """
        judgements, figures = list(report.judgements), list(report.figures)
        in_use: int | None = 0
        if used is not report.choice.chosen:
            in_use = None
            if not self._is_slow(used):
                in_use = len(judgements)
                judgements.append(self._measured(used, report.cut, where))
                figures.append(None)
        return leaderboard(
            judgements, figures, report.cut, k=self.k, seed=self.seed, in_use=in_use, baseline=report.baseline
        )

    def fitted(self, model: Model, log: Interactions, where: str) -> Model:
        """A model fitted on a log, gone on with where an earlier run was killed."""
        passes = KeptPasses(self.checkpoints, key_of(model, where), self.stopwatch, self.steps.inside)
        return model.fit_in_passes(log, self.content, passes)

    def is_late(self) -> bool:
        """Whether time is up."""
        return self.deadline is not None and self.stopwatch() > self.deadline

    def _is_slow(self, model: Model) -> bool:
        names = model.names if isinstance(model, Blend) else (model.name,)
        return any(space.while_choosing and space.start.name in names for space in self.spaces)

    def _of_some(self, cut: Split) -> Split:
        fewest, most = _CHOOSING_PEOPLE
        n_people = min(most, max(fewest, _CHOOSING_CELLS // max(1, cut.fit.n_items)))
        return sampled(cut, n_people, self.seed).with_content(self.content)

    def _tried(self, model: Model, shorter: Mapping[str, Any], cuts: Sequence[Split], where: str) -> Tried:
        used = replace(model, **shorter)  # type: ignore[type-var]
        lists = []
        for place, cut in enumerate(cuts):
            stage = f"comparing {described(model)} ({cut.name})"
            lists.append(self._lists(used, cut, f"{where}.{place}", stage, Ranked.deep)[0])
        figures = [ranking_figures(found.index[:, : self.k], cut.truth) for found, cut in zip(lists, cuts, strict=True)]
        return Tried(model, tuple(lists), np.concatenate([figure.ndcg for figure in figures]))

    def _measured(
        self, model: Model, cut: Split, where: str, kept: dict[str, Model] | None = None, names: Collection[str] = ()
    ) -> Judgement:
        """Fits and asks; of the families `names` the fitted model is put into `kept`, and blends are made of these."""
        stage = f"measuring {described(model)} ({cut.name})"
        lists, fitted = self._lists(model, cut, where, stage, Ranked.of, {} if kept is None else kept)
        if fitted is not None and kept is not None and model.name in names:
            kept[model.name] = fitted
        return judged(model, lists.index, cut, seconds=lists.seconds)

    def _lists(
        self,
        model: Model,
        cut: Split,
        where: str,
        stage: str,
        ask: Callable[[Model, Split, int, Stopwatch, float], Ranked],
        kept: Mapping[str, Model] = MappingProxyType({}),
    ) -> tuple[Ranked, Model | None]:
        """The lists of a model, and the fitted model unless the lists were there already."""
        key, units = key_of(model, where), units_of(model, len(cut.fit))
        held = self.checkpoints.load(key)
        if held is not None:
            self.steps.skip(model.name, units)
            return Ranked.from_arrays(held), None
        with self.steps.step(stage, model.name, units):
            started = self.stopwatch()
            fitted = made_of(model, lambda part: kept.get(part.name) or self.fitted(part, cut.fit, where), cut.fit)
            lists = ask(fitted, cut, self.k, self.stopwatch, self.stopwatch() - started)
        if sum(lists.seconds) >= WORTH_KEEPING_SECONDS:
            self.checkpoints.save(key, lists.arrays())
        return lists, fitted


def units_of(model: Model, n_rows: int) -> float:
    """Of the work of fitting and asking a model: rows times passes over them."""
    return float(n_rows * model.n_passes(n_rows))


def work_of(spaces: Sequence[Space], n_rows: int, n_trials: int) -> dict[str, float]:
    """Of choosing: the start of each family and, mostly, two values of each setting."""
    work: dict[str, float] = defaultdict(float)
    for space in spaces:
        model = replace(space.start, **space.while_choosing)  # type: ignore[type-var]
        work[model.name] += (1 + min(n_trials, 2 * len(space.axes))) * units_of(model, n_rows)
    return work
