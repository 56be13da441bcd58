"""A killed process loses nothing that was acknowledged and repeats nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bespeak.engine.project import create
from bespeak.web.tokens import make_token_key

SCRIPT = Path(__file__).with_name("killing.py")
N_KILLS = 54


def test_what_was_acknowledged_survives_killed_workers_exactly_once(tmp_path: Path, project_url: str) -> None:
    project = tmp_path / "project"
    create(project, token_key=make_token_key(), settings={"storage": {"url": project_url}})
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(project), "7", str(N_KILLS)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["kills"] >= N_KILLS
    assert found["acknowledged"] > 100
    assert found["missing"] == []
    assert found["repeated"] == []
    assert found["differing"] == []
    assert found["people"] > 10
    assert found["lake_rows"] > 0
