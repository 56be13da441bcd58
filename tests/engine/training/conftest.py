"""Projects that were trained once for many tests: each test gets a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.models.base import Model
from bespeak.models.popular.popularity import Popularity
from bespeak.signals.items import Item
from bespeak.web.tokens import make_token_key

START_MS = 1_767_225_600_000  # as the clock of the tests of this folder's parent


@pytest.fixture(scope="session")
def train_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a project with settings, items and events, and trains it: the folder to copy."""

    def train(
        settings: Mapping[str, Any],
        items: Iterable[Item],
        events: Iterable[dict[str, Any]],
        candidates: Sequence[Model] | None = (Popularity(),),
    ) -> Path:
        root = tmp_path_factory.mktemp("trained") / "project"
        create(root, token_key=make_token_key(), settings=dict(settings))
        with Engine.open(root, clock=VirtualClock(START_MS)) as engine:
            engine.items.put(list(items))
            engine.track(list(events), source="backend")
            engine.models.train(candidates=candidates)
        return root

    return train


@pytest.fixture
def trained(trained_folder: Path, tmp_path: Path, make: Callable[..., Engine]) -> Engine:
    """An open copy of the module's `trained_folder`."""
    shutil.copytree(trained_folder, tmp_path / "project")
    return make()
