"""Decisions, as the engine makes them: the person read, an experiment looked up, the record queued for the log."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bespeak.decide.answer import answer, answer_without
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.rankers.forest import TREES
from bespeak.decide.reasons.tree_reasons import told_by_signal
from bespeak.decide.request import DecideRequest
from bespeak.decide.trying.foreign import ForeignItem, foreign_slate
from bespeak.decide.why_not import WhyNot, why_not
from bespeak.engine.core import Core
from bespeak.engine.deciding.slates import Slate
from bespeak.engine.folding.live import live_of
from bespeak.engine.people_view import person_view, with_shown
from bespeak.engine.trying.experiments import Experiments
from bespeak.engine.worlds.weights import weights_of_version
from bespeak.engine.writing.writer import WriteRequest
from bespeak.errors import BespeakError, InvalidInput, StoreUnavailable
from bespeak.signals.decisions import Decision
from bespeak.signals.events import Context
from bespeak.signals.ids import IdKey
from bespeak.storage.tables import people, records

_log = logging.getLogger("bespeak.engine")


class Decisions:
    """Makes single decisions.

    Args:
        core: the open project.
        experiments: who takes part in what.
    """

    def __init__(self, core: Core, experiments: Experiments) -> None:
        self._core = core
        self._experiments = experiments

    def decide(
        self,
        request: DecideRequest,
        ids: Sequence[IdKey],
        *,
        source: str = "",
        decision_id: str = "",
        is_preview: bool = False,
    ) -> Slate:
        """Decides for the first of `ids` that is known, and queues the record for the log.

        A preview takes part in no experiment and explores nothing. A store that cannot be read gives the fallback
        slate; a log that is full drops the record, never the answer.
        """
        self._core.refresh_when_due()
        world = self._core.world
        now_ms = self._core.now_ms()
        name = decision_id or secrets.token_hex(16)
        started = time.perf_counter_ns()
        try:
            person = self.person(ids, request.context, now_ms, source)
            occasion = self._experiments.assign(
                Occasion(request, person, world, now_ms, name, ids=ids, is_preview=is_preview)
            )
        except StoreUnavailable:
            return self.fallback(request, "the store cannot be reached")
        decision = answer(occasion)
        duration_us = (time.perf_counter_ns() - started) // 1000
        decision = msgspec.structs.replace(decision, duration_us=duration_us)
        self.log(decision)
        return Slate.of(decision, request, world)

    def fallback(self, request: DecideRequest, note: str) -> Slate:
        """Returns what is popular, or the default variant, without asking the store, and queues the record."""
        world = self._core.world
        occasion = Occasion(request, None, world, self._core.clock.now_ms(), secrets.token_hex(16))
        decision = answer_without(occasion, note)
        self.log(decision)
        return Slate.of(decision, request, world)

    def log_slate(
        self,
        placement: str,
        items: Sequence[ForeignItem],
        ids: Sequence[IdKey],
        *,
        context: Mapping[str, Any] | None = None,
        query: str = "",
        decision_id: str = "",
    ) -> Decision:
        """Logs a slate that another system showed; returns its record when it is durable.

        Args:
            placement: where it was shown.
            items: in the order shown.
            ids: of the person, the strongest first.
            context, query: as in `decide`.
            decision_id: for events to name; that of this slate again changes nothing.

        Raises:
            UnknownName: as `foreign_slate`.
            InvalidInput: as `foreign_slate`; or the decision_id is that of another decision, such as the empty one that
                told of the other system's arm.
            StoreUnavailable: nothing was logged; a retry is safe.
        """
        request = self._core.request(placement, context, query=query)
        self._core.refresh_when_due()
        world, now_ms = self._core.world, self._core.now_ms()
        person = self.person(ids, request.context, now_ms)
        name = decision_id or secrets.token_hex(16)
        occasion = self._experiments.assign(Occasion(request, person, world, now_ms, name, ids=ids))
        decision = foreign_slate(occasion, items)
        self._core.submit(WriteRequest(decisions=(decision,), n_bytes=2_000)).result()
        stored = self.record(name) if decision_id else None
        if stored is None:
            return decision
        if (stored.placement, _item_ids(stored)) != (placement, _item_ids(decision)):
            problem = f"`decisionId` {decision_id} is that of another decision, which is logged already."
            raise InvalidInput(problem, hint="Leave it out: the answer has the id for clicks and exposures to name.")
        return stored

    def why_not(self, request: DecideRequest, item_id: str, ids: Sequence[IdKey]) -> WhyNot:
        """Says why an item is not in the slate that a preview would show; errors as `decide`."""
        core = self._core
        core.refresh_when_due()
        now_ms = core.now_ms()
        return why_not(Occasion(request, self.person(ids, request.context, now_ms), core.world, now_ms), item_id)

    def record(self, decision_id: str) -> Decision | None:
        """Returns one decision record, or None; records reach the log a moment after the answer.

        Where trees took part, its reasons tell by signal what they gave.
        """
        with self._core.store.read() as session:
            found = records.decision(session, decision_id)
            if found is None or not any(TREES in item.features for item in found.items):
                return found
            weights = weights_of_version(session, found.placement, found.weights_version)
        if weights is None or weights.forest is None:
            return found
        world = self._core.world
        placement = world.placements.get(found.placement)
        own = {} if placement is None else placement.weights
        return told_by_signal(found, weights.forest, lambda names: weights.of(names, world.models.best, own))

    def warm_up(self) -> None:
        """Decides once for nobody at each placement, unlogged, so that nobody waits for what is made at first use.

        A placement that fails is left to whoever asks for it: it must not keep the others from being served.
        """
        core = self._core
        world, now_ms = core.world, core.now_ms()
        for name in world.placements:
            request = core.request(name, {"userAgent": "-"})
            try:
                answer(Occasion(request, None, world, now_ms, is_preview=True))
            except InvalidInput:
                continue  # it asks for more than a name
            except Exception:  # noqa: BLE001 - as said above, and the log tells it
                _log.exception("the placement %s cannot be decided for nobody", name)

    def person(self, ids: Sequence[IdKey], context: Context, now_ms: int, source: str = "") -> PersonView | None:
        """Returns what a decision may read of the first of `ids` that is known, or None."""
        if not ids:
            return None
        with self._core.store.read() as session:
            for key in ids:
                person, body = people.profile_of(session, key) or (0, None)
                if body is not None:
                    profile = live_of(session, person, body, self._core.runtime.observer)
                    view = person_view(self._core.runtime, person, profile, context, now_ms, source)
                    hours = self._core.world.memory_hours
                    return with_shown(session, self._core.runtime, view, hours, now_ms) if hours else view
        return None

    def log(self, decision: Decision) -> None:
        """Queues a record; a log that is full drops it."""
        try:
            self._core.submit(WriteRequest(decisions=(decision,), n_bytes=2_000), is_droppable=True)
        except BespeakError:
            return


def _item_ids(decision: Decision) -> list[str]:
    return [shown.item_id for shown in decision.items]
