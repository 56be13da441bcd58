"""Lists and rows of pages in the decision log: which may be used for a replay, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.settings.placements import Placement
from bespeak.decide.trial import INCUMBENT
from bespeak.engine.core import Core
from bespeak.engine.logged.granted import Grants
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.logged.outcomes import Outcomes
from bespeak.engine.trying.policies import Versions
from bespeak.learn.replay.slates import Scene
from bespeak.signals.decisions import Decision
from bespeak.signals.purposes import MEASURE
from bespeak.storage.tables import records

Float64s: TypeAlias = npt.NDArray[np.float64]

NOT_GRANTED = "nobody who agreed to being measured"
STILL_OPEN = "outcomes may still come"
A_BOT = "a bot"
OF_ANOTHER = "another system's slate: how it scored what it did not show is unknown"
INTERLEAVED = "two policies in one slate: nothing but their favourites was tried; `experiment report` compares them"
SETTINGS_GONE = "the settings of its policy are not kept any more"
NOT_TRIED = "did not explore"
UNFAITHFUL = "cannot be walked again: its rules or items were others"
_BATCH = 500


class SlateLog:
    """The decisions of a placement that may be used, with what came of them.

    Args:
        core: the open project.
        placement: whose decisions.
        worth: signal class -> what it is worth, the largest counting as 1; each position counts once.
        from_ms: the first moment.
        window_ms: how long after it was shown an outcome counts; decisions whose window is open are left out.
        purposes: what the rows are used for: each held then and is not refused now; of outcomes the last.
        until_ms: the last moment that is known; now when left out.
        needs_candidates: whether only decisions count that kept their candidates; else all that explored.
    """

    def __init__(
        self,
        core: Core,
        placement: str,
        worth: Mapping[str, float],
        from_ms: int,
        window_ms: int,
        purposes: tuple[str, ...] = (MEASURE,),
        until_ms: int | None = None,
        *,
        needs_candidates: bool = True,
    ) -> None:
        self._core, self._placement, self._purposes = core, placement, purposes
        self._from_ms, self._until_ms = from_ms, core.now_ms() if until_ms is None else until_ms
        self._closed_ms = self._until_ms - window_ms
        self._needs_candidates = needs_candidates
        self._settings: dict[str, Placement | None] = {}
        self.left_out: Counter[str] = Counter()
        self.policies: Counter[str] = Counter()
        self.n_decisions = 0
        with core.store.read() as session:
            self._grants, self._versions = Grants.read(session, *purposes), Versions.read(session)
        self._rewards = self._read_rewards(worth, window_ms)

    @property
    def n_recorded(self) -> int:
        """How many decisions `scenes` gives at most."""
        return len(self._rewards)

    def scenes(self) -> Iterator[Scene]:
        """Reads the usable decisions anew, one after the other: all at once they would not fit into memory."""
        for decision in self._decisions():
            rewards = self._rewards.get(decision.decision_id)
            if rewards is None or decision.person is None:
                continue
            settings = self._settings_of(decision)
            if settings is None:
                self.left_out[SETTINGS_GONE] += 1
                continue
            self.policies[decision.policy] += 1
            yield Scene(decision, settings, rewards, self._grants.root_of(decision.person))

    def _read_rewards(self, worth: Mapping[str, float], window_ms: int) -> dict[str, Float64s]:
        """Decision -> float64[positions], of those that may be used; all of the placement compete for an outcome."""
        usable: dict[str, tuple[int, int]] = {}
        codes: dict[str, int] = {}
        rows: list[tuple[int, int, int]] = []
        for decision in self._decisions():
            self.n_decisions += 1
            reason = self._reason_against(decision)
            if reason:
                self.left_out[reason] += 1
            else:
                usable[decision.decision_id] = len(rows), len(decision.items)
            if decision.person is not None:
                root = self._grants.root_of(decision.person)
                rows += [
                    (root, codes.setdefault(item.item_id, len(codes)), decision.time_ms) for item in decision.items
                ]
        if not rows:
            return {}
        person, item, time_ms = np.array(rows, np.int64).T
        feed(self._core)
        last_ms = int(time_ms.max()) + window_ms
        outcomes = Outcomes.read(self._core, codes, self._purposes[-1], int(time_ms.min()), last_ms)
        came = outcomes.rewards(worth, person, item, time_ms, window_ms)
        if len(worth) == 1:  # one class happens or does not
            came = (came > 0).astype(np.float64)
        return {name: came[start : start + n] for name, (start, n) in usable.items()}

    def _reason_against(self, decision: Decision) -> str:
        """Why a decision is not used; "" where it is."""
        granted = all(decision.purposes & self._core.config.purposes.bit(name) for name in self._purposes)
        if decision.person is None or not granted or self._grants.root_of(decision.person) in self._grants.refusing:
            return NOT_GRANTED
        if decision.context.get("is_bot"):
            return A_BOT
        if decision.time_ms > self._closed_ms:
            return STILL_OPEN
        return _kind_against(decision, needs_candidates=self._needs_candidates)

    def _decisions(self) -> Iterator[Decision]:
        after = (self._from_ms, "")
        while True:
            with self._core.store.read() as session:
                batch = records.decisions_at(session, self._placement, after, self._until_ms, _BATCH)
            if not batch:
                return
            after = batch[-1].time_ms, batch[-1].decision_id
            yield from batch

    def _settings_of(self, decision: Decision) -> Placement | None:
        if decision.policy not in self._settings:
            version = decision.policy.rpartition("@")[2]
            held = self._versions.settings(self._placement, int(version)) if version.isdigit() else None
            self._settings[decision.policy] = held if isinstance(held, Placement) else None
        return self._settings[decision.policy]


def _kind_against(decision: Decision, *, needs_candidates: bool) -> str:
    """Why a decision of this kind cannot be walked again; "" where it can."""
    if decision.policy == INCUMBENT:
        return OF_ANOTHER
    if any(shown.team for shown in decision.items):
        return INTERLEAVED
    if decision.candidate_features is None and (needs_candidates or not decision.candidate_features_rate):
        return "its candidates were not kept" if decision.candidate_features_rate else NOT_TRIED
    return "" if decision.items else "nothing was shown"
