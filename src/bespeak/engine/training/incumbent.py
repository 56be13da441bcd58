"""Somebody else's recommendations, and the cut that they are made for.

`write_cut` writes what models may see and who is asked, so that another system can answer; `Recommendations.read` reads
its answers, and `lists` lays them beside the people of the same cut. Ids are those of the project's users and items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bespeak.engine.core import Core
from bespeak.errors import InvalidInput
from bespeak.learn.splits import Split
from bespeak.models.base import Interactions
from bespeak.models.interactions import Bools, Int32s, Int64s
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey
from bespeak.storage.tables import people

COLUMNS = ("user", "item", "rank")
_ONE_EACH = "Each row is one item of one user's list; rank 1 is the best."


@dataclass(frozen=True, slots=True, eq=False)
class Recommendations:
    """The rows of a file, in its order.

    Attributes:
        name: of the file.
        users: its distinct users.
        items: its distinct items.
        user_index: int64[rows] into `users`.
        item_index: int64[rows] into `items`.
        ranks: int64[rows], from 1 without gaps for each user.
    """

    name: str
    users: Sequence[str]
    items: Sequence[str]
    user_index: Int64s
    item_index: Int64s
    ranks: Int64s

    @classmethod
    def read(cls, path: Path) -> Recommendations:
        """Reads and checks a Parquet file with the columns user, item and rank.

        Raises:
            InvalidInput: the file cannot be read, a column is missing, a value is empty, ranks of a user do not count
                1, 2, 3, or an item stands twice in a list.
        """
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise InvalidInput(f"{path.name} cannot be read as Parquet ({type(error).__name__}).") from None
        missing = [name for name in COLUMNS if name not in table.column_names]
        if missing:
            raise InvalidInput(
                f"{path.name} has no column {' and no column '.join(map(repr, missing))}.",
                hint=f"It needs user, item and rank; it has: {', '.join(table.column_names) or 'none'}.",
            )
        if not table.num_rows:
            raise InvalidInput(f"{path.name} holds no recommendations.", hint=_ONE_EACH)
        for name in COLUMNS:
            if table.column(name).null_count:
                row = int(np.flatnonzero(table.column(name).is_null().to_numpy())[0]) + 1
                raise InvalidInput(f"{path.name}: '{name}' is empty in row {row:,}.", hint=_ONE_EACH)
        if not pa.types.is_integer(table.column("rank").type):
            raise InvalidInput(f"{path.name}: ranks must be whole numbers.", hint=_ONE_EACH)
        users, user_index = _coded(table.column("user"), path, "user")
        items, item_index = _coded(table.column("item"), path, "item")
        ranks = np.asarray(table.column("rank").cast(pa.int64()).to_numpy(), np.int64)
        found = cls(path.name, users, items, user_index, item_index, ranks)
        found._check_ranks()
        found._check_twice()
        return found

    def _check_ranks(self) -> None:
        order = np.lexsort((self.ranks, self.user_index))
        user = self.user_index[order]
        first = np.r_[True, user[1:] != user[:-1]]
        starts = np.flatnonzero(first)
        wanted = np.arange(len(user)) - np.repeat(starts, np.diff(np.r_[starts, len(user)])) + 1
        wrong = np.flatnonzero(self.ranks[order] != wanted)
        if len(wrong):
            n_users = len(np.unique(user[wrong]))
            row, rank = int(order[wrong[0]]) + 1, int(self.ranks[order[wrong[0]]])
            raise InvalidInput(
                f"{self.name}: the ranks of {n_users:,} users do not count 1, 2, 3, … without gaps or repeats; "
                f"row {row:,} has rank {rank}, where {int(wanted[wrong[0]])} was expected.",
                hint=f"{_ONE_EACH} Number each user's list anew after leaving items out.",
            )

    def _check_twice(self) -> None:
        pairs = self.user_index * len(self.items) + self.item_index
        first = np.unique(pairs, return_index=True)[1]
        if len(first) < len(pairs):
            again = np.ones(len(pairs), bool)
            again[first] = False
            row = int(np.flatnonzero(again)[0]) + 1
            raise InvalidInput(
                f"{self.name}: {int(again.sum()):,} rows repeat an item that the user's list holds already, the first "
                f"is row {row:,}.",
                hint="A list holds an item once.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """Recommendations laid beside a log.

    Attributes:
        given: the file.
        row_of_person: int64[n_users of the log], which user of the file a person is, -1 for none.
        item_of: int64[items of the file], position in the log's items, -1 for an item the project does not know.
    """

    given: Recommendations
    row_of_person: Int64s
    item_of: Int64s

    @classmethod
    def of(cls, core: Core, given: Recommendations, log: Interactions) -> Resolved:
        """Finds the people and items of a file.

        Raises:
            InvalidInput: the project does not know some user, two users are one person here, or it knows no item.
        """
        persons = _persons(core, given.users)
        unknown = np.flatnonzero(persons < 0)
        if len(unknown):
            row = int(np.flatnonzero(np.isin(given.user_index, unknown))[0]) + 1
            raise InvalidInput(
                f"{given.name}: {len(unknown):,} of {len(given.users):,} users are unknown to this project, the first "
                f"stands in row {row:,}.",
                hint="Use the user ids (or anonymous ids) that events carry, and leave out who never had an event. "
                "`bespeak evaluate --cut-out DIR` writes whom to answer.",
            )
        position = {int(person): place for place, person in enumerate(log.user_ids)}
        rows = np.full(log.n_users, -1, np.int64)
        for user, person in enumerate(persons.tolist()):
            place = position.get(person)
            if place is None:
                continue
            if rows[place] >= 0:
                row = int(np.flatnonzero(given.user_index == user)[0]) + 1
                raise InvalidInput(
                    f"{given.name}: two of its users are one person in this project; the second stands in row {row:,}.",
                    hint="Give one list per person. `bespeak evaluate --cut-out DIR` names each person once.",
                )
            rows[place] = user
        item_of = np.array([log.positions.get(item, -1) for item in given.items], np.int64)
        if (item_of < 0).all():
            raise InvalidInput(
                f"{given.name}: none of its {len(item_of):,} items is known to this project.",
                hint="Are the item ids written as in the events, for example 'p1' and not '1'?",
            )
        return cls(given, rows, item_of)

    @property
    def n_unknown_items(self) -> int:
        """Distinct items of the file that the project does not know."""
        return int((self.item_of < 0).sum())

    def answers(self, split: Split) -> Bools:
        """bool[n]: which people of a cut the file answers."""
        return np.asarray(self.row_of_person[split.people] >= 0)

    def lists(self, split: Split, k: int) -> Int32s:
        """int32[n, k]: the first k items of each person of a cut, -1 for none and for unknown items.

        Raises:
            InvalidInput: a list holds what its person had before the cut.
        """
        given = self.given
        place = np.full(len(given.users), -1, np.int64)
        answered = np.flatnonzero(self.answers(split))
        place[self.row_of_person[split.people[answered]]] = answered
        rows, items = place[given.user_index], self.item_of[given.item_index]
        is_asked = (rows >= 0) & (items >= 0)
        before = split.seen(slice(0, len(split)))
        if before.nnz and is_asked.any():
            held = np.repeat(np.arange(len(split)), np.diff(before.indptr)) * split.known.n_items + before.indices
            is_held = is_asked & np.isin(rows * split.known.n_items + items, held)
            if is_held.any():
                raise InvalidInput(
                    f"{given.name}: {int(is_held.sum()):,} of its rows recommend what the person had before the cut, "
                    f"the first is row {int(np.flatnonzero(is_held)[0]) + 1:,}. Only items new to the person count.",
                    hint="Leave out what each person had and number the ranks anew. `bespeak evaluate --cut-out DIR` "
                    "writes what everybody had.",
                )
        index = np.full((len(split), k), -1, np.int32)
        shown = is_asked & (given.ranks <= k)
        index[rows[shown], given.ranks[shown] - 1] = items[shown]
        return index


def write_cut(core: Core, folder: Path, split: Split, asked: Int32s) -> dict[str, int]:
    """Writes train.parquet, history.parquet where people had more than was fitted on, and queries.parquet.

    Returns the number of rows of each. People stand under their user id, else their anonymous id; who has neither is
    left out.

    Raises:
        InvalidInput: the folder cannot be written.
    """
    names = _names(core, [int(person) for person in split.fit.user_ids])
    is_later = ~np.isin(split.known.source_rows, split.fit.source_rows)
    later = split.known.select(is_later)
    tables = {"train.parquet": _events(split.fit, names)}
    if len(later):
        tables["history.parquet"] = _events(later, names)
    tables["queries.parquet"] = pa.table(
        {"user": pa.array([n for p in asked.tolist() if (n := names[p])], pa.string())}
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            pq.write_table(table, folder / name, compression="zstd")
    except OSError as error:
        raise InvalidInput(f"{folder.name} cannot be written: {error.strerror or error}.") from None
    return {name: table.num_rows for name, table in tables.items()}


def _events(log: Interactions, names: Sequence[str]) -> pa.Table:
    has_name = np.array([bool(name) for name in names], bool)[log.user_index]
    kept = log.select(has_name)
    order = np.lexsort((kept.source_rows, kept.times_ms))
    return pa.table(
        {
            "user": pa.array([names[u] for u in kept.user_index[order].tolist()], pa.string()),
            "item": pa.array([kept.item_ids[i] for i in kept.item_index[order].tolist()], pa.string()),
            "timestamp": pa.array(kept.times_ms[order], pa.timestamp("ms", tz="UTC")),
            "weight": pa.array(kept.weights[order], pa.float32()),
        }
    )


def _names(core: Core, persons: Sequence[int]) -> list[str]:
    with core.store.read() as session:
        users = people.user_ids(session, persons, USER_ID)
        others = people.user_ids(session, persons, ANONYMOUS_ID)
    return [users.get(person) or others.get(person, "") for person in persons]


def _persons(core: Core, users: Sequence[str]) -> Int64s:
    """int64[users]: the person each id leads to, a user id before an anonymous one, -1 for nobody."""
    keys = [IdKey(kind, user) for user in users for kind in (USER_ID, ANONYMOUS_ID)]
    with core.store.read() as session:
        links = people.resolve(session, keys).links
    found = (links.get(IdKey(USER_ID, u), links.get(IdKey(ANONYMOUS_ID, u), -1)) for u in users)
    return np.fromiter(found, np.int64, count=len(users))


def _coded(column: Any, path: Path, name: str) -> tuple[list[str], Int64s]:
    """Distinct values as text, and the place of each row among them."""
    try:
        text = pc.cast(column, pa.string())
    except pa.ArrowException:
        raise InvalidInput(f"{path.name}: '{name}' must hold text or whole numbers.") from None
    coded = text.combine_chunks().dictionary_encode()
    return coded.dictionary.to_pylist(), np.asarray(coded.indices.to_numpy(), np.int64)
