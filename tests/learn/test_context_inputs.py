"""What is known only after watching is no input of the figures on films in context."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    folder = Path(__file__).parents[2] / "bench"
    monkeypatch.syspath_prepend(str(folder))
    spec = importlib.util.spec_from_file_location("rankers_on_data", folder / "rankers_on_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "rankers_on_data", module)
    spec.loader.exec_module(module)
    return module


def test_no_input_is_barred(bench: ModuleType) -> None:
    assert set(bench.BARRED) == {"end_emo", "dominant_emo", "rating"}
    assert not {*bench.CONTEXTS, *bench.GENRES} & set(bench.BARRED)


@pytest.mark.parametrize("barred", ["end_emo", "dominant_emo", "rating"])
def test_a_barred_input_is_refused(bench: ModuleType, barred: str) -> None:
    assert bench.inputs(["time", "mood"]) == ("time", "mood")
    with pytest.raises(ValueError, match=barred):
        bench.inputs(["time", barred])
