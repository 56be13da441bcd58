"""`import_events` of a CSV file: rows per second with the fold, memory at one and four times the rows, a second import.

    python bench/imports.py [--rows 200000]

5,000 people and 2,000 items with eight facets. Every import runs in a process of its own, whose peak memory is told;
"before" is what that process held with the project open. The second import reads the same file again and must add
nothing. The floor is measured in the same run: the same rows in transactions of an import's size, without reading,
decoding and fold.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

from bespeak.engine import Engine
from bespeak.engine.importing.imports import BATCH_ROWS, import_file, open_file
from parts.figures import emit, options, peak_mb, ratio, tell
from parts.floor import floor, profile_bytes
from parts.shop import make_project, write_csv

N_PEOPLE, N_ITEMS = 5_000, 2_000
TIMES = (1, 4)


def run_import(folder: Path, path: Path, is_again: bool, pipe: Any) -> None:
    with Engine.open(folder) as engine:
        before = peak_mb()
        report = import_file(engine.core, open_file(engine.core, path, "events"), is_again=is_again)
    pipe.send(
        {
            "rows": report.n_rows,
            "accepted": report.accepted,
            "duplicate": report.duplicate,
            "rejected": report.rejected,
            "was_done": report.was_done,
            "rows_per_second": round(report.rows_per_second()),
            "peak_mb": peak_mb(),
            "before_mb": before,
        }
    )


def in_own_process(folder: Path, path: Path, *, is_again: bool = False) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=run_import, args=(folder, path, is_again, send))
    process.start()
    send.close()
    try:
        report: dict[str, Any] = receive.recv()
    except EOFError:
        raise SystemExit("the import ended without a report") from None
    finally:
        process.join()
    return report


def main() -> None:
    given = options(__doc__, rows=(200_000, 20_000, "rows of the smaller file"))
    end_ms = time.time_ns() // 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, dict[str, Any]] = {}
        for times in TIMES:
            path, project = folder / f"events-{times}.csv", folder / f"project-{times}"
            write_csv(path, given.rows * times, N_PEOPLE, N_ITEMS, end_ms)
            make_project(project, N_ITEMS)
            found[f"{times}x"] = in_own_process(project, path)
            tell({f"{times}x": found[f"{times}x"]})
            if times == 1:
                found["again, passed over"] = in_own_process(project, path)
                found["again, read"] = in_own_process(project, path, is_again=True)
                tell(found["again, read"])
        size = profile_bytes(folder / "project-1")
        lowest = floor(str(folder / "floor.db"), 3.0, per_transaction=BATCH_ROWS, n_people=N_PEOPLE, n_bytes=size)
        again = found["again, read"]["accepted"] + found["again, passed over"]["accepted"]
        emit(
            {
                "imports": found,
                "profile_bytes": size,
                "floor_events_per_second": round(lowest),
                "import_to_floor": ratio(found["1x"]["rows_per_second"], lowest),
                "peak_mb_4x_to_1x": ratio(found["4x"]["peak_mb"], found["1x"]["peak_mb"]),
                "rows_per_second_4x_to_1x": ratio(found["4x"]["rows_per_second"], found["1x"]["rows_per_second"]),
                "added_by_a_second_import": again,
            }
        )


if __name__ == "__main__":
    main()
