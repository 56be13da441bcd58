"""Clocks that stand where they are set."""

from __future__ import annotations

from pathlib import Path

import pytest

from bespeak.engine.clock import SharedClock, VirtualClock
from bespeak.errors import InvalidInput

MAY_MS = 1_746_057_600_000


def test_a_virtual_clock_only_goes_forward() -> None:
    clock = VirtualClock(MAY_MS)
    clock.advance(5)
    assert clock.now_ms() == MAY_MS + 5
    with pytest.raises(InvalidInput, match="only goes forward") as refused:
        clock.set(MAY_MS)
    assert "2025-05-01T00:00:00.005Z" in str(refused.value)


def test_who_moves_a_shared_clock_is_seen_by_everybody_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    one, other = SharedClock.begin(path), SharedClock(path)
    assert one.now_ms() == other.now_ms() == 0
    one.set(MAY_MS)
    assert other.now_ms() == MAY_MS
    other.advance(1_000)
    assert one.now_ms() == SharedClock.begin(path).now_ms() == MAY_MS + 1_000  # it begins once
    with pytest.raises(InvalidInput, match="only goes forward"):
        one.set(MAY_MS)
