"""Evaluating a project's models on its log, and somebody else's recommendations beside them.

What takes part: every family of the latest trained set, the model in use among them, with the settings that training
chose, refitted on what the cut may see; and the popularity baselines.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import msgspec
import numpy as np

from bespeak.decide.serving.new_items import item_content
from bespeak.engine.clock import iso
from bespeak.engine.core import Core
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.training.incumbent import Recommendations, Resolved, write_cut
from bespeak.engine.training.models import Models, Progress, relevant_rows
from bespeak.engine.worlds.trained_set import SetHeader
from bespeak.errors import BespeakError, InvalidInput, UnknownName
from bespeak.learn.evaluation.evaluate import Entrant, Theirs, chosen_people, evaluate
from bespeak.learn.evaluation.result import Evaluation
from bespeak.learn.evaluation.sentences import sentences
from bespeak.learn.leaderboard import sampled
from bespeak.learn.rating_result import RatingEvaluation
from bespeak.learn.ratings import are_enough, evaluate_ratings
from bespeak.learn.splits import Relevant, Split, calendar, held_out, leave_one_out, live, newcomers, per_person
from bespeak.models.artefact import read_header
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.families import model_class
from bespeak.models.popular.popularity import Popularity
from bespeak.models.popular.recent_popularity import RecentPopularity
from bespeak.models.ratings.biased_factorization import BiasedFactorization

Cut: TypeAlias = Literal["calendar", "live", "per_person", "leave_one_out", "held_out"]

_SHARE_CHOSEN_ON = 0.8
"""Training keeps the last part of the log for its report; settings are chosen on what comes before."""


class EvaluationReport(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation and where it came from.

    Attributes:
        project: name of the project.
        version: of the trained set.
        as_of: the time after which the log was cut, if one was given.
        evaluation: the figures.
        ratings: how far off foretold ratings are; None where the set foretells none.
        sentences: what was found, in words.
        notes: what was left out, in words.
        written: file -> rows, of a cut that was written.
    """

    project: str
    version: int
    as_of: str
    evaluation: Evaluation
    ratings: RatingEvaluation | None
    sentences: list[str]
    notes: list[str]
    written: dict[str, int]


class Evaluations:
    """Evaluates the latest trained set."""

    def __init__(self, core: Core, models: Models) -> None:
        self._core = core
        self._models = models

    def evaluate(
        self,
        *,
        protocol: Cut = "calendar",
        as_of_ms: int | None = None,
        against: Path | None = None,
        cut_folder: Path | None = None,
        k: int = 10,
        seed: int | None = None,
        max_people: int = 10_000,
        progress: Progress | None = None,
    ) -> EvaluationReport:
        """Cuts the log, refits, asks and measures.

        Args:
            protocol: name of the cut.
            as_of_ms: leave out what happened later.
            against: a Parquet file of somebody else's recommendations: user, item, rank.
            cut_folder: where to write what models may see and who is asked.
            k: length of the lists.
            seed: of samples and draws; the project's when left out.
            max_people: a larger cut asks so many, drawn at random.
            progress: told the stage and the share that is done.

        Raises:
            UnknownName: there is no such cut.
            InvalidInput: nothing was trained, the cut asks nobody, or the file is wrong.
        """
        core = self._core
        if protocol not in get_args(Cut):
            raise UnknownName("protocol", protocol, list(get_args(Cut)))
        versions = self._models.versions()
        if not versions:
            raise InvalidInput("There is no trained model to evaluate.", hint="Make one with: bespeak train")
        given = None if against is None else Recommendations.read(against)
        told = progress or (lambda _stage, _share: None)
        told("reading the log", 0.0)
        feed(core)
        core.refresh()
        seed = core.config.settings.project.seed if seed is None else seed
        content = item_content(core.world.catalogue.items, core.config.settings.profiles.facets)
        log = self._models.interactions(as_of_ms).with_items(content.item_ids)
        if not len(log):
            raise InvalidInput(
                "The log holds no event to evaluate on: none about an item whose purpose 'improve' was granted"
                + ("." if as_of_ms is None else f" until {iso(as_of_ms)}."),
                hint="Look at what came in with: bespeak report",
            )
        relevant = relevant_rows(log)
        whole = cut(protocol, log, relevant, seed)
        split, cold = sampled(whole, max_people, seed), sampled(newcomers(log, whole, relevant), max_people, seed)
        notes: list[str] = []
        theirs = None
        if given is not None:
            theirs, split, cold, more = _beside(Resolved.of(core, given, log), whole, split, cold, k)
            notes += more
        version, header = versions[0]
        entrants, left_out = self._entrants(header, log)
        found = evaluate(
            entrants, split, cold, content, theirs=theirs, n_people_of_cut=len(whole), k=k, seed=seed, progress=told
        )  # fmt: skip
        told("foretelling ratings", 0.0)
        ratings = self._ratings(header, content, as_of_ms, seed)
        written = {}
        if cut_folder is not None:
            written = write_cut(core, cut_folder, split, np.concatenate([split.people, cold.people]))
        told("evaluated", 1.0)
        return EvaluationReport(
            project=core.config.settings.project.name,
            version=version.version,
            as_of="" if as_of_ms is None else iso(as_of_ms),
            evaluation=found,
            ratings=ratings,
            sentences=[
                *sentences(found, _chosen_until_ms(log, header)),
                *(ratings.sentences() if ratings is not None else ()),
            ],
            notes=[*notes, *left_out, *found.left_out],
            written=written,
        )

    def _ratings(
        self, header: SetHeader, content: ItemContent, as_of_ms: int | None, seed: int
    ) -> RatingEvaluation | None:
        """Measures the rating model of the set, with its settings, on ratings that it does not see."""
        ratings = self._models.ratings(as_of_ms, content) if header.ratings is not None else None
        if header.ratings is None or ratings is None or not are_enough(ratings):
            return None
        return evaluate_ratings(ratings, content, BiasedFactorization(**header.ratings.settings), seed=seed)

    def _entrants(self, header: SetHeader, log: Interactions) -> tuple[list[Entrant], list[str]]:
        """Baselines and the trained models, unfitted, with a note for each that this release cannot make."""
        in_use: list[Model] = []
        candidates: list[Model] = []
        notes: list[str] = []
        for stored in header.models:
            try:
                found = read_header(self._core.blobs.place(stored.blob_key))
                model = model_class(found.model)(**found.settings)
            except (BespeakError, TypeError):
                notes.append(f"The stored model '{stored.name}' cannot be read by this release and was left out.")
                continue
            (in_use if stored.is_best else candidates).append(model)
        if not in_use:
            raise InvalidInput("The model in use cannot be read.", hint="Train again with: bespeak train")
        known = _keys(in_use)
        baselines: list[Model] = [RecentPopularity(), Popularity()] if log.has_times else [Popularity()]
        baselines = [model for model in baselines if _key(model) not in known]
        known |= _keys(baselines)
        return [
            *(Entrant(model, "in use") for model in in_use),
            *(Entrant(model, "candidate") for model in candidates if _key(model) not in known),
            *(Entrant(model, "baseline") for model in baselines),
        ], notes


def cut(protocol: Cut, log: Interactions, relevant: Relevant, seed: int) -> Split:
    """A cut by its name.

    Raises:
        InvalidInput: it needs times that the log does not have, or leaves nobody to ask.
    """
    if protocol in ("calendar", "live") and len(log) and not log.has_times:
        raise InvalidInput(
            f"The cut '{protocol}' needs times, and all events of this log carry the same one.",
            hint="Use --protocol held_out, or import the events with their times.",
        )
    cutters = {
        "calendar": calendar,
        "live": live,
        "per_person": per_person,
        "leave_one_out": leave_one_out,
        "held_out": partial(held_out, seed=seed),
    }
    found: Split = cutters[protocol](log, relevant=relevant)  # type: ignore[operator]
    if not len(found):
        others = ", ".join(name for name in get_args(Cut) if name != protocol)
        raise InvalidInput(
            f"The cut '{protocol}' leaves nobody to ask: nobody has events both before and after it, with an item new "
            "to them.",
            hint=f"More events are needed, or another --protocol: {others}.",
        )
    return found


def _beside(
    resolved: Resolved, whole: Split, split: Split, cold: Split, k: int
) -> tuple[Theirs, Split, Split, list[str]]:
    """Somebody else's lists, and the cut with only the people whom they answer."""
    given, notes, n_asked = resolved.given, [], len(split)
    split, cold = (chosen_people(part, resolved.answers(part)) for part in (split, cold))
    if not len(split):
        n = f"{len(whole):,} people whom the cut asks"
        raise InvalidInput(
            f"{given.name} answers nobody of the {n}.",
            hint="`bespeak evaluate --cut-out DIR` writes whom to answer, and what may be known of them.",
        )
    if len(split) < n_asked:
        notes.append(f"{given.name} answers {len(split):,} of {n_asked:,} people asked; all figures are of those.")
    if resolved.n_unknown_items:
        notes.append(
            f"{given.name}: {resolved.n_unknown_items:,} items are unknown to this project; they count as wrong."
        )
    index = resolved.lists(split, k)
    if (short := int(((index >= 0).sum(axis=1) < k).sum())) > 0:
        notes.append(f"{given.name}: {short:,} of {len(split):,} lists hold fewer than {k} known items.")
    return Theirs(given.name, index, resolved.lists(cold, k) if len(cold) else None), split, cold, notes


def _chosen_until_ms(log: Interactions, header: SetHeader) -> int:
    """Time of the last row that training chose settings on: it keeps the last fifth of its rows for the report."""
    times = np.sort(log.times_ms[log.times_ms <= header.trained_to_ms])
    # What was trained on later than this log goes was chosen on rows after its end.
    if header.trained_to_ms > log.last_ms:
        return header.trained_from_ms + int(_SHARE_CHOSEN_ON * (header.trained_to_ms - header.trained_from_ms))
    return int(times[max(0, int(_SHARE_CHOSEN_ON * len(times)) - 1)]) if len(times) else 0


def _key(model: Model) -> bytes:
    return msgspec.json.encode([model.name, model.settings()], enc_hook=str, order="sorted")


def _keys(models: Sequence[Model]) -> set[bytes]:
    return {_key(model) for model in models}


def plain(report: EvaluationReport) -> dict[str, Any]:
    """The report as JSON values, numbers unrounded."""
    built: dict[str, Any] = msgspec.to_builtins(
        report, enc_hook=lambda value: value.item() if hasattr(value, "item") else str(value)
    )
    return built
