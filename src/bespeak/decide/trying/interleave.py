"""Team-draft interleaving: two policies pick in turn for one slate, and whose items are clicked says which is better.

Each round a coin says which team picks first; each takes its best item that still may stand there (Radlinski, Kurup
and Joachims 2008, "How Does Clickthrough Data Reflect Retrieval Quality?", CIKM). Everybody sees both policies, so
far fewer people are needed than for arms side by side; what it tells is which order people prefer, and no lift.

The propensity of an item given the items before is exact. Between rounds nothing is left to know: the sets picked by
both are in plain sight. Within a round, who picked first may be unknown, where both teams would have taken the same
item; then both ways count with their probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.decide.candidates import Candidates, gather
from bespeak.decide.decide import paid_items, record, scored_of, shown_item
from bespeak.decide.occasion import Occasion
from bespeak.decide.rankers.score import Scored
from bespeak.decide.reasons.explain import Explainer
from bespeak.decide.scoring.adjust import adjusted
from bespeak.decide.scoring.features import FeatureMatrix, compute
from bespeak.decide.settings.placements import Placement
from bespeak.decide.situation import Situation
from bespeak.decide.slates.constraints import constraints_of, pinned, wanted, with_wanted
from bespeak.decide.slates.exploration import numbers_of
from bespeak.decide.slates.slate import Choice, build
from bespeak.signals.decisions import Decision

Bools = npt.NDArray[np.bool_]
Float64s = npt.NDArray[np.float64]
Int32s = npt.NDArray[np.int32]


@dataclass
class TeamDraft:
    """Draws an interleaved slate, one position at a time.

    Attributes:
        scores: of both teams, float64[c]; minus infinity where a team does not propose a candidate.
        coins: numbers from 0 to 1 (not included); below a half the first team begins the round.
        teams: position -> whose choice it is, 0 or 1.

    Example:
        >>> draft = TeamDraft((np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0])), np.array([0.2, 0.7]))
        >>> is_open = np.ones(3, bool)
        >>> draft.choose(np.zeros(3), is_open, 1)
        Choice(candidate=0, propensity=0.5)
        >>> is_open[0] = False
        >>> draft.choose(np.zeros(3), is_open, 2), draft.teams
        (Choice(candidate=2, propensity=1.0), {1: 0, 2: 1})
    """

    scores: tuple[Float64s, Float64s]
    coins: Float64s
    teams: dict[int, int] = field(default_factory=dict)
    _began: tuple[float, float] = (0.5, 0.5)
    _last: int = 0

    def choose(self, scores: Float64s, is_open: Bools, position: int) -> Choice:
        """The next pick, a `Chooser`; `scores` are read where neither team proposes anything that is open."""
        favourites = [self._favourite(team, scores, is_open) for team in (0, 1)]
        n_rounds, is_second = divmod(len(self.teams), 2)
        if is_second:  # the other team than the one that began, which the items before may not tell
            team, chances = 1 - self._last, (self._began[1], self._began[0])
        else:
            team, chances = int(self.coins[n_rounds] >= 0.5), (0.5, 0.5)
        candidate = favourites[team]
        hits = [chance * (favourites[one] == candidate) for one, chance in enumerate(chances)]
        propensity = sum(hits)
        if not is_second:
            self._began = (hits[0] / propensity, hits[1] / propensity)
        self.teams[position], self._last = team, team
        return Choice(candidate, propensity)

    def _favourite(self, team: int, scores: Float64s, is_open: Bools) -> int:
        """The best open candidate of a team; of the other team, or of all, where it proposes none that is open."""
        for values in (self.scores[team], self.scores[1 - team]):
            own = np.where(is_open, values, -np.inf)
            if np.isfinite(own).any():
                return int(np.argmax(own))
        return int(np.argmax(np.where(is_open, scores, -np.inf)))


def interleaved(occasion: Occasion, teams: Mapping[str, tuple[str, Placement]]) -> Decision:
    """Makes one decision of two policies that differ in order alone; errors as `decide`.

    What may stand in a slate at all is the same for both. A pinned item belongs to neither team. Diversity and
    exploration are left out: they would credit a team for what it did not choose.

    Args:
        occasion: as in `decide`.
        teams: variant -> name and settings of its policy; two.
    """
    request, world = occasion.request.checked(), occasion.world
    situations = [Situation.of(occasion, settings) for _, settings in teams.values()]
    pins = pinned(situations[0])
    proposed = [gather(situation) for situation in situations]
    candidates = with_wanted(_united(*proposed), wanted(situations[0], pins), world)
    rows, count = candidates.rows, situations[0].count
    both = [_scored(situation, rows) for situation in situations]
    matrices, scored = [matrix for matrix, _ in both], [found for _, found in both]
    own = [_own(found.scores, np.isin(rows, asked.rows), situations[0].placement.min_score)
           for asked, found in zip(proposed, scored, strict=True)]  # fmt: skip
    draft = TeamDraft((own[0], own[1]), numbers_of(world.seed, request.placement, occasion.decision_id, count))
    best_of_both = np.maximum(own[0], own[1])
    scores = np.where(np.isfinite(best_of_both), best_of_both, scored[0].scores)
    slate = build(scores, count, replace(constraints_of(situations[0], rows, pins), diversity=None), draft.choose)
    chosen = [choice.candidate for choice in slate.chosen]
    limit = None if request.explain else situations[0].placement.n_reasons
    explainers = [
        Explainer(situation, rows, matrix, found, chosen, limit)
        for situation, matrix, found in zip(situations, matrices, scored, strict=True)
    ]
    shown, paid = [], paid_items(situations[0])
    for position, choice in enumerate(slate.chosen, 1):
        team = draft.teams.get(position)
        by = team or 0
        item = shown_item(choice, position, candidates, scored[by], explainers[by], world, paid)
        shown.append(item if team is None else msgspec.structs.replace(item, team=list(teams)[team]))
    decision = record(situations[0], shown, candidates, scored[0], slate)
    return msgspec.structs.replace(decision, policy="+".join(name for name, _ in teams.values()))


def _scored(situation: Situation, rows: Int32s) -> tuple[FeatureMatrix, Scored]:
    matrix = compute(situation, rows)
    return adjusted(situation, rows, matrix, scored_of(situation, matrix))


def _own(scores: Float64s, is_proposed: Bools, min_score: float | None) -> Float64s:
    """float64[c]: a team's scores of what it proposes, minus infinity elsewhere."""
    is_its = is_proposed if min_score is None else is_proposed & (scores >= min_score)
    return np.where(is_its, scores, -np.inf)


def _united(first: Candidates, second: Candidates) -> Candidates:
    """What either proposes."""
    rows = np.union1d(first.rows, second.rows).astype(np.int32)
    names = tuple(dict.fromkeys((*first.names, *second.names)))
    proposed = np.zeros(len(rows), np.int64)
    for part in (first, second):
        places = np.searchsorted(rows, part.rows)
        for bit, name in enumerate(part.names):
            proposed[places] |= (part.proposed >> bit & 1) << names.index(name)
    return Candidates(rows, proposed, names)
