"""Recommendations for everybody: one list per person in a Parquet file, decided as the placement decides.

Rules, filters, availability, the seen-item rule and consent hold as in any decision. All lists are made at one moment
with one snapshot of catalogue and models, and people are read in batches, so memory does not grow with their number.
Whoever refuses profiling, and whoever an experiment put in the control, gets a list that is the same for everybody, and
nothing of their profile is read for it.

Nothing is logged: a list is no exposure. Whoever shows one reports it (`POST /api/decisions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from bespeak.decide.decide import Ranked, rank
from bespeak.decide.occasion import Occasion
from bespeak.decide.request import DecideRequest
from bespeak.decide.trying.by_policy import policy_for
from bespeak.decide.world import World
from bespeak.engine.core import Core
from bespeak.engine.folding.live import live_profiles
from bespeak.engine.people_view import person_view
from bespeak.engine.trying.experiments import Experiments
from bespeak.engine.views.exports import whole_file
from bespeak.errors import InvalidInput
from bespeak.profiles.profile import Profile
from bespeak.signals.decisions import Mode
from bespeak.signals.events import Context
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey
from bespeak.storage.tables import people

BATCH = 500
SCHEMA = pa.schema(
    [
        ("user", pa.string()),
        ("item", pa.string()),
        ("rank", pa.int32()),
        ("score", pa.float64()),
        ("mode", pa.dictionary(pa.int8(), pa.string())),
        ("variant", pa.dictionary(pa.int8(), pa.string())),
        ("placement", pa.dictionary(pa.int8(), pa.string())),
        ("policy", pa.dictionary(pa.int8(), pa.string())),
        ("models", pa.int64()),
        ("generated_at", pa.timestamp("ms", tz="UTC")),
    ]
)
"""Columns of the file. `models` is the version of the model set, 0 for none; `variant` is null outside of any trial."""


class Recommended(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of recommendations holds.

    Attributes:
        placement: what was decided for.
        n_people: people with a list.
        n_rows: recommended items.
        by_mode: mode -> people with a list made so.
        n_control: people of these who are in the control of an experiment.
        n_empty: people for whom no item was left.
        n_unnamed: people left out because no user id or anonymous id leads to them.
    """

    placement: str
    n_people: int
    n_rows: int
    by_mode: dict[str, int]
    n_control: int
    n_empty: int
    n_unnamed: int


def recommend_everybody(
    core: Core,
    placement: str,
    target: Path,
    *,
    count: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Recommended:
    """Writes what everybody would see at a placement; the file is there when it is complete.

    People stand under their user id, else their anonymous id.

    Args:
        core: the open project.
        placement: name of the placement.
        target: ends in `.parquet`; replaced when it is there.
        count: items for each person; the placement's own number when left out.
        progress: told the share that is done.

    Raises:
        UnknownName: there is no such placement.
        InvalidInput: nobody is known yet, the count is out of bounds, or the file cannot be written.
    """
    if target.suffix != ".parquet":
        raise InvalidInput(f"{target.name} names no Parquet file.", hint="End it in .parquet.")
    core.refresh()
    request = DecideRequest(placement=placement, count=count).checked()
    core.world.placement(placement)
    with core.store.read() as session:
        n_all = people.count(session)
    if not n_all:
        raise InvalidInput(
            "Nobody is known yet, so there is nobody to recommend anything to.",
            hint="Bring in what people did with: bespeak import events FILE",
        )
    lists = _Lists(core, request)
    with whole_file(target) as part, pq.ParquetWriter(part, SCHEMA, compression="zstd") as writer:
        for n_read, table in lists.tables():
            writer.write_table(table)
            if progress is not None:
                progress(n_read / n_all)
    return lists.told()


class _List(NamedTuple):
    """One person's list: no more of a decision than the file needs, for a batch of decisions would fill the memory."""

    mode: Mode
    items: list[tuple[str, float]]
    is_control: bool = False

    @classmethod
    def of(cls, ranked: Ranked) -> Self:
        return cls(ranked.situation.mode, ranked.items())


class _Lists:
    """Makes the lists of one file and counts them."""

    def __init__(self, core: Core, request: DecideRequest) -> None:
        self._core = core
        self._request = request
        self._runtime = core.runtime
        self._world: World = core.world
        self._models = core.runtime.keeper.models_version
        self._now_ms = core.now_ms()
        self._by_mode: dict[str, int] = {}
        self._experiments = Experiments(core.store)
        self._same_for_all: dict[Mode, _List] = {}
        self._n_rows = self._n_control = self._n_empty = self._n_unnamed = 0

    def tables(self) -> Iterator[tuple[int, pa.Table]]:
        """Yields (people read so far, their rows), in person order."""
        after = n_read = 0
        while True:
            with self._core.store.read() as session:
                rows = people.profile_batch(session, after, BATCH)
                profiles = live_profiles(session, rows, self._runtime.observer)
                links = people.links_of(session, [row.person_id for row in rows])
            if not rows:
                return
            named = [(_named_by(links.get(person, ())), person) for person in profiles]
            ranked = [
                (key.value, *self._rank(key, person, profiles[person])) for key, person in named if key is not None
            ]
            after, n_read = rows[-1].person_id, n_read + len(rows)
            self._n_unnamed += len(rows) - len(ranked)
            yield n_read, self._table(ranked)

    def told(self) -> Recommended:
        """What was written so far."""
        return Recommended(
            placement=self._request.placement,
            n_people=sum(self._by_mode.values()),
            n_rows=self._n_rows,
            by_mode=self._by_mode,
            n_control=self._n_control,
            n_empty=self._n_empty,
            n_unnamed=self._n_unnamed,
        )

    def _rank(self, key: IdKey, person: int, profile: Profile) -> tuple[str | None, _List]:
        """Returns the variant of an experiment, None outside of any, and the list."""
        view = person_view(self._runtime, person, profile, Context(), self._now_ms)
        occasion = self._experiments.assign(Occasion(self._request, view, self._world, self._now_ms, ids=[key]))
        variant = None if occasion.assigned is None else occasion.assigned.variant
        if view.can_personalize and not occasion.is_unread:
            return variant, _List.of(rank(occasion, policy_for(occasion)))
        unread = Occasion(self._request, None if view.can_personalize else view, self._world, self._now_ms)
        if unread.mode not in self._same_for_all:
            self._same_for_all[unread.mode] = _List.of(rank(unread))
        return variant, self._same_for_all[unread.mode]._replace(is_control=occasion.is_unread)

    def _table(self, ranked: Sequence[tuple[str, str | None, _List]]) -> pa.Table:
        users: list[str] = []
        items: list[str] = []
        places: list[int] = []
        scores: list[float] = []
        modes: list[str] = []
        variants: list[str | None] = []
        for user, variant, (mode, chosen, is_control) in ranked:
            if not chosen:
                self._n_empty += 1
                continue
            self._by_mode[mode] = self._by_mode.get(mode, 0) + 1
            self._n_rows += len(chosen)
            self._n_control += is_control
            users += [user] * len(chosen)
            modes += [mode] * len(chosen)
            variants += [variant] * len(chosen)
            items += [item for item, _ in chosen]
            scores += [score for _, score in chosen]
            places += range(1, len(chosen) + 1)
        n, placement = len(users), self._request.placement
        columns = {
            "user": users,
            "item": items,
            "rank": places,
            "score": scores,
            "mode": modes,
            "variant": variants,
            "placement": [placement] * n,
            "policy": [self._world.policy(placement)] * n,
            "models": [self._models] * n,
            "generated_at": [self._now_ms] * n,
        }
        return pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def _named_by(keys: Sequence[IdKey]) -> IdKey | None:
    """The smallest user id, else the smallest anonymous id, None where there is neither."""
    for kind in (USER_ID, ANONYMOUS_ID):
        found = [key for key in keys if key.kind == kind]
        if found:
            return min(found)
    return None
