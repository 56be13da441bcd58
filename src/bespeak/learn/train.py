"""Training: choose a model on the data at hand, report it honestly, fit it and its helpers on everything.

For each protocol that fits the log (see `protocols`) the log is cut in three: candidates are fitted on the first cut
and compared on the second; the best of each family, the baselines and the chosen model are fitted on both and reported
on the third. A blend is chosen over the best single model only if it wins beyond noise (see `blending`). The first
protocol decides what is used, as long as it can ask enough people. The model in use is reported under the other
protocols too, wherever it stands there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from threadpoolctl import threadpool_limits

from bespeak.learn.choice import Choice
from bespeak.learn.cold_people import ColdPeople, judge_traits
from bespeak.learn.contest import Contest, Report, Steps
from bespeak.learn.leaderboard import Leaderboard, Progress, Stopwatch
from bespeak.learn.protocols import Asked, Protocol, protocols
from bespeak.learn.report import sentences
from bespeak.learn.spaces import default_spaces, missing, n_trials
from bespeak.learn.splits import Relevant
from bespeak.learn.tuning import Space
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.blend import Blend
from bespeak.models.families import model_class
from bespeak.models.popularity import Popularity

_SMALL_CATALOGUE = 4_000
_ENOUGH_PEOPLE = 30
"""A cut that asks fewer people chooses nothing when another asks more."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What training made.

    Attributes:
        model: the chosen model, fitted on everything.
        members: the best of each family that is a source or a part of the model, by name, fitted on everything.
        boards: what was measured, the deciding protocol first; empty when the data could not be cut.
        choice: what was compared on the cuts that decided; None when the data could not be cut.
        interactions: what the models were fitted on.
        relevant: which later rows counted as right answers.
        notes: what kept a better model from being found, in sentences: the time cap, a missing extra.
        traits: what people's traits are worth; None where too few people have some.
    """

    model: Model
    members: dict[str, Model]
    boards: tuple[Leaderboard, ...]
    choice: Choice | None
    interactions: Interactions
    relevant: Relevant
    notes: tuple[str, ...] = ()
    traits: ColdPeople | None = None

    def sentences(self) -> list[str]:
        """What was found, in words for whoever trains."""
        of_traits = () if self.traits is None else (self.traits.sentence(),)
        notes = (*of_traits, *self.notes)
        return sentences(self.model, self.boards, self.interactions, self.relevant, self.choice, notes)

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


def train(
    interactions: Interactions,
    content: ItemContent | None = None,
    *,
    candidates: Sequence[Model] | None = None,
    asked: Asked = "served",
    allows_seen: bool = False,
    reports: bool = True,
    max_seconds: float | None = None,
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
        candidates: what to try instead of `default_spaces`, as it is.
        asked: who the model will be asked about.
        allows_seen: whether a next row may be an item of the rows before (asking strangers only).
        reports: False leaves out the reporting cut: everything that may be seen is used for choosing.
        max_seconds: cap after which no more settings are tried; what was chosen is still fitted.
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
    if candidates is None:
        spaces = default_spaces(log, content, asked=asked, allows_seen=allows_seen, seed=seed)
    else:
        spaces = [Space(model) for model in candidates]
    fitting = protocols(log, asked, relevant=relevant, allows_seen=allows_seen)
    if not reports:
        del fitting[1:]
    contest = Contest(
        content=content,
        spaces=spaces,
        n_trials=n_trials(log),
        k=k,
        seed=seed,
        stopwatch=stopwatch,
        deadline=None if max_seconds is None else stopwatch() + max_seconds,
        steps=Steps(progress, n_expected=len(fitting) * 3 * (len(spaces) + 4)),
    )
    # On small matrices the threads of BLAS mostly wait for one another, and on a busy machine they wait long.
    with threadpool_limits(limits=1 if log.n_items <= _SMALL_CATALOGUE else None, user_api="blas"):
        judged = None
        if log.traits is not None and candidates is None and reports:
            judged = judge_traits(log, content, relevant=relevant, k=k, seed=seed, tell=contest.steps.tell)
        trained = _trained(contest, log, fitting, relevant, reports=reports)
        if judged is not None and judged.helps:
            helper = judged.model.fit(log, content)
            trained = replace(trained, members={**trained.members, helper.name: helper})
    notes = missing(log, asked) if candidates is None else []
    if contest.is_late():
        notes.append("The time cap ended the search for settings early; with more time a better model may be found.")
    return replace(trained, notes=tuple(notes), traits=judged)


def _trained(
    contest: Contest, log: Interactions, fitting: Sequence[Protocol], relevant: Relevant, *, reports: bool
) -> Trained:
    held: list[tuple[Choice, Report | None]] = []
    for protocol in fitting:
        if not reports:
            choice = contest.choose([protocol.cut(log)])
            held += [] if choice is None else [(choice, None)]
            continue
        cut = protocol.cut(log)
        choice = contest.choose(protocol.earlier(cut.fit)) if len(cut) else None
        report = None if choice is None else contest.report(choice, cut, protocol.baseline)
        held += [] if choice is None or report is None else [(choice, report)]
    held.sort(key=lambda pair: pair[0].n_asked < _ENOUGH_PEOPLE)  # stable: the first protocol if it can tell
    decided = held[0][0] if held else None
    chosen = Popularity() if decided is None else decided.chosen
    boards = tuple(contest.board(report, chosen) for _, report in held if report is not None)
    families = _first_of_family([s.start for s in contest.spaces]) if decided is None else decided.families
    sources = {space.start.name for space in contest.spaces if space.is_source}
    members = {}
    for name, model in families.items():
        if name in _used(chosen) or (reports and name in sources):
            contest.steps.tell(f"fitting {name} on everything")
            members[name] = model.fit(log, contest.content)
    trained = Trained(
        model=_fitted_from(chosen, members, log, contest.content),
        members=members,
        boards=boards,
        choice=decided,
        interactions=log,
        relevant=relevant,
    )
    contest.steps.finish()
    return trained


def _used(chosen: Model) -> set[str]:
    """The names of the families that a model is made of."""
    return {member["name"] for member in chosen.members} if isinstance(chosen, Blend) else {chosen.name}


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
