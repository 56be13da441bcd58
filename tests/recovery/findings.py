"""What a project holds after its processes were killed, compared with what was acknowledged and with its own log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bespeak.engine import Engine
from bespeak.engine.logged.lake_feed import feed, signal_table
from bespeak.storage.tables import items, log
from bespeak.storage.tables.log import DAY_MS, Entry
from recovery.workers import batch_of

SHOWN = 5
LAKE_COLUMNS = ("log_id", "person_id", "time_ms", "signal", "item_id", "strength")
ERASED_MODULUS, ERASED_REMAINDER = 10, 3


def is_erased(person: int) -> bool:
    """Tells whether the lake's scenario erases a person's rows from the lake, over and over."""
    return person % ERASED_MODULUS == ERASED_REMAINDER


def key_of(entry: Entry) -> str:
    """What an event is known by: its message id, or for a row of a table, which has none, its time."""
    assert entry.body.event is not None
    message_id = entry.body.event.message_id
    return message_id if message_id[:1] in "wf" and "-" in message_id else f"row-{entry.time_ms}"


def entries(engine: Engine) -> Iterator[Entry]:
    """Yields the whole log."""
    after = 0
    while True:
        with engine.core.store.read() as session:
            found = log.follow(session, after, 5_000)
        if not found:
            return
        yield from found
        after = found[-1].log_id


def find(project: Path, ledgers: Sequence[Path], seed: int, others: Sequence[str]) -> dict[str, Any]:
    """Returns what is missing, there twice or not what the log says.

    Args:
        ledgers: of the workers.
        others: further keys that were acknowledged.
    """
    acknowledged = list(others)
    for worker, ledger in enumerate(ledgers):
        numbers = [int(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
        assert numbers == list(range(len(numbers))), "a ledger has a gap"
        acknowledged += [str(event["messageId"]) for n in numbers for event in batch_of(worker, n, seed)]
    with Engine.open(project) as engine:
        feed(engine.core)
        whole = list(entries(engine))
        stored = Counter(key_of(entry) for entry in whole if entry.body.event is not None)
        missing = set(acknowledged) - stored.keys()
        twice = [key for key, n in stored.items() if n > 1]
        differing = engine.profiles.differing()
        faults = [*_lake_faults(engine, whole), *_counter_faults(engine, whole)]
        return {
            "acknowledged": len(acknowledged),
            "stored": len(stored),
            "missing": len(missing),
            "missing_shown": sorted(missing)[:SHOWN],
            "twice": len(twice),
            "twice_shown": sorted(twice)[:SHOWN],
            "people": sum(1 for _ in engine.profiles.all()),
            "differing": len(differing),
            "faults": faults,
        }


def _lake_faults(engine: Engine, whole: Sequence[Entry]) -> list[str]:
    """The lake holds each signal of the log once, those of erased people aside, and lists what lies there."""
    expected = Counter(_rows(signal_table(whole, engine.core.runtime.observer)))
    held = Counter(_rows(engine.core.lake.read("signals", LAKE_COLUMNS)))
    lost, too_many = (expected - held).total(), (held - expected).total()
    engine.core.lake.sweep()
    with engine.core.store.read() as session:
        listed = {file.blob_key for file in engine.core.lake.files(session)}
    lying = set(engine.core.blobs.list("lake/"))
    half = [file for file in (engine.core.blobs.folder / "lake").rglob("*") if file.is_file() and file.name[0] == "."]
    found = {
        "signals missing in the lake": lost,
        "signals too many in the lake": too_many,
        "listed files that are not there": len(listed - lying),
        "files that nothing lists": len(lying - listed),
        "half written files": len(half),
    }
    return [f"{n} {what}" for what, n in found.items() if n]


def _rows(table: Any) -> list[tuple[Any, ...]]:
    columns = [table.column(name).to_pylist() for name in LAKE_COLUMNS]
    return [row for row in zip(*columns, strict=True) if not is_erased(row[1])]


def _counter_faults(engine: Engine, whole: Sequence[Entry]) -> list[str]:
    """The items' counters are what the log's events count."""
    observer = engine.core.runtime.observer
    expected: Counter[tuple[str, str, int]] = Counter()
    for entry in whole:
        event = entry.body.event
        if event is None or entry.is_bot:
            continue
        for signal in observer.allowed(event, entry.purposes):
            if signal.item_id:
                expected[(signal.item_id, signal.signal_class, event.time_ms // DAY_MS)] += 1
    with engine.core.store.read() as session:
        held = {(item, name, day): n for item, name, day, n in items.counts(session, 0)}
    wrong = sum(1 for key in held.keys() | expected.keys() if held.get(key, 0) != expected.get(key, 0))
    return [f"{wrong} counters of items that the log does not give"] if wrong else []
