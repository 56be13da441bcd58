"""`benchmark recommend`: model quality on data from outside, checked from outside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from bespeak.cli.learning.benchmark_tables import Rows
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
Events = tuple[list[int], list[float], list[int]]
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
    rows = Rows(train, ("item",))
    log, items = _log(rows)
    more = None if history is None else Rows(history, ("item",))
    asked = Rows(queries, may_be_empty=("item",))
    if rows.person not in asked and "query" not in asked:
        raise InvalidInput(
            f"{queries.name} has neither '{rows.person}' nor 'query'.", hint="Queries are users or histories."
        )
    settings = {name: _value(text) for name, text in pairs(setting, "--set").items()}
    who: Asked
    with bar("benchmark") as told:
        if "query" in asked:
            names, histories = _own_histories(asked, items)
            label, who = "query", "strangers"
        else:
            names, histories = _of_users(asked, rows, more, log, items)
            label, who = "user", _who(len(names), log)
        _said_of_queries(histories, rows, asked, label)
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
            relevant="every" if "rating" in rows and "weight" not in rows else "positive",
            seed=seed,
            progress=told,
        )
    _write(target, answers, label, names, rows.distinct("item"))
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


def _log(rows: Rows) -> tuple[Interactions, Ids]:
    """Returns the training log, and item -> index."""
    users, items = rows.positions(rows.person), rows.positions("item")
    times = rows.times()
    log = Interactions.from_arrays(
        tuple(map(str, users)),
        tuple(map(str, items)),
        [users[value] for value in rows.values(rows.person)],
        [items[value] for value in rows.values("item")],
        weights=rows.weights(rows.scale()),
        times_ms=times,
        is_ordered="pos" in rows or (times is not None and len(times) > 0 and bool(times.max() > times.min())),
    )
    return log, items


def _who(n_asked: int, log: Interactions) -> Asked:
    """Queries that name nearly all people ask what each does next; a part of them are those who came back."""
    return "everybody" if n_asked >= _NEARLY_ALL * log.n_users else "returning"


def _own_histories(asked: Rows, items: Ids) -> tuple[pa.Array, list[History]]:
    if "item" not in asked:
        raise InvalidInput("Queries with own histories need a column 'item'.")
    names = asked.distinct("query")
    events: dict[Any, list[int]] = {name: [] for name in names.to_pylist()}
    owners, touched, times = asked.values("query"), asked.values("item"), asked.times()
    for row in range(len(owners)) if times is None else np.argsort(times, kind="stable").tolist():
        events[owners[row]].append(items.get(touched[row], -1))
    return names, [History.of([i for i in found if i >= 0]) for found in events.values()]


def _of_users(
    asked: Rows, rows: Rows, more: Rows | None, log: Interactions, items: Ids
) -> tuple[pa.Array, list[History]]:
    """Histories of the users asked for: their rows of the training data, then those known beside it."""
    names = asked.distinct(rows.person)
    row = rows.positions(rows.person)
    added = {} if more is None else _added(more, rows, set(names.to_pylist()), log.last_ms, items)
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
    return names, histories


def _added(more: Rows, rows: Rows, wanted: set[Any], last_ms: int, items: Ids) -> dict[Any, Events]:
    """Person -> items, weights and times that are known beside the training data, on its scale of ratings."""
    if rows.person not in more:
        raise InvalidInput(f"{more.path.name} has no column '{rows.person}'.")
    weights, times = more.weights(rows.scale()), more.times()
    added: dict[Any, Events] = {}
    for place, (user, item) in enumerate(zip(more.values(rows.person), more.values("item"), strict=True)):
        if user in wanted and item in items:
            held = added.setdefault(user, ([], [], []))
            held[0].append(items[item])
            held[1].append(1.0 if weights is None else float(weights[place]))
            held[2].append(last_ms if times is None else int(times[place]))
    return added


def _said_of_queries(histories: Sequence[History], rows: Rows, asked: Rows, label: str) -> None:
    """Warns where there is nobody to answer, or nothing is known of many who ask: they get what is popular."""
    n_unknown = sum(not len(history) for history in histories)
    if not histories:
        warn("There are no queries.")
    elif n_unknown:
        said = f"Nothing of the training data is known of {n_unknown:,} of {len(histories):,} queries"
        ours, theirs = (rows.person, rows.person) if label == "user" else ("item", "item")
        kinds = rows.table.column(ours).type, asked.table.column(theirs).type
        if n_unknown == len(histories) and kinds[0] != kinds[1]:
            said += f" (the column '{ours}' holds {kinds[0]} in {rows.path.name} and {kinds[1]} in {asked.path.name})"
        warn(f"{said}: they get what is popular.")


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
