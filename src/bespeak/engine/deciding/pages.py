"""Whole pages, as the engine answers them: each row is a decision of its own, logged with its place on the page."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

import msgspec

from bespeak.decide.occasion import Occasion
from bespeak.decide.pages.page import PageDecision, PageRequest, decide_page, fallback_page
from bespeak.decide.person import PersonView
from bespeak.decide.world import World
from bespeak.engine.core import Core
from bespeak.engine.deciding.slates import Slate
from bespeak.engine.trying.experiments import Experiments
from bespeak.errors import InvalidInput, StoreUnavailable, UnknownName
from bespeak.signals.decisions import Decision
from bespeak.signals.events import Context
from bespeak.signals.ids import IdKey

ReadPerson = Callable[[Sequence[IdKey], Context, int, str], PersonView | None]


class PageSlates(Sequence[Slate]):
    """The rows of a page, from the top.

    Attributes:
        page_id: shared by the rows.
        page: name of the page, "" for rows that the caller put together.
        left_out: the rows that are not shown, each placement and reason once.
    """

    def __init__(self, decided: PageDecision, request: PageRequest, world: World) -> None:
        self.page_id = decided.page_id
        self.page = decided.page
        self.left_out = decided.left_out
        asked = {one.placement: one for one in request.requests}
        self._rows = [Slate.of(row, asked[row.placement], world) for row in decided.rows]

    @overload
    def __getitem__(self, index: int) -> Slate: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Slate]: ...

    def __getitem__(self, index: int | slice) -> Slate | Sequence[Slate]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Slate]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"PageSlates({self.page!r}, {[row.decision.placement for row in self]})"

    def to_json(self) -> dict[str, Any]:
        """Returns the body of `POST /api/page`."""
        answer: dict[str, Any] = {"pageId": self.page_id}
        if self.page:
            answer["page"] = self.page
        answer["rows"] = [{"row": place, **row.to_json()} for place, row in enumerate(self._rows, 1)]
        answer["leftOut"] = [
            {"placement": one.placement, "why": one.why, **({"about": list(one.about)} if one.about else {})}
            for one in self.left_out
        ]
        return answer


class Pages:
    """Decides pages and queues their rows for the log.

    Args:
        core: the open project.
        experiments: who takes part in what.
        read_person: what a decision may read of the first of some ids that is known.
        log: queues the record of a row.
    """

    def __init__(
        self, core: Core, experiments: Experiments, read_person: ReadPerson, log: Callable[[Decision], None]
    ) -> None:
        self._core = core
        self._experiments = experiments
        self._read_person = read_person
        self._log = log

    def decide(
        self,
        request: PageRequest,
        ids: Sequence[IdKey],
        *,
        source: str = "",
        page_id: str = "",
        is_preview: bool = False,
    ) -> PageSlates:
        """Decides a page for the first of `ids` that is known; as `Decisions.decide` for a single placement.

        Raises:
            InvalidInput: the page asks for nothing, or for a placement that shows variants.
        """
        if not request.requests:
            raise InvalidInput("The page asks for no placement.", hint="Name a page, or give `placements`.")
        core = self._core
        core.refresh_when_due()
        world, now_ms = core.world, core.now_ms()
        name = page_id or secrets.token_hex(16)
        started = time.perf_counter_ns()
        try:
            person = self._read_person(ids, request.requests[0].context, now_ms, source)
            asked = [
                self._experiments.assign(Occasion(one, person, world, now_ms, ids=ids, is_preview=is_preview))
                for one in request.requests
            ]
        except StoreUnavailable:
            return self.fallback(request, "the store cannot be reached", page_id=name)
        decided = decide_page(request.page, asked, name, keeps_order=request.keeps_order)
        duration_us = (time.perf_counter_ns() - started) // 1000
        for row in decided.rows:
            self._log(msgspec.structs.replace(row, duration_us=duration_us))
        return PageSlates(decided, request, world)

    def check_caps(self, caps: Mapping[str, int]) -> None:
        """Refuses caps that could never hold anything back.

        Raises:
            UnknownName: no item has such an attribute with texts.
        """
        world = self._core.world
        for name in caps:
            if world.catalogue.values_of(name) is None:
                raise UnknownName("attribute to cap", name, sorted(world.catalogue.facets))

    def fallback(self, request: PageRequest, note: str, *, page_id: str = "") -> PageSlates:
        """Returns the page of what is popular, without asking the store, and queues its records."""
        world, now_ms = self._core.world, self._core.clock.now_ms()
        asked = [Occasion(one, None, world, now_ms) for one in request.requests]
        name = page_id or secrets.token_hex(16)
        decided = fallback_page(request.page, asked, name, note, keeps_order=request.keeps_order)
        for row in decided.rows:
            self._log(row)
        return PageSlates(decided, request, world)
