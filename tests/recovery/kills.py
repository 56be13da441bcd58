"""Kills processes of a project in every scenario on every store, and prints what was found as a table.

    make test-kills ARGS="--kills 50"

Ends with status 1 when anything acknowledged is missing, anything is there twice, or a profile, the lake, a counter or
a model is not what it must be.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bespeak.engine.project import create
from bespeak.web.tokens import make_token_key
from store_fixtures import KINDS, PostgresServer

SCENARIOS = ("load", "import", "migration", "lake", "models")
COLUMNS = (
    "scenario",
    "store",
    "kills",
    "mid-work",
    "acknowledged",
    "missing",
    "twice",
    "profiles",
    "differing",
    "other",
)


def kill(
    n_kills: Mapping[str, int], folder: Path, new_store: Callable[[], str], *, seed: int, timeout: float | None = None
) -> list[dict[str, Any]]:
    """Runs scenarios, each in a new project, in a process of their own, and returns the findings of each.

    Args:
        n_kills: scenario -> how many kills must hit its work.
        folder: an empty folder.
        new_store: gives the address of an empty store.

    Raises:
        RuntimeError: a process of a project failed by itself, or a check could not be made.
    """
    wanted: list[str] = []
    for name, n in n_kills.items():
        project = folder / name / "project"
        create(project, token_key=make_token_key(), settings={"storage": {"url": new_store()}})
        wanted += [name, str(project), str(n)]
    tests = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (tests, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", "recovery.killing", str(seed), *wanted],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{', '.join(n_kills)}: {done.stderr[-4000:]}")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def is_sound(found: dict[str, Any]) -> bool:
    """Tells whether nothing was lost, repeated or wrong."""
    return not (found["missing"] or found["twice"] or found["differing"] or found["faults"])


def row(name: str, store: str, found: dict[str, Any]) -> tuple[Any, ...]:
    """Returns a line of the table."""
    kept = ("kills", "mid_work", "acknowledged", "missing", "twice", "people", "differing")
    return (name, store, *(found[key] for key in kept), len(found["faults"]))


def line(cells: tuple[Any, ...]) -> str:
    """Returns a line of a Markdown table."""
    shown = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
    return "| " + " | ".join(shown) + " |"


def addresses(stores: Sequence[str], closing: ExitStack) -> dict[str, Callable[[], str]]:
    """Returns for each store what gives the address of a new one; starts PostgreSQL where it is asked for."""
    found: dict[str, Callable[[], str]] = {}
    for store in stores:
        if store == "sqlite":
            found[store] = lambda: "sqlite:///data/bespeak.db"
        else:
            # Not below a private folder: for root the server runs as another user.
            folder = closing.enter_context(TemporaryDirectory(prefix="bespeak-pg-", ignore_cleanup_errors=True))
            server = PostgresServer(Path(folder))
            closing.callback(server.stop)
            found[store] = server.empty
    return found


def main() -> int:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="that must hit the work, of each scenario and store")
    parser.add_argument("--scenario", choices=SCENARIOS, action="append", help="only this one; may be given again")
    parser.add_argument("--store", choices=KINDS, action="append", help="only this one; may be given again")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, help="write all findings to a JSON file")
    given = parser.parse_args()
    everything: list[dict[str, Any]] = []
    is_all_sound = True
    print(line(COLUMNS), "|" + " --- |" * len(COLUMNS), sep="\n", flush=True)
    with ExitStack() as closing:
        for store, new_store in addresses(given.store or KINDS, closing).items():
            for name in given.scenario or SCENARIOS:
                started = time.monotonic()
                with TemporaryDirectory(prefix="bespeak-kills-", ignore_cleanup_errors=True) as folder:
                    try:
                        [found] = kill({name: given.kills}, Path(folder), new_store, seed=given.seed)
                    except RuntimeError as error:
                        print(f"| {name} | {store} | failed", error, sep="\n", flush=True)
                        is_all_sound = False
                        continue
                seconds = round(time.monotonic() - started, 1)
                everything.append({"scenario": name, "store": store, "seconds": seconds, **found})
                is_all_sound &= is_sound(found)
                print(line(row(name, store, found)), flush=True)
                shown = ("hit", "workers_killed_at_work", "missing_shown", "twice_shown", "faults", "notes")
                print(json.dumps({"seconds": seconds, **{key: found[key] for key in shown}}), file=sys.stderr)
                if given.out:
                    given.out.write_text(json.dumps(everything, indent=1))
    return 0 if is_all_sound else 1


if __name__ == "__main__":
    sys.exit(main())
