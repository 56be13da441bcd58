"""Flags: placements with variants, as the clients of OpenFeature and GrowthBook ask for them.

These clients ask again and again, and mostly for all flags at once, long before one is looked at. So an answer is held:
the same visitor under the same circumstances gets the same variant, and one record, for a while. What a rule or a split
decides follows the visitor at once, with a record a day; what is drawn is drawn anew every hour. An answer that was
fetched with all others is marked (`Decision.is_ahead`): it counts as shown only once an exposure says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b

import msgspec

from bespeak.decide.answer import answer, answer_without
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest
from bespeak.decide.trying.by_policy import deciding
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.engine.core import Core
from bespeak.engine.deciding.slates import Slate
from bespeak.engine.trying.experiments import Experiments
from bespeak.errors import StoreUnavailable
from bespeak.profiles.stored import position_of
from bespeak.signals.decisions import Decision
from bespeak.signals.events import Context
from bespeak.signals.ids import ANONYMOUS_ID, IdKey
from bespeak.storage.tables import log, people, records

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MAX_TOLD = 20_000
FIXED = frozenset({"rule", "split", "default"})
"""How a variant is decided without a draw; whatever else decides draws."""

FindPerson = Callable[[Sequence[IdKey], Context, int, str], PersonView | None]


class Flags:
    """Evaluates flags.

    Args:
        core: the open project.
        experiments: who takes part in what.
        person: finds what a decision may read of whom ids belong to.
        log: queues a record.
    """

    def __init__(
        self, core: Core, experiments: Experiments, person: FindPerson, log: Callable[[Decision], None]
    ) -> None:
        self._core = core
        self._experiments = experiments
        self._person = person
        self._log = log
        self._told: dict[str, None] = {}
        self._telling = threading.Lock()

    def placements(self) -> dict[str, VariantPlacement]:
        """Returns the flags there are, by name in order."""
        return dict(sorted(self._core.world.variants.items()))

    def placements_ahead(self) -> dict[str, VariantPlacement]:
        """Returns the flags that may be fetched ahead: all but messages, which are decided when they are sent.

        What stands in a message is for whoever gets it, not for everybody who has the write key of a page.
        """
        return {name: one for name, one in self.placements().items() if one.settings.kind != "message"}

    def is_tried(self, key: str) -> bool:
        """Whether a launch, a roll-out or an experiment runs on a flag: then it does not say alone who gets what."""
        world, now_ms = self._core.world, self._core.now_ms()
        return (
            key in world.launches
            or key in world.rollouts
            or any(trial.runs_at(now_ms) for trial in world.trials.get(key, ()))
        )

    def needs_id(self, key: str, ids: Sequence[IdKey]) -> bool:
        """Whether a flag cannot be evaluated for these ids, because it shares visitors out and none of them tells whom.

        Raises:
            UnknownName: there is no such flag.
        """
        placement = self._core.world.variant_placement(key)
        if placement.settings.learn is not None:
            return not ids
        if placement.experiment(self._core.world.seed) is None:
            return False
        by_device = placement.settings.sticky == "device"
        return not any(key.kind == ANONYMOUS_ID for key in ids) if by_device else not ids

    def evaluate(
        self,
        keys: Sequence[str],
        ids: Sequence[IdKey],
        context: Context,
        *,
        source: str = "",
        is_ahead: bool = False,
    ) -> list[Slate]:
        """Returns the answers in the order of `keys`, each with its `variant`, and queues their records.

        Args:
            keys: names of flags.
            ids: of the visitor, the best known first.
            context: the circumstances.
            source: whose consent defaults hold.
            is_ahead: they are fetched to be shown later, or never.

        Raises:
            UnknownName: one of them does not exist.
        """
        self._core.refresh_when_due()
        world, now_ms = self._core.world, self._core.now_ms()
        try:
            person = self._person(ids, context, now_ms, source)
            asked = [
                Occasion(DecideRequest(placement=key, context=context), person, world, now_ms, ids=ids) for key in keys
            ]
            return [self._held(self._experiments.assign(occasion), is_ahead) for occasion in asked]
        except StoreUnavailable:
            return self.fallback(keys, context, "the store cannot be reached")

    def fallback(self, keys: Sequence[str], context: Context, note: str) -> list[Slate]:
        """Returns the default variants, without asking the store and without a record."""
        world, now_ms = self._core.world, self._core.clock.now_ms()
        asked = [Occasion(DecideRequest(placement=key, context=context), None, world, now_ms) for key in keys]
        return [Slate.of(answer_without(occasion, note), occasion.request, world) for occasion in asked]

    def state_of(self, ids: Sequence[IdKey]) -> bytes:
        """Returns a digest of what is stored of whom ids belong to: it changes when an evaluation may.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        digest = blake2b(digest_size=16)
        with self._core.store.read() as session:
            for key in ids:
                person, body = people.profile_of(session, key) or (0, None)
                waiting = log.positions_behind(session, {person: position_of(body)}) if body else {}
                digest.update(b"%d:%r:" % (person, waiting) + blake2b(body or b"").digest())
        return digest.digest()

    def configuration(self) -> bytes:
        """Returns a digest of everything besides the visitor that evaluations go by, and that changes by hand."""
        world = self._core.world
        running = sorted(experiment.name for experiment in world.launches.values())
        tried = [(one.name, one.start_ms, one.stop_ms) for trials in world.trials.values() for one in trials]
        policies = sorted(world.policies.items())
        read = [world.config_version, policies, running, tried]
        return blake2b(msgspec.msgpack.encode(read), digest_size=16).digest()

    def log_position(self) -> int:
        """Returns a position in the log: while it stays the same, nobody's state has changed.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        with self._core.store.read() as session:
            return session.log_ceiling()

    def _held(self, occasion: Occasion, is_ahead: bool) -> Slate:
        started = time.perf_counter_ns()
        request, person, world, now_ms = occasion.request, occasion.person, occasion.world, occasion.now_ms
        assigned = occasion.assigned
        of_hour = msgspec.structs.replace(request.context, local_hour=-1, local_weekday=-1)
        policy = deciding(occasion)
        what = [
            request.placement,
            world.policy(request.placement) if policy is None else policy.name,
            list(occasion.ids),
            person.purposes if person is not None else -1,
            (assigned.experiment, assigned.variant) if assigned is not None else None,
            of_hour,
        ]
        draw = self._name(*what, now_ms // HOUR_MS)
        decision = answer(replace(occasion, decision_id=draw))
        shown = decision.items[0]
        if FIXED.isdisjoint(shown.sources):
            name = self._name(draw, is_ahead)
            held = self._first_of(name, self._name(draw, not is_ahead))
            if held is not None and held.decision_id == name:
                return Slate.of(held, request, world)
            decision = held or decision
        else:
            name = self._name(*what, now_ms // DAY_MS, shown.item_id, decision.mode, is_ahead)
        duration_us = (time.perf_counter_ns() - started) // 1000
        decision = msgspec.structs.replace(
            decision, decision_id=name, time_ms=now_ms, is_ahead=is_ahead, duration_us=duration_us
        )
        if self._is_new(name):
            self._log(decision)
        return Slate.of(decision, request, world)

    def _is_new(self, name: str) -> bool:
        """Whether a record was not queued lately: the log would drop it, but only after the work of looking."""
        with self._telling:
            if name in self._told:
                return False
            self._told[name] = None
            if len(self._told) > MAX_TOLD:
                del self._told[next(iter(self._told))]
        return True

    def _first_of(self, *decision_ids: str) -> Decision | None:
        """Returns the first of these records that there is."""
        with self._core.store.read() as session:
            return next(filter(None, (records.decision(session, name) for name in decision_ids)), None)

    def _name(self, *parts: object) -> str:
        """Returns a decision id that only this project can make of these parts."""
        return blake2b(msgspec.msgpack.encode(parts), key=self._core.message_secret, digest_size=16).hexdigest()
