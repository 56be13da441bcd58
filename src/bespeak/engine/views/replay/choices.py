"""Single choices in the decision log: which may be used for a replay, and what came of them; see `kinds`.

Lines `RULE show …` are followed as far as the log tells: where the evaluated policy has the lines that held when the
decision was made, what they decided stands; other lines are read again where they ask about circumstances alone. What
they ask about people is not in the record.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence

import msgspec

from bespeak.decide.decide import IN_CONTROL
from bespeak.decide.settings.placements import Placement
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.decide.variants.when import CONTEXT, Line, context_values, record_of
from bespeak.engine.core import Core
from bespeak.engine.learning.outcomes import Joined, joined, wanted
from bespeak.engine.logged.slate_log import A_BOT, STILL_OPEN
from bespeak.engine.trying.policies import Versions
from bespeak.engine.views.replay.asked import Policy
from bespeak.learn.replay.single import Taken, Target
from bespeak.signals.decisions import Decision
from bespeak.signals.events import Context
from bespeak.signals.purposes import MEASURE
from bespeak.storage.base import Session
from bespeak.storage.tables import records

OF_CONTROL = "the control of the launch, on whom nothing is tried"
REFUSED_PROFILING = "people who refused profiling, on whom nothing is tried"
FELL_BACK = "made without the store"
OTHER_LINES = "other lines held then, and these ask about people: what was known of them is not in the record"
UNSEEN = "nobody who agreed to being measured, or nobody saw it"

_PAGE_PATH = f"{CONTEXT}page"
_BATCH = 2_000


class ChoiceLog(ABC):
    """The single choices of a placement, laid beside a policy.

    Attributes:
        target: the policy, where a row does not say what it does.
        outcome: what counts, in words.
        n_decisions: of the placement; n_used: of them those with a row.
        left_out: reason -> decisions without one.
        policies: policy of the record -> decisions used.
    """

    target: Target

    def __init__(self, core: Core, policy: Policy, placement: str, outcome: str, window_ms: int) -> None:
        self._core, self._policy, self._placement = core, policy, placement
        self._outcome, self._window_ms = outcome, window_ms
        self.outcome = outcome or "reward"
        self.n_decisions = self.n_used = 0
        self.left_out: Counter[str] = Counter()
        self.policies: Counter[str] = Counter()
        with core.store.read() as session:
            self._versions = Versions.read(session)
        self._held: dict[str, Placement | VariantPlacement | None] = {}

    def rows(self, from_ms: int) -> list[Taken]:
        """Reads the choices from a moment on, of people who may be measured, whose window is closed."""
        core, found, n_wanted, n_joined = self._core, list[Taken](), 0, 0
        closed_ms = core.now_ms() - self._window_ms

        def is_wanted(decision: Decision) -> bool:
            nonlocal n_wanted
            self.n_decisions += 1
            reason = self.reason_against(decision)
            self.left_out[reason] += 1
            n_wanted += not reason
            return not reason

        with core.store.read() as session:
            observer = core.runtime.observer
            for batch in wanted(session, self._placement, from_ms, closed_ms, is_wanted):
                for one in joined(observer, session, batch, self._window_ms, MEASURE):
                    n_joined += 1
                    found += self._counted(one)
            n_open = _count(session, self._placement, max(closed_ms, from_ms), core.now_ms())
        self.n_decisions += n_open
        self.left_out += Counter({STILL_OPEN: n_open, UNSEEN: n_wanted - n_joined})
        del self.left_out[""]
        return found

    def _counted(self, row: Joined) -> Sequence[Taken]:
        taken = self._taken(row)
        if isinstance(taken, str):
            self.left_out[taken] += 1
            return ()
        self.n_used += 1
        self.policies[row.decision.policy] += 1
        return taken

    def reason_against(self, decision: Decision) -> str:
        """Why a decision is not used, as far as its record says; "" where it is."""
        if decision.context.get("is_bot"):
            return A_BOT
        if decision.mode == "fallback":
            return FELL_BACK
        if decision.mode == "non_profiled":
            return REFUSED_PROFILING
        if IN_CONTROL in decision.notes:
            return OF_CONTROL
        return self._kind_against(decision)

    @abstractmethod
    def _kind_against(self, decision: Decision) -> str:
        """As `reason_against`, for this kind of choice."""

    @abstractmethod
    def _taken(self, row: Joined) -> Sequence[Taken] | str:
        """The choices of a decision, or why there is none."""

    def _settings_of(self, decision: Decision) -> Placement | VariantPlacement | None:
        """The settings of the policy of a record; None where they are not kept any more."""
        if decision.policy not in self._held:
            number, names = decision.policy.rpartition("@")[2], self._core.config.names
            self._held[decision.policy] = (
                self._versions.settings(self._placement, int(number), names) if number.isdigit() else None
            )
        return self._held[decision.policy]

    def _by_lines(self, texts: Sequence[str], decision: Decision) -> list[str] | None:
        """What those lines would show whose rules hold; None where the record cannot tell."""
        lines = [self._core.world.line(text) for text in texts]
        if any(_asks_about_people(line) for line in lines):
            return None
        context = context_values(msgspec.convert(decision.context, Context))
        return [line.variant for line in lines if line.rule.test(record_of(None, ()), decision.time_ms, context)]


def _asks_about_people(line: Line) -> bool:
    """Whether a line asks for more than a record keeps of the circumstances."""
    of_circumstances = all(name.startswith(CONTEXT) and name != _PAGE_PATH for name in line.rule.columns)
    return bool(line.rule.functions) or not of_circumstances


def _count(session: Session, placement: str, after_ms: int, until_ms: int) -> int:
    """How many decisions a placement made after one moment and up to another."""
    last, n = (after_ms + 1, ""), 0
    while batch := records.decisions_at(session, placement, last, until_ms, _BATCH):
        last = batch[-1].time_ms, batch[-1].decision_id
        n += len(batch)
    return n
