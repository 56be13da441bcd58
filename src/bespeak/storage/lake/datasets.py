"""The columns of each dataset of the lake.

A file keeps the columns it was written with; a column that is added later is NULL in older files. Columns are never
renamed, and never change their type.
"""

from __future__ import annotations

import msgspec
import pyarrow as pa

from bespeak.errors import UnknownName

SIGNALS = pa.schema(
    [
        pa.field("log_id", pa.int64(), nullable=False),
        pa.field("person_id", pa.int64(), nullable=False),
        pa.field("time_ms", pa.int64(), nullable=False),
        pa.field("received_ms", pa.int64(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("signal", pa.string(), nullable=False),
        pa.field("signal_class", pa.string(), nullable=False),
        pa.field("strength", pa.float64(), nullable=False),
        pa.field("item_id", pa.string()),
        pa.field("purposes", pa.int64(), nullable=False),
        pa.field("is_bot", pa.bool_(), nullable=False),
        pa.field("value_minor", pa.int64(), nullable=False),
        pa.field("currency", pa.string()),
        pa.field("decision_id", pa.string()),
        pa.field("amount", pa.float64()),
    ]
)
"""One row for each signal of an event; `amount` is what the catalogue says that metrics may sum of it."""

DECISIONS = pa.schema(
    [
        pa.field("decision_id", pa.string(), nullable=False),
        pa.field("person_id", pa.int64()),
        pa.field("time_ms", pa.int64(), nullable=False),
        pa.field("placement", pa.string(), nullable=False),
        pa.field("mode", pa.string(), nullable=False),
        pa.field("policy", pa.string(), nullable=False),
        pa.field("experiment", pa.string()),
        pa.field("variant", pa.string()),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("propensity", pa.float64(), nullable=False),
        pa.field("features", pa.map_(pa.string(), pa.float64())),
        pa.field("purposes", pa.int64(), nullable=False),
    ]
)
"""One row for each shown item of a decision, with the features that its score used."""

PROFILES = pa.schema(
    [
        pa.field("person_id", pa.int64(), nullable=False),
        pa.field("time_ms", pa.int64(), nullable=False),
        pa.field("version", pa.int64(), nullable=False),
        pa.field("purposes", pa.int64(), nullable=False),
        pa.field("first_seen_ms", pa.int64()),
        pa.field("last_seen_ms", pa.int64()),
        pa.field("stage", pa.string()),
        pa.field("country", pa.string()),
        pa.field("language", pa.string()),
        pa.field("n_sessions", pa.int64()),
        pa.field("n_events", pa.int64()),
        pa.field("n_orders", pa.int64()),
        pa.field("spent_minor", pa.int64()),
        pa.field("currency", pa.string()),
        pa.field("traits", pa.map_(pa.string(), pa.string())),
        pa.field("affinities", pa.map_(pa.string(), pa.float64())),
    ]
)
"""One row for each snapshot of a profile; `time_ms` is when it was taken, affinities are decayed to then."""


class Dataset(msgspec.Struct, frozen=True):
    """One dataset.

    Attributes:
        schema: its columns; `person_id` says whose a row is (NULL: nobody's), `time_ms` which day it belongs to.
        order: what the rows of a file are sorted by; equal content gives equal bytes.
    """

    name: str
    schema: pa.Schema
    order: tuple[str, ...]


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("signals", SIGNALS, ("person_id", "log_id")),
        Dataset("decisions", DECISIONS, ("person_id", "time_ms", "decision_id", "position")),
        Dataset("profiles", PROFILES, ("person_id", "version")),
    )
}


def dataset_named(name: str) -> Dataset:
    """Returns a dataset; raises `UnknownName` with the names there are."""
    found = DATASETS.get(name)
    if found is None:
        raise UnknownName("dataset", name, list(DATASETS))
    return found
