"""Node clients for tests: where their packages lie, and a script that runs with them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "wire" / "node"
PACKAGES = FOLDER / "node_modules"
HOW_TO = "the packages come with `make test-all`, or with `npm ci` in tests/wire/node"


def run_node(script: str, *given: Any) -> Any:
    """Returns what a script prints as JSON; texts are given to it as they are, everything else as JSON."""
    values = [value if isinstance(value, str) else json.dumps(value) for value in given]
    done = subprocess.run(
        ["node", "-e", script, *values], cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{done.stderr}\n({HOW_TO})"
    return json.loads(done.stdout)
