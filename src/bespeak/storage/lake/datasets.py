"""The shapes of what lies in the lake."""

from __future__ import annotations

import pyarrow as pa

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
    ]
)
"""One row per signal, in log order; `purposes` are those that held when it came in."""

DATASETS = {"signals": SIGNALS}
