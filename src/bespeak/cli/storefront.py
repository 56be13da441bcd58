"""Serving the demo's shop: the storefront, the console signed in, and the API, from one address."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from bespeak.cli.output import err
from bespeak.serve.run import serve

HOST = "127.0.0.1"


def serve_shop(project: Path, port: int) -> None:
    """Serves the demo until it is stopped; prints the addresses."""
    serve(project.resolve(), host=HOST, port=port, workers=1, with_jobs=True, announce=_announce)


def _announce(address: str) -> None:
    console = err()
    console.print(f"Storefront [bold]{escape(address)}/demo[/]")
    console.print(f"Console    [bold]{escape(address)}/console[/]")
    console.print("Ctrl-C stops.")
