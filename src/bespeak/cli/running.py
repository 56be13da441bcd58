"""`serve`, `work`, `doctor`: what keeps a project running."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer
from rich.markup import escape

from bespeak.cli.options import JsonOption, ProjectOption
from bespeak.cli.output import bar, emit, err, note, out, say
from bespeak.cli.project import find, opened
from bespeak.console.app import ROOT as CONSOLE
from bespeak.console.app import console_routes
from bespeak.engine.checks import CHECKS, FAIL, PASS, WARN, run_checks
from bespeak.engine.jobs import work as run_jobs
from bespeak.errors import InvalidInput
from bespeak.serve.run import serve as run_server

CONSENT_CALL = 'bespeak.push(["consent", { personalize: true, measure: true, improve: true }])'
STYLES = {PASS: "green", WARN: "yellow", FAIL: "bold red"}


def script_tag(address: str, write_key: str) -> str:
    """Returns the tag that a page loads the browser script with."""
    return f'<script async src="{address}/bespeak.js" data-key="{write_key}"></script>'


def serve(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on; else the project's.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port; else the project's. 0 picks a free one.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="HTTP worker processes.")] = 1,
    no_jobs: Annotated[bool, typer.Option("--no-jobs", help="Run no job process; see bespeak work.")] = False,
    virtual_clock: Annotated[
        bool,
        typer.Option("--virtual-clock", help="Live at the time that PUT /api/clock sets: for bespeak simulate --http."),
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Serves the project over HTTP: tracking, decisions, the console; Ctrl-C stops gracefully."""
    folder = find(project)
    if virtual_clock and no_jobs:
        raise InvalidInput("With --virtual-clock the jobs belong to the server.", hint="Leave --no-jobs out.")
    with opened(folder) as engine:
        settings = engine.core.config.settings
    browser = next((s for s in settings.sources.values() if s.kind == "browser" and s.key), None)
    run_server(
        folder,
        host=host or settings.serve.host,
        port=settings.serve.port if port is None else port,
        workers=workers,
        with_jobs=not no_jobs,
        has_virtual_clock=virtual_clock,
        announce=lambda address: _announce(address, browser.key if browser is not None else ""),
        extra=console_routes,
    )


def _announce(address: str, write_key: str) -> None:
    console = err()
    console.print(f"Serving on [bold]{escape(address)}[/]. Ctrl-C stops.")
    console.print(f"Console:   [bold]{escape(address)}{CONSOLE}/[/] (sign in with the secret key)")
    if write_key:
        console.print("\nThe tag for your pages:\n  " + escape(script_tag(address, write_key)))
        console.print("When a visitor has agreed (nothing is kept before):\n  " + escape(CONSENT_CALL))
        body = '{"placement": "home", "anonymousId": "device-1", "count": 5}'
        console.print(f"\nA decision:\n  curl -s -u {escape(write_key)}: {address}/api/decide -d '{escape(body)}'\n")


def work(project: ProjectOption = None) -> None:
    """Runs the jobs alone (lake, segments, training, retention); several nodes never run one job twice."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    with opened(project) as engine:
        note("Running jobs. Ctrl-C stops.")
        run_jobs(engine, stop)


def doctor(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Looks for known troubles in settings and data; exit status 1 when a check fails."""
    with opened(project) as engine, bar("looking") as told:
        found = run_checks(engine.core, progress=told)
    if as_json:
        emit({"checks": found})
    else:
        console = out()
        for finding in found:
            console.print(
                f"[{STYLES[finding.status]}]{finding.status:<4}[/] {escape(finding.name)}: {escape(finding.message)}"
            )
            if finding.advice and finding.status != PASS:
                console.print(f"     [dim]{escape(finding.advice)}[/]")
        counts = {status: sum(f.status == status for f in found) for status in (PASS, WARN, FAIL)}
        say(f"{len(CHECKS)} checks: " + ", ".join(f"{n} {status.lower()}" for status, n in counts.items()))
    if any(finding.status == FAIL for finding in found):
        raise typer.Exit(1)
