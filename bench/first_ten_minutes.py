"""The first ten minutes with a stopwatch: a fresh clone, the demo, a project of one's own from a file of orders.

    python bench/first_ten_minutes.py [--orders 5000]

Clones this repository's last commit, runs `make demo ARGS=--no-serve`, then in the new environment `init`, `import`
with guessed columns, `train`, `serve` until it is ready, and `report`. The set-up runs in two clones and the second one
counts: its packages were downloaded by the first, so that the figure is about Bespeak and not about the line.
`--short` has one clone.
"""

from __future__ import annotations

import csv
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from parts.figures import emit, options, tell
from parts.server import wait_ready
from parts.shop import DAY_MS, choice, iso

ROOT = Path(__file__).resolve().parents[1]
N_PEOPLE, N_ITEMS = 500, 200


def write_orders(path: Path, n_lines: int) -> None:
    """Writes lines of orders, with column names as shops have them."""
    rng = random.Random(1)
    end_ms = time.time_ns() // 1_000_000
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(("order_id", "customer_id", "product_id", "date", "quantity", "unit_price", "category"))
        for n in range(n_lines):
            person = (n // 2) * 7919 % N_PEOPLE
            item = choice(rng, person, N_ITEMS)
            day = iso(end_ms - (n_lines - n) * 60 * DAY_MS // n_lines)[:10]
            writer.writerow((n // 2, f"c{person}", f"p{item}", day, 1, 9.9 + item % 40, f"category{item % 40}"))


def run(command: Sequence[str], folder: Path) -> None:
    """Runs a command; its words are shown only when it fails."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2_000:]}")


def clone_and_demo(folder: Path) -> None:
    run(["git", "clone", "--quiet", str(ROOT), str(folder)], ROOT)
    run(["make", "demo", "ARGS=--no-serve"], folder)


def serve_until_ready(program: str, project: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "serve", "--port", str(port)]
    server = subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_ready(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    given = options(__doc__, orders=(5_000, 500, "lines of the file of orders"))
    steps: dict[str, float] = {}

    def timed(name: str, step: Callable[[], object]) -> None:
        started = time.perf_counter()
        step()
        steps[name] = round(time.perf_counter() - started, 1)
        tell(f"{steps[name]:7.1f} s  {name}")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone, orders, project = folder / "clone", folder / "orders.csv", folder / "my"
        write_orders(orders, given.orders)
        if not given.short:
            timed("(clone, set up and demo, with downloads)", lambda: clone_and_demo(folder / "first"))
        timed("clone, set up and demo", lambda: clone_and_demo(clone))
        program = str(clone / ".venv" / "bin" / "bespeak")
        timed("demo alone", lambda: run([program, "demo", "--no-serve", "--project", "again"], folder))
        timed("init", lambda: run([program, "init", str(project)], folder))
        timed("import orders", lambda: run([program, "import", "events", str(orders), "--yes"], project))
        timed("train", lambda: run([program, "train"], project))
        timed("serve until ready", lambda: serve_until_ready(program, project))
        timed("report", lambda: run([program, "report"], project))
    counted = [seconds for step, seconds in steps.items() if not step.startswith("(") and step != "demo alone"]
    emit({"seconds": steps, "seconds_in_all": round(sum(counted), 1), "orders": given.orders})


if __name__ == "__main__":
    main()
