"""Events as Python dicts of the Segment shape: what `Engine.track` takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from bespeak.intake.segment import Decoded, SourceInfo, decode_lines


def decode_dicts(
    events: Sequence[Mapping[str, Any]],
    *,
    received_ms: int,
    source: SourceInfo,
    declared_keys: Collection[str] = (),
) -> Decoded:
    """Returns the events of dicts of the Segment shape; what cannot be taken in is in `rejected`, as with a request.

    The dicts are not changed. Times may be `datetime` objects and numbers those of NumPy; NaN reads as absent.

    Example:
        >>> found = decode_dicts([{"type": "track", "event": "Product Viewed", "userId": "u1"}, {"type": "track"}],
        ...                      received_ms=1_700_000_000_000, source=SourceInfo(name="shop"))
        >>> found.events[0].name, found.rejected[0].reason
        ('Product Viewed', 'missing_name')
    """
    lines = [_encode(raw) for raw in events]
    return decode_lines(lines, received_ms=received_ms, source=source, declared_keys=declared_keys)


def _encode(raw: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(raw, enc_hook=_plain)
    except (UnicodeEncodeError, OverflowError, RecursionError, TypeError):
        return b""  # rejected as no JSON, in its place


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)
