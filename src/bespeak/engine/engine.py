"""The engine: one project, opened. Every method is one call into the part that does the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from bespeak.decide.pages.page import page_request
from bespeak.decide.request import excluded_ids, listed_items
from bespeak.decide.trying.foreign import ForeignItem
from bespeak.decide.why_not import WhyNot
from bespeak.engine.clock import Clock, SystemClock
from bespeak.engine.config import parse_config, read_file
from bespeak.engine.core import Core
from bespeak.engine.deciding.decisions import Decisions
from bespeak.engine.deciding.flags import Flags
from bespeak.engine.deciding.offers import Offers
from bespeak.engine.deciding.pages import Pages, PageSlates
from bespeak.engine.deciding.slates import Slate
from bespeak.engine.items import Items
from bespeak.engine.learning.fold import learn
from bespeak.engine.logged.lake_feed import CURSOR
from bespeak.engine.privacy.rights import Privacy
from bespeak.engine.profiles import Profiles
from bespeak.engine.project import ProjectFolder
from bespeak.engine.refolding.refold import standing
from bespeak.engine.training.models import Models, Progress, TrainingReport
from bespeak.engine.trying.experiments import Experiments
from bespeak.engine.trying.policies import Policies
from bespeak.engine.views.recommendations import Recommended, recommend_everybody
from bespeak.engine.writing.writer import WriteRequest, Written
from bespeak.errors import UnknownName
from bespeak.intake.segment import Decoded, decode_batch
from bespeak.intake.wire import SourceInfo
from bespeak.signals.decisions import Decision
from bespeak.signals.events import Event
from bespeak.signals.ids import ANONYMOUS_ID, PROFILE_ID, SEPARATOR, USER_ID, IdKey, clean_id
from bespeak.storage.open import open_store
from bespeak.storage.tables import log, records


class Tracked(msgspec.Struct, frozen=True, kw_only=True):
    """What became of events given to `track`.

    Attributes:
        written: the counts.
        rejected: (place in the list, reason, detail) of each event that was not taken in.
    """

    written: Written
    rejected: list[tuple[int, str, str]] = []


class Engine:
    """One project, opened for reading and writing.

    Use `Engine.open`, as a context manager. Methods may be called from several threads. The garbage collector belongs
    to the process and is left as it is: where its pauses count, call `bespeak.calm_collector` after opening.

    Attributes:
        core: the open store, clock and configuration, for the packages above.
        items: the catalogue.
        profiles: what is known of people.
        models: training and trained versions.
        experiments: who takes part in what.
        decisions: single decisions, for those who have a request made.
        pages: whole pages.
        policies: the versions of what decides.
        flags: placements with variants, for clients that ask again and again.
        offers: codes of offers.
        privacy: export and erasure.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        self.items = Items(core)
        self.profiles = Profiles(core)
        self.models = Models(core)
        self.experiments = Experiments(core.store)
        self.decisions = Decisions(core, self.experiments)
        self.pages = Pages(core, self.experiments, self.decisions.person, self.decisions.log)
        self.policies = Policies(core.store, lambda: core.config.names)
        self.flags = Flags(core, self.experiments, self.decisions.person, self.decisions.log)
        self.offers = Offers(core, self.decisions.person)
        self.privacy = Privacy(core)

    @classmethod
    def open(cls, path: str | Path = ".", *, clock: Clock | None = None) -> Self:
        """Opens the project folder at `path`; the same folder that `bespeak serve` uses.

        Raises:
            ConfigError: `bespeak.toml` is missing or wrong.
            StoreError: the store cannot be opened, a newer release wrote it, or it is gone while the files that belong
                to it are there: a new one would have them swept away.
        """
        folder = ProjectFolder(Path(path).resolve())
        config = parse_config(read_file(folder.config_path))
        url = folder.store_url(config.settings.storage.url)
        store = open_store(url, migrate=True, is_new=not folder.holds_blobs())
        try:
            return cls(Core(folder, store, clock or SystemClock(), config))
        except BaseException:
            store.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Writes what waits and releases the store."""
        self.core.close()

    # -- the write path ------------------------------------------------------------------------------------------------
    def track(self, events: Sequence[Mapping[str, Any] | Event], source: str = "import") -> Tracked:
        """Takes in events and returns when they are durable and folded.

        Args:
            events: Segment-shaped mappings, or typed events.
            source: name of the source they count for; it must be one of the project's.

        Raises:
            UnknownName: the project has no such source.
            StoreUnavailable: nothing was written; a retry is safe.
        """
        known = self.core.config.settings.sources
        if source not in known:
            raise UnknownName("source", source, list(known))
        info = SourceInfo(name=source, kind=known[source].kind)
        places = [place for place, event in enumerate(events) if not isinstance(event, Event)]
        decoded = self._decode([events[place] for place in places], info)
        rejects = [
            log.Reject(
                received_ms=self.core.clock.now_ms(), source=source, reason=r.reason, detail=r.detail, body=r.raw
            )
            for r in decoded.rejected
        ]
        refused = {places[r.index] for r in decoded.rejected}
        taken = iter(decoded.events)
        in_order = [
            msgspec.structs.replace(event, source=source) if isinstance(event, Event) else next(taken)
            for place, event in enumerate(events)
            if place not in refused
        ]
        written = self.core.submit(WriteRequest(events=in_order, rejects=rejects)).result()
        return Tracked(written=written, rejected=[(places[r.index], r.reason, r.detail) for r in decoded.rejected])

    def _decode(self, events: Sequence[Any], info: SourceInfo) -> Decoded:
        if not events:
            return Decoded([], [])
        lines = [_encoded(event) for event in events]
        body = b'{"batch":[' + b",".join(lines) + b"]}"
        return decode_batch(
            body,
            route="batch",
            received_ms=self.core.clock.now_ms(),
            source=info,
            places=self.core.runtime.places,
            declared_keys=self.core.config.settings.context.declared,
            max_bytes=len(body),
            max_events=len(events),
        )

    def train(self, *, as_of_ms: int | None = None, progress: Progress | None = None) -> TrainingReport:
        """Trains on the log and swaps the result in; `models` has the versions."""
        return self.models.train(as_of_ms=as_of_ms, progress=progress)

    def learn(self) -> dict[str, int]:
        """Takes in what came of decisions at placements that learn; returns placement -> decisions taken in.

        A server does it by itself every few seconds.
        """
        core = self.core
        core.drain()
        done = learn(core.store, core.world, core.runtime.observer, core.now_ms())
        core.refresh()
        return {learnt.placement: learnt.n_decisions for learnt in done}

    # -- the read path -------------------------------------------------------------------------------------------------
    def decide(
        self,
        placement: str,
        *,
        user_id: str = "",
        anonymous_id: str = "",
        profile_id: str = "",
        count: int | None = None,
        context: Mapping[str, Any] | None = None,
        items: Sequence[Any] | None = None,
        item: str = "",
        value: str = "",
        query: str = "",
        filter: str = "",  # noqa: A002 - the word of the API
        exclude: Sequence[str] = (),
        market: str = "",
        explain: bool = False,
        near: tuple[float, float] | None = None,
        decision_id: str = "",
        is_preview: bool = False,
    ) -> Slate:
        """Decides what one person sees at a placement, and logs the decision.

        At a placement with variants the slate holds one entry, and its `variant` says more.

        Args:
            placement: name of the placement.
            user_id, anonymous_id: who it is for; both empty is somebody unknown.
            profile_id: a household profile under the user id.
            count: how many items; the placement's own number when left out.
            context: device, locale, timezone, page, campaign and declared keys.
            items: rank these items (ids, or mappings with `id` and `relevance`) instead of finding candidates.
            item: the item the placement is about, for example on a product page.
            value: the value of a facet the placement is about, for example a genre.
            query: personalized search for this text.
            filter: a rule every item must pass, for example `price < 100`.
            exclude: ids never to show.
            market: whose prices and availability hold, one that an item has; else the placement's.
            explain: give every term of each score as a reason.
            near: (latitude, longitude) in degrees: items count more the nearer they are.
            decision_id: repeat an earlier draw; a new decision draws anew.
            is_preview: show what personalization would show, outside of every experiment and without exploring.

        Raises:
            UnknownName: there is no such placement, or no item has the market.
            RuleError: the filter is wrong.
            InvalidInput: anything else in the request is.
        """
        request = self.core.request(
            placement,
            context,
            count=count,
            items=listed_items(items),
            query=query,
            filter=filter,
            exclude=excluded_ids(exclude),
            item=item,
            value=value,
            market=market,
            explain=explain,
            near=near,
        )
        ids = self._ids(user_id, anonymous_id, profile_id)
        return self.decisions.decide(request, ids, decision_id=decision_id, is_preview=is_preview)

    def page(
        self,
        page: str,
        *,
        user_id: str = "",
        anonymous_id: str = "",
        profile_id: str = "",
        context: Mapping[str, Any] | None = None,
        filter: str = "",  # noqa: A002 - the word of the API
        exclude: Sequence[str] = (),
        market: str = "",
        explain: bool = False,
        page_id: str = "",
        is_preview: bool = False,
    ) -> PageSlates:
        """Decides a whole page: which rows it shows and in which order, no item twice; logs each row as a decision.

        Args:
            page: name of the page.
            user_id, anonymous_id, profile_id, context, filter, exclude, market, explain, is_preview: as in `decide`.
            page_id: repeat an earlier page's draws.

        Raises:
            UnknownName: there is no such page, or no item has the market.
            RuleError, InvalidInput: as `decide`.
        """
        asked = self.core.request(
            "", context, filter=filter, exclude=excluded_ids(exclude), market=market, explain=explain
        )
        request = page_request(self.core.world.page(page), asked)
        ids = self._ids(user_id, anonymous_id, profile_id)
        return self.pages.decide(request, ids, page_id=page_id, is_preview=is_preview)

    def why_not(
        self,
        placement: str,
        item_id: str,
        *,
        user_id: str = "",
        anonymous_id: str = "",
        profile_id: str = "",
        count: int | None = None,
        context: Mapping[str, Any] | None = None,
        items: Sequence[str | Mapping[str, Any]] | None = None,
        item: str = "",
        value: str = "",
        query: str = "",
        filter: str = "",  # noqa: A002 - the word of the API
        exclude: Sequence[str] = (),
        market: str = "",
        near: tuple[float, float] | None = None,
    ) -> WhyNot:
        """Says why an item is not in the slate that `decide` would give as a preview; nothing is logged.

        Args:
            placement: name of the placement.
            item_id: the item that is missed.
            user_id, anonymous_id, profile_id, count, context, items, item, value: as in `decide`.
            query, filter, exclude, market, near: as in `decide`.

        Raises:
            UnknownName, RuleError, InvalidInput: as `decide`.
        """
        request = self.core.request(
            placement,
            context,
            count=count,
            items=listed_items(items),
            query=query,
            filter=filter,
            exclude=excluded_ids(exclude),
            item=item,
            value=value,
            market=market,
            near=near,
        )
        return self.decisions.why_not(request, item_id, self._ids(user_id, anonymous_id, profile_id))

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
        """Logs a slate that another system showed, as `Decisions.log_slate`."""
        return self.decisions.log_slate(placement, items, ids, context=context, query=query, decision_id=decision_id)

    def recommend(
        self,
        placement: str,
        target: str | Path,
        *,
        count: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Recommended:
        """Writes what everybody would see at a placement to a Parquet file; nothing is logged.

        Raises:
            UnknownName: there is no such placement.
            InvalidInput: nobody is known yet, the count is out of bounds, or the file cannot be written.
        """
        return recommend_everybody(self.core, placement, Path(target), count=count, progress=progress)

    def decision(self, decision_id: str) -> Decision | None:
        """Returns one decision record, or None; records reach the log a moment after the answer."""
        return self.decisions.record(decision_id)

    def lags(self) -> tuple[int, float]:
        """Returns how many log entries the lake does not hold yet, and the age of the models in use in seconds."""
        with self.core.store.read() as session:
            lag = max(0, session.log_ceiling() - records.cursor(session, CURSOR))
        versions = self.models.versions()
        age_ms = self.core.clock.now_ms() - versions[0][0].created_ms if versions else 0
        return lag, age_ms / 1000

    def up_to_date(self) -> float:
        """Returns the share of people whose profile is folded under what holds now, 0 to 1."""
        return standing(self.core).share

    @staticmethod
    def _ids(user_id: str, anonymous_id: str, profile_id: str = "") -> list[IdKey]:
        user, device = clean_id(user_id, "user_id"), clean_id(anonymous_id, "anonymous_id")
        profile = clean_id(profile_id, "profile_id")
        if profile and user:
            return [IdKey(PROFILE_ID, f"{user}{SEPARATOR}{profile}")]
        ids = [IdKey(USER_ID, user)] if user else []
        return [*ids, IdKey(ANONYMOUS_ID, device)] if device else ids


def _encoded(event: Any) -> bytes:
    """Returns an event as JSON; one that JSON cannot carry becomes `null`, which is rejected alone."""
    try:
        return msgspec.json.encode(event)
    except (TypeError, ValueError, RecursionError):
        return b"null"
