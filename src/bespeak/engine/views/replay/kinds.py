"""The kinds of single choices: variants, the creatives of items, the next best action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from bespeak.decide.choosing.actions import chances_of
from bespeak.decide.settings.placements import Placement
from bespeak.decide.variants.bandits import Learner
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.engine.core import Core
from bespeak.engine.learning.lessons import worth_of
from bespeak.engine.learning.outcomes import Joined
from bespeak.engine.logged.slate_log import NOT_TRIED, SETTINGS_GONE, UNFAITHFUL
from bespeak.engine.views.replay.asked import Policy
from bespeak.engine.views.replay.choices import OTHER_LINES, ChoiceLog
from bespeak.errors import InvalidInput, UnknownName
from bespeak.learn.replay.single import Always, Bools, Float64s, Learning, Shares, Taken, Target
from bespeak.signals.decisions import Decision, ShownItem
from bespeak.storage.tables.log import DAY_MS

OTHER_FEATURES = "the policy goes by features that were not logged"
OTHER_RULES = "other rules held then: what the policy would choose from is not in the record"
NO_SUCH = "what is to be shown was none of what could be"
ITEM_GONE = "its items or their creatives are gone"
NOTHING = ""
"""The arm of an action decision that does nothing."""

_CLOSE = 1e-6


class VariantLog(ChoiceLog):
    """One of declared variants."""

    def __init__(
        self,
        core: Core,
        policy: Policy,
        placement: str,
        settings: VariantPlacement,
        outcome: str,
        window_ms: int | None,
    ) -> None:
        own = settings.settings
        super().__init__(core, policy, placement, outcome, _window(window_ms, own.window_minutes))
        self._wanted = settings
        self.target = _variant_target(settings, policy, core.world.seed)
        self._needs = frozenset(own.features if isinstance(self.target, Learning) else ())

    def _kind_against(self, decision: Decision) -> str:
        return "" if decision.kind == "variant" else "showed items"

    def _taken(self, row: Joined) -> Sequence[Taken] | str:
        decision = row.decision
        held = self._settings_of(decision)
        if not isinstance(held, VariantPlacement):
            return SETTINGS_GONE
        shown, own = decision.items[0], self._wanted.settings
        source = shown.sources[0] if shown.sources else ""
        arms = tuple(dict.fromkeys((*held.arms, *self._wanted.arms)))
        if shown.item_id not in held.arms:
            return UNFAITHFUL
        settled = None
        if not self._policy.always and own.when:
            if own.when == held.settings.when:
                settled = shown.item_id if source == "rule" else None
            else:
                by_lines = self._by_lines(own.when, decision)
                if by_lines is None:
                    return OTHER_LINES
                settled = by_lines[0] if by_lines else None
        if settled is None and not self._needs <= frozenset(held.settings.features if source == "learned" else ()):
            return OTHER_FEATURES
        is_tried = _tried(held, shown, source, arms, self._core.world.seed)
        if is_tried is None:
            return UNFAITHFUL
        return [
            Taken(
                arms=arms,
                place=arms.index(shown.item_id),
                propensity=shown.propensity,
                is_tried=is_tried,
                reward=float(self._outcome in row.done) if self._outcome else worth_of(own, row),
                person=row.person,
                features=shown.features,
                time_ms=decision.time_ms,
                settled=None if settled is None else _certain(arms, settled),
            )
        ]


class CreativeLog(ChoiceLog):
    """The creatives that items were shown with, where they were drawn."""

    def __init__(
        self, core: Core, policy: Policy, placement: str, settings: Placement, outcome: str, window_ms: int | None
    ) -> None:
        own = settings.creatives
        super().__init__(core, policy, placement, outcome, _window(window_ms, own.window_minutes))
        self._wanted = own
        if own.choose == "affinity" and not policy.always and not policy.is_greedy:
            raise InvalidInput(
                "Which creatives people would have liked is not in the log: their affinities then are not kept.",
                hint="Evaluate a policy that learns, learned, or always:ID.",
            )
        self.target = Learning(
            learner=None if policy.is_greedy or not own.learns else cast(Learner, own.choose),
            explore=own.explore,
            width=own.width,
            half_life_ms=own.half_life_days * DAY_MS if own.half_life_days else None,
            largest_reward=sum(abs(worth) for worth in own.reward.values()) or 1.0,
        )

    def _kind_against(self, decision: Decision) -> str:
        is_drawn = any(shown.creative and shown.creative["propensity"] < 1 for shown in decision.items)
        return "" if is_drawn else "no creative was drawn"

    def _taken(self, row: Joined) -> Sequence[Taken] | str:
        held = self._settings_of(row.decision)
        lines = held.creatives.when if isinstance(held, Placement) else ()
        wanted: list[str] = []
        if self._wanted.when and not self._policy.always and self._wanted.when != lines:
            by_lines = self._by_lines(self._wanted.when, row.decision)
            if by_lines is None:
                return OTHER_LINES
            wanted = by_lines
        drawn = [shown for shown in row.decision.items if shown.creative and shown.creative["propensity"] < 1]
        found = [taken for shown in drawn if (taken := self._of_item(row, shown, wanted)) is not None]
        return found or (NO_SUCH if self._policy.always else ITEM_GONE)

    def _of_item(self, row: Joined, shown: ShownItem, by_lines: Sequence[str]) -> Taken | None:
        catalogue = self._core.world.catalogue
        place = catalogue.index.get(shown.item_id, -1)
        arms = tuple(creative.id for creative in catalogue.items[place].creatives) if place >= 0 else ()
        assert shown.creative is not None
        if shown.creative["id"] not in arms:
            return None
        line = next((one for one in by_lines if one in arms), "")
        settled = self._policy.always or line
        if not settled and self._wanted.choose == "first" and not self._policy.is_greedy:
            settled = arms[0]
        if settled and settled not in arms:
            return None
        named = row.named
        worth = self._wanted.reward if not self._outcome else {self._outcome: 1.0}
        return Taken(
            arms=arms,
            place=arms.index(shown.creative["id"]),
            propensity=float(shown.creative["propensity"]),
            is_tried=np.ones(len(arms), np.bool_),
            reward=sum(value for name, value in worth.items() if (name, shown.item_id) in named),
            person=row.person,
            features={},
            about=shown.item_id,
            time_ms=row.decision.time_ms,
            settled=_certain(arms, settled) if settled else None,
        )


class ActionLog(ChoiceLog):
    """The next best action: worth its value where it succeeded, less its cost."""

    def __init__(
        self, core: Core, policy: Policy, placement: str, settings: Placement, outcome: str, window_ms: int | None
    ) -> None:
        own = settings.actions
        assert own is not None
        super().__init__(core, policy, placement, outcome, _window(window_ms, own.window_minutes))
        self._wanted, self._own = settings, own
        self._success = frozenset([outcome] if outcome else own.success)
        self.outcome = f"value of {outcome or ' or '.join(own.success)} less cost"
        self.target = Always(NOTHING)
        if policy.always and policy.always not in core.world.catalogue.index:
            raise UnknownName("item", policy.always, core.world.catalogue.item_ids[:1_000])

    def _kind_against(self, decision: Decision) -> str:
        return "" if decision.candidate_features is not None else NOT_TRIED

    def _taken(self, row: Joined) -> Sequence[Taken] | str:
        decision, kept = row.decision, row.decision.candidate_features
        held = self._settings_of(decision)
        if not isinstance(held, Placement) or held.actions is None:
            return SETTINGS_GONE
        assert kept is not None
        if not self._policy.always and (
            held.actions.prior_rows != self._own.prior_rows
            or (held.kinds, held.filter) != (self._wanted.kinds, self._wanted.filter)
        ):
            return OTHER_RULES
        value, cost = (np.array(kept.columns[name]) for name in ("value", "cost"))
        logged = _with_nothing(
            chances_of(np.array(kept.scores), value > cost, held.actions.explore, held.actions.withheld)
        )
        arms = (*kept.item_ids, NOTHING)
        shown = decision.items[0] if decision.items else None
        place = arms.index(shown.item_id if shown is not None else NOTHING)
        if logged[place] <= 0 or (shown is not None and abs(logged[place] - shown.propensity) > _CLOSE):
            return UNFAITHFUL
        if self._policy.always:
            settled = _certain(arms, self._policy.always if self._policy.always in arms else NOTHING)
        else:
            drawn = (0.0, 0.0) if self._policy.is_greedy else (self._own.explore, self._own.withheld)
            settled = _with_nothing(chances_of(np.array(kept.scores), value > cost, *drawn))
        has_won = not self._success.isdisjoint(row.done)
        return [
            Taken(
                arms=arms,
                place=place,
                propensity=float(logged[place]),
                is_tried=logged > 0,
                reward=0.0 if shown is None else float(value[place]) * has_won - float(cost[place]),
                person=row.person,
                features={},
                time_ms=decision.time_ms,
                settled=settled,
            )
        ]


def choice_log(
    core: Core, policy: Policy, placement: str, outcome: str = "", window_ms: int | None = None
) -> VariantLog | CreativeLog | ActionLog:
    """Returns the log of a placement's single choices beside a policy.

    Args:
        core: the open project.
        policy: what to evaluate; not one of lists.
        placement: whose log.
        outcome: class of signals that count; "" for what the placement learns by.
        window_ms: how long after the decision; None for what the placement learns by.

    Raises:
        InvalidInput, UnknownName: the log cannot tell what the policy would do.
    """
    if isinstance(policy.settings, VariantPlacement):
        return VariantLog(core, policy, placement, policy.settings, outcome, window_ms)
    kind = CreativeLog if policy.of_creatives else ActionLog
    return kind(core, policy, placement, policy.settings, outcome, window_ms)


def _variant_target(placement: VariantPlacement, policy: Policy, seed: int) -> Target:
    own = placement.settings
    if policy.always:
        return Always(policy.always)
    if policy.is_greedy or own.learn is not None:
        return Learning(
            features=own.features,
            dimension=own.dimension,
            learner=None if policy.is_greedy else own.learn,
            explore=own.explore,
            width=own.width,
            half_life_ms=own.half_life_days * DAY_MS if own.half_life_days else None,
            largest_reward=placement.nothing_learned.largest_reward,
            arms=frozenset(placement.arms),
        )
    split = placement.experiment(seed)
    return Always(own.default) if split is None else Shares(split.expected())


def _tried(held: VariantPlacement, shown: ShownItem, source: str, arms: Sequence[str], seed: int) -> Bools | None:
    """bool[arms]: what the policy of the record takes with some probability; None where the logged one is not its."""
    own, n = held.settings, len(held.arms)
    if source == "learned" and n > 1:
        rest = own.explore / n
        if own.learn is None or not rest - _CLOSE <= shown.propensity <= 1 - own.explore + rest + _CLOSE:
            return None
        return np.array([arm in held.arms for arm in arms])
    if source == "split":
        split = held.experiment(seed)
        shares = {} if split is None else split.expected()
        if abs(shares.get(shown.item_id, 0.0) - shown.propensity) > _CLOSE:
            return None
        return np.array([shares.get(arm, 0.0) > 0 for arm in arms])
    return np.array([arm == shown.item_id for arm in arms]) if shown.propensity == 1 else None


def _certain(arms: Sequence[str], taken: str) -> Float64s:
    return np.array([float(arm == taken) for arm in arms])


def _with_nothing(chances: Float64s) -> Float64s:
    """The chances of actions, and last that of doing nothing."""
    left = 1.0 - float(chances.sum())
    return np.append(chances, left if left > _CLOSE else 0.0)


def _window(asked_ms: int | None, own_minutes: float) -> int:
    return round(own_minutes * 60_000) if asked_ms is None else asked_ms
