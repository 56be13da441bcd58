"""A project of its own for each test, with a clock that stands where it is set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.web.tokens import make_token_key

START_MS = 1_767_225_600_000  # 2026-01-01
TOKEN_KEY = make_token_key()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START_MS)


@pytest.fixture
def make(tmp_path: Path, clock: VirtualClock) -> Iterator[Callable[..., Engine]]:
    """Opens the test's project, made with the given settings at the first call; every engine is closed at the end."""
    opened: list[Engine] = []

    def opener(settings: dict[str, Any] | None = None) -> Engine:
        root = tmp_path / "project"
        if not root.exists():
            create(root, token_key=TOKEN_KEY, settings=settings)
        opened.append(Engine.open(root, clock=clock))
        return opened[-1]

    yield opener
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(make: Callable[..., Engine]) -> Engine:
    return make()
