"""`benchmark recommend`: model quality on data from outside, checked from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import typer

from bespeak.cli.options import pairs
from bespeak.cli.output import bar, note, warn
from bespeak.engine.training.machine import memory_limit_bytes, peak_bytes
from bespeak.errors import InvalidInput
from bespeak.learn.benchmark import AUTO, Answers
from bespeak.learn.benchmark import benchmark as answer
from bespeak.learn.choosing.protocols import Asked
from bespeak.models.base import History, Interactions

benchmark = typer.Typer(no_args_is_help=True, help="Model quality on data from outside; needs no project.")

Ids = dict[Any, int]
_NEARLY_ALL = 0.95


@benchmark.callback()
def _group() -> None:
    """Model quality on data from outside; needs no project."""


@benchmark.command("recommend")
def recommend(
    train: Annotated[Path, typer.Option("--train", help="user (or session), item; pos or timestamp; weight; rating.")],
    queries: Annotated[Path, typer.Option("--queries", help="A user column, or own histories: query, item, pos.")],
    target: Annotated[Path, typer.Option("--out", help="The Parquet file of answers.")],
    k: Annotated[int, typer.Option("--k", min=1, max=1_000, help="Items per query.")] = 20,
    model: Annotated[str, typer.Option("--model", help="A model's name, or auto.")] = AUTO,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of a named model; repeatable.")
    ] = None,
    history: Annotated[
        Path | None, typer.Option("--history", help="Rows known when asked, neither fitted nor tuned on.")
    ] = None,
    allow_seen: Annotated[bool, typer.Option("--allow-seen", help="Items of the history may be answered.")] = False,
    minutes: Annotated[
        float | None, typer.Option("--max-minutes", min=0, help="After which auto tries no more settings.")
    ] = None,
    memory_gb: Annotated[
        float, typer.Option("--memory-gb", min=0, help="What may be taken; 0: four fifths of what is free.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of samples and first vectors.")] = 0,
) -> None:
    """Fits on one file, answers the queries of another, and writes user (or query), item, rank, score."""
    table = _in_order(_read(train, ("item",)))
    person = _person_column(table, train)
    log, items, has_ratings = _log(table, person)
    more = None if history is None else _read(history, ("item",))
    asked = _read(queries, ())
    if person not in asked.column_names and "query" not in asked.column_names:
        raise InvalidInput(
            f"{queries.name} has neither '{person}' nor 'query'.", hint="Queries are users or histories."
        )
    settings = {name: _value(text) for name, text in pairs(setting, "--set").items()}
    who: Asked
    with bar("benchmark") as told:
        if "query" in asked.column_names:
            names, histories = _own_histories(asked, items)
            label, who = "query", "strangers"
        else:
            names, histories = _of_users(asked, table, more, person, log, items)
            label, who = "user", _who(len(names), log)
        answers = answer(
            log,
            histories,
            k=k,
            model=model,
            settings=settings,
            asked=who,
            allow_seen=allow_seen,
            max_seconds=None if minutes is None else 60 * minutes,
            memory_limit_bytes=memory_limit_bytes(memory_gb),
            say=note,
            relevant="every" if has_ratings else "positive",
            seed=seed,
            progress=told,
        )
    _write(target, answers, label, names, _distinct(table.column("item")))
    for sentence in answers.sentences:
        note(sentence)
    print(
        msgspec.json.encode(
            {
                "model": answers.model,
                "settings": answers.settings,
                "queries": len(histories),
                "k": k,
                "secondsToFit": answers.seconds_to_fit,
                "secondsToRecommend": answers.seconds_to_recommend,
                "peakMemoryBytes": peak_bytes(),
                "out": str(target),
            }
        ).decode()
    )


def _read(path: Path, needed: tuple[str, ...]) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InvalidInput(f"{path.name} cannot be read as Parquet ({type(error).__name__}).") from None
    for name in needed:
        if name not in table.column_names:
            raise InvalidInput(
                f"{path.name} has no column '{name}'.", hint=f"Columns: {', '.join(table.column_names)}."
            )
    return table


def _person_column(table: pa.Table, path: Path) -> str:
    for name in ("user", "session"):
        if name in table.column_names:
            return name
    raise InvalidInput(f"{path.name} has neither 'user' nor 'session'.", hint="Name the column of people so.")


def _distinct(column: pa.ChunkedArray) -> pa.Array:
    """Distinct ids in the order in which they first stand, in the type they came in."""
    return pc.unique(column)


def _log(table: pa.Table, person: str) -> tuple[Interactions, Ids, bool]:
    """Returns the training log, item -> index, and whether rows are ratings."""
    users, items = _positions(_distinct(table.column(person))), _positions(_distinct(table.column("item")))
    has_ratings = "rating" in table.column_names and "weight" not in table.column_names
    log = Interactions.from_arrays(
        tuple(map(str, users)),
        tuple(map(str, items)),
        [users[value] for value in table.column(person).to_pylist()],
        [items[value] for value in table.column("item").to_pylist()],
        weights=_weights(table),
        times_ms=_times(table),
        is_ordered="timestamp" in table.column_names or "pos" in table.column_names,
    )
    return log, items, has_ratings


def _who(n_asked: int, log: Interactions) -> Asked:
    """Queries that name nearly all people ask what each does next; a part of them are those who came back."""
    return "everybody" if n_asked >= _NEARLY_ALL * log.n_users else "returning"


def _in_order(table: pa.Table) -> pa.Table:
    """Rows by position, where there are positions; times are sorted by the log, ties keep the order of the file."""
    if "timestamp" in table.column_names or "pos" not in table.column_names:
        return table
    return table.take(pa.array(np.argsort(table.column("pos").to_numpy(), kind="stable")))


def _weights(table: pa.Table) -> np.ndarray[Any, Any] | None:
    """Weights as given; a rating is a use and an opinion: 1 in the middle of its scale, 0.2 to 1.8 at its ends."""
    if "weight" in table.column_names:
        return np.asarray(table.column("weight").to_numpy(), np.float32)
    if "rating" not in table.column_names:
        return None
    ratings = np.asarray(table.column("rating").to_numpy(), np.float64)
    low, high = float(ratings.min()), float(ratings.max())
    if high == low:
        return None
    centred = (ratings - (low + high) / 2) / ((high - low) / 2)
    return (1 + 0.8 * centred).astype(np.float32)


def _times(table: pa.Table) -> np.ndarray[Any, Any] | None:
    if "timestamp" not in table.column_names:
        return None
    column = table.column("timestamp")
    if pa.types.is_timestamp(column.type):
        return np.asarray(column.cast(pa.timestamp("ms")).cast(pa.int64()).to_numpy())
    values = np.asarray(column.to_numpy(), np.float64)
    # Seconds until the year 5138, else milliseconds.
    return (values * (1000 if values.max() < 1e11 else 1)).astype(np.int64)


def _positions(values: pa.Array) -> Ids:
    return {value: position for position, value in enumerate(values.to_pylist())}


def _own_histories(asked: pa.Table, items: Ids) -> tuple[pa.Array, list[History]]:
    if "item" not in asked.column_names:
        raise InvalidInput("Queries with own histories need a column 'item'.")
    asked = _in_order(asked)
    names = _distinct(asked.column("query"))
    events: dict[Any, list[int]] = {name: [] for name in names.to_pylist()}
    for name, item in zip(asked.column("query").to_pylist(), asked.column("item").to_pylist(), strict=True):
        events[name].append(items.get(item, -1))
    return names, [History.of([i for i in found if i >= 0]) for found in events.values()]


def _of_users(
    asked: pa.Table, table: pa.Table, more: pa.Table | None, person: str, log: Interactions, items: Ids
) -> tuple[pa.Array, list[History]]:
    """Histories of the users asked for: their rows of the training data, then those known beside it."""
    names = _distinct(asked.column(person))
    row = _positions(_distinct(table.column(person)))
    added: dict[Any, tuple[list[int], list[float], list[int]]] = {}
    if more is not None:
        more = _in_order(more)
        if person not in more.column_names:
            raise InvalidInput(f"The history has no column '{person}'.")
        weights, times = _weights(more), _times(more)
        wanted = set(names.to_pylist())
        for place, (user, item) in enumerate(
            zip(more.column(person).to_pylist(), more.column("item").to_pylist(), strict=True)
        ):
            if user in wanted and item in items:
                held = added.setdefault(user, ([], [], []))
                held[0].append(items[item])
                held[1].append(1.0 if weights is None else float(weights[place]))
                held[2].append(log.last_ms if times is None else int(times[place]))
    histories = []
    for user in names.to_pylist():
        own = log.history(row[user]) if user in row else History.empty()
        extra = added.get(user)
        if extra is not None:
            own = History.of(
                [*own.items.tolist(), *extra[0]],
                [*own.weights.tolist(), *extra[1]],
                [*own.times_ms.tolist(), *extra[2]],
            )
        histories.append(own)
    if not histories:
        warn("There are no queries.")
    return names, histories


def _write(target: Path, answers: Answers, label: str, names: pa.Array, item_ids: pa.Array) -> None:
    is_there = answers.index >= 0
    rows, places = np.nonzero(is_there)
    table = pa.table(
        {
            label: names.take(pa.array(rows)),
            "item": item_ids.take(pa.array(answers.index[is_there])),
            "rank": pa.array(places + 1, pa.int32()),
            "score": pa.array(answers.scores[is_there], pa.float32()),
        }
    )
    try:
        pq.write_table(table, target, compression="zstd")
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror or error}.") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
