"""Training: choose a model on the data at hand, report it honestly, fit it and its helpers on everything.

For each protocol that fits the log (see `protocols`) the log is cut in three: candidates are fitted on the first cut
and compared on the second; the best of each family, the baselines and the chosen model are fitted on both and reported
on the third. A blend is chosen over the best single model only if it wins beyond noise (see `blending`). The first
protocol decides what is used, as long as it can ask enough people. The model in use is reported under the other
protocols too, wherever it stands there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from threadpoolctl import threadpool_limits

from bespeak.learn.choosing.checkpoints import Checkpoints, NoCheckpoints, fingerprint
from bespeak.learn.choosing.choice import Choice
from bespeak.learn.choosing.contest import Contest, Report, units_of, work_of
from bespeak.learn.choosing.memory import within
from bespeak.learn.choosing.protocols import Asked, Protocol, protocols
from bespeak.learn.choosing.spaces import default_spaces, missing, n_trials
from bespeak.learn.choosing.steps import Steps
from bespeak.learn.choosing.tuning import Space
from bespeak.learn.cold_people import ColdPeople, judge_traits
from bespeak.learn.leaderboard import Leaderboard, Progress, Stopwatch
from bespeak.learn.report import sentences
from bespeak.learn.splits import Relevant
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.blend import Blend, made_of
from bespeak.models.factors.attribute_factors import AttributeFactors
from bespeak.models.popular.popularity import Popularity

_SMALL_CATALOGUE = 4_000
_CHOOSING_SHARE = 0.64
"""Of the rows: what two cuts of four fifths leave to fit on."""
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
    memory_limit_bytes: float | None = None,
    checkpoints: Checkpoints | None = None,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    stopwatch: Stopwatch = time.perf_counter,
) -> Trained:
    """Chooses, reports and fits. Deterministic under the seed; any data gives an answer, if only popularity.

    Args:
        interactions: the log.
        content: what is known of the items; items without an event are scored by it too.
        candidates: what to try instead of `default_spaces`, as it is.
        asked: who the model will be asked about.
        allows_seen: whether a later row that repeats an item is a right answer.
        reports: False leaves out the reporting cut: everything that may be seen is used for choosing.
        max_seconds: cap after which no more settings are tried; what was chosen is still fitted.
        seed: of samples, first vectors and bootstrap draws.
        now_ms: events after it are left out.
        relevant: which later rows count as right answers.
        k: length of the lists.
        memory_limit_bytes: families that need more are left out; None for no limit.
        checkpoints: where what was found is kept, so that a training that was killed goes on; nowhere when left out.
        say: told in sentences, before anything is fitted, what memory is needed and who is left out.
        progress: told what is being done, and the share that is done by time.
        stopwatch: for the seconds in the report and the share.

    Raises:
        InvalidInput: not even the smallest model fits into memory.
    """
    log = interactions if now_ms is None else interactions.select(interactions.times_ms <= now_ms)
    if content is not None:
        log = log.with_items(content.item_ids)
    if candidates is None:
        spaces = default_spaces(log, content, asked=asked, allows_seen=allows_seen, seed=seed)
    else:
        spaces = [Space(model) for model in candidates]
    memory = within(spaces, log, memory_limit_bytes)
    if say is not None:
        for sentence in memory.sentences:
            say(sentence)
    fitting = protocols(log, asked, relevant=relevant, allows_seen=allows_seen)
    kept = checkpoints or NoCheckpoints()
    if checkpoints is not None:
        kept.begin(fingerprint(log, content, [asked, allows_seen, reports, relevant, k, seed]))
    contest = Contest(
        content=content,
        spaces=memory.spaces,
        n_trials=n_trials(log),
        k=k,
        seed=seed,
        stopwatch=stopwatch,
        deadline=None if max_seconds is None else stopwatch() + max_seconds,
        steps=Steps(progress, stopwatch),
        checkpoints=kept,
    )
    # On small matrices the threads of BLAS mostly wait for one another, and on a busy machine they wait long.
    with threadpool_limits(limits=1 if log.n_items <= _SMALL_CATALOGUE else None, user_api="blas"):
        judged = None
        if log.traits is not None and candidates is None and reports:
            with_factors = any(space.start.name == AttributeFactors.name for space in memory.spaces)
            judged = judge_traits(
                log, content, with_factors=with_factors, relevant=relevant, k=k, seed=seed, tell=contest.steps.tell
            )
        trained = _trained(contest, log, fitting, relevant, reports=reports)
        if judged is not None and judged.helps:
            helper = judged.model.fit(log, content)
            trained = replace(trained, members={**trained.members, helper.name: helper})
    notes = memory.sentences[1:] + (missing(log, content, asked=asked) if candidates is None else [])
    if contest.is_late():
        notes.append("The time cap ended the search for settings early; with more time a better model may be found.")
    return replace(trained, notes=tuple(notes), traits=judged)


def _trained(
    contest: Contest, log: Interactions, fitting: Sequence[Protocol], relevant: Relevant, *, reports: bool
) -> Trained:
    contest.steps.plan(_expected(contest, len(log), len(fitting) if reports else 1, reports=reports))
    held: list[tuple[Choice, Report | None, str]] = []
    is_decided = False
    for place, protocol in enumerate(fitting):
        where = f"{place}.choosing"
        if not reports:
            if held and held[-1][0].n_asked >= _ENOUGH_PEOPLE:
                break  # the next cut is for a log that this one hardly asks anybody of, as where nobody comes back
            # Another draw or row asks likewise; an earlier date would ask about days that the queries are not of.
            cuts = [protocol.cut(log)] if protocol.is_dated else protocol.earlier(log)
            choice = contest.choose(cuts, where, decides=True)
            held += [] if choice is None else [(choice, None, where)]
            continue
        cut = protocol.cut(log)
        cuts = protocol.earlier(cut.fit) if len(cut) else []
        decides = not is_decided and sum(map(len, cuts)) >= _ENOUGH_PEOPLE
        choice = contest.choose(cuts, where, decides=decides)
        where = f"{place}.reporting"
        report = None if choice is None else contest.report(choice, cut, protocol.baseline, where)
        if choice is not None and report is not None:
            held.append((choice, report, where))
            is_decided |= decides
    held.sort(key=lambda entry: entry[0].n_asked < _ENOUGH_PEOPLE)  # stable: the first protocol if it can tell
    decided = held[0][0] if held else None
    chosen = Popularity() if decided is None else decided.chosen
    boards = tuple(contest.board(report, chosen, where) for _, report, where in held if report is not None)
    families = _first_of_family([s.start for s in contest.spaces]) if decided is None else decided.families
    sources = {space.start.name for space in contest.spaces if space.is_source}
    final = {name: model for name, model in families.items() if name in _used(chosen) or (reports and name in sources)}
    contest.steps.phase({name: units_of(model, len(log)) for name, model in final.items()})
    members: dict[str, Model] = {}
    for name, model in final.items():
        with contest.steps.step(f"fitting {name} on everything", name, units_of(model, len(log))):
            members[name] = contest.fitted(model, log, "final")

    def fitted(part: Model) -> Model:
        known = members.get(part.name)
        return known if known is not None and known.settings() == part.settings() else part.fit(log, contest.content)

    trained = Trained(
        model=made_of(chosen, fitted, log),
        members=members,
        boards=boards,
        choice=decided,
        interactions=log,
        relevant=relevant,
    )
    contest.steps.finish()
    return trained


def _expected(contest: Contest, n_rows: int, n_protocols: int, *, reports: bool) -> list[dict[str, float]]:
    """What is to come, before any cut is made: per protocol choosing and reporting, then the final fits."""
    quick = [space for space in contest.spaces if not space.while_choosing]
    models = _first_of_family([space.start for space in contest.spaces]).items()
    phases = []
    for place in range(n_protocols):
        spaces = contest.spaces if place == 0 else quick
        phases.append(work_of(spaces, int(_CHOOSING_SHARE * n_rows), contest.n_trials))
        if reports:
            reported = {space.start.name for space in spaces}
            phases.append({name: units_of(model, n_rows) for name, model in models if name in reported})
    return [*phases, {name: units_of(model, n_rows) for name, model in models}]


def _used(chosen: Model) -> set[str]:
    """The names of the families that a model is made of."""
    return set(chosen.names) if isinstance(chosen, Blend) else {chosen.name}


def _first_of_family(models: Sequence[Model]) -> dict[str, Model]:
    """The first model of each name."""
    best: dict[str, Model] = {}
    for model in models:
        best.setdefault(model.name, model)
    return best
