"""Serves one project folder as `bespeak serve` does, console included: `serve_project.py FOLDER PORT WORKERS HOW`.

HOW is jobs, no-jobs or virtual.

A program of its own, because the workers of a server are new processes that import the program again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from starlette.routing import BaseRoute

from bespeak.console.app import console_routes
from bespeak.engine.engine import Engine
from bespeak.engine.vault import Vault
from bespeak.serve.run import serve
from bespeak.web.session import ConsoleLogin


def console(engine: Engine) -> Sequence[BaseRoute]:
    """The console's routes over a worker's engine."""
    core = engine.core
    return console_routes(engine, ConsoleLogin(Vault(core), lambda: core.config.settings, core.clock))


def main() -> None:
    folder, port, workers, how = sys.argv[1:]
    serve(
        Path(folder),
        host="127.0.0.1",
        port=int(port),
        workers=int(workers),
        with_jobs=how != "no-jobs",
        has_virtual_clock=how == "virtual",
        announce=lambda url: print(url, flush=True),
        extra=console,
    )


if __name__ == "__main__":
    main()
