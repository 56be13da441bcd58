"""A killed process loses nothing that was acknowledged and repeats nothing.

A few kills of each scenario; `make test-kills` makes fifty of each.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from recovery.kills import is_sound, kill

N_KILLS = {"load": 4, "import": 1, "migration": 2, "lake": 2, "models": 1}
SQLITE = "sqlite:///data/bespeak.db"


def test_what_was_acknowledged_survives_kills_exactly_once(
    store_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    is_postgres = store_kind == "postgres"
    new_store = request.getfixturevalue("postgres_server").empty if is_postgres else lambda: SQLITE
    everything = kill(N_KILLS, tmp_path, new_store, seed=7, timeout=400)
    for (scenario, n_kills), found in zip(N_KILLS.items(), everything, strict=True):
        assert is_sound(found), (scenario, found)
        assert found["mid_work"] >= n_kills, scenario
        assert found["acknowledged"] > 100, scenario
        assert found["people"] > 10, scenario
