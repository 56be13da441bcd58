"""A killed process loses nothing that was acknowledged and repeats nothing.

A few kills of each scenario; `make test-kills` makes fifty of each.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from recovery.kills import is_sound, kill

N_KILLS = {"load": 6, "import": 2, "migration": 3, "lake": 3, "models": 2}


@pytest.mark.parametrize("scenario", N_KILLS)
def test_what_was_acknowledged_survives_kills_exactly_once(scenario: str, tmp_path: Path, project_url: str) -> None:
    found = kill(scenario, tmp_path, project_url, seed=7, n_kills=N_KILLS[scenario], timeout=240)
    assert is_sound(found), found
    assert found["mid_work"] >= N_KILLS[scenario]
    assert found["acknowledged"] > 0
    assert found["people"] > 10
