"""What commands say: data on stdout, everything else on stderr.

With `--json` stdout is exactly one JSON document with unrounded numbers. Without it, stdout is a table or a sentence
for people. Progress, notes and errors always go to stderr, so that a pipe carries data only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from bespeak.errors import BespeakError
from bespeak.learn.choosing.steps import said_left, seconds_left

WIDTH_OF_PIPES = 200

Told = Callable[[str, float], None]
"""Told (stage, share that is done)."""


def out() -> Console:
    """The console on stdout; made anew, because tests and pipes change the stream."""
    # A file or a pipe has no width: lines are long enough there that no table breaks a word.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH_OF_PIPES
    return Console(file=sys.stdout, highlight=False, width=width)


def err() -> Console:
    """The console on stderr."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def say(text: str = "", *, style: str = "") -> None:
    """Writes a line for people on stdout; brackets are text, not markup."""
    out().print(escape(text), style=style or None, soft_wrap=True)


def note(text: str) -> None:
    """Writes a note on stderr."""
    err().print(escape(text), style="dim")


def warn(text: str) -> None:
    """Writes a warning on stderr."""
    err().print(escape(text), style="yellow")


def emit(document: Any) -> None:
    """Writes one JSON document on stdout: numbers unrounded, text as UTF-8."""
    body = msgspec.json.format(msgspec.json.encode(document, enc_hook=_plain), indent=2)
    sys.stdout.write(body.decode() + "\n")


@contextmanager
def stoppable(left: str) -> Iterator[None]:
    """Says on Ctrl-C what is left behind, then lets it end the command."""
    try:
        yield
    except KeyboardInterrupt:
        warn(f"Stopped. {left}")
        raise


def fail(error: BespeakError) -> None:
    """Writes what went wrong and what to do next on stderr."""
    console = err()
    console.print(f"[bold red]Error:[/] {escape(error.message)}")
    if error.hint:
        console.print(escape(error.hint))


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "", right: Sequence[int] = ()) -> None:
    """Writes a table on stdout.

    Args:
        columns: headings.
        rows: cells; numbers get thousands separators.
        title: shown above.
        right: places of columns that stand right, as numbers do.
    """
    shown = Table(title=escape(title) or None, title_justify="left", title_style="bold", header_style="dim", box=None)
    for place, column in enumerate(columns):
        shown.add_column(column, justify="right" if place in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(cell(value) for value in row))
    out().print(shown)


def cell(value: Any) -> str:
    """Returns a value as a table shows it.

    Example:
        >>> cell(12345), cell(0.5), cell(None), cell(True)
        ('12,345', '0.500', '', 'yes')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}"
    return escape(str(value))


class _TimeLeft(ProgressColumn):
    """How long it goes on: the share that is told is one of time."""

    def render(self, task: Task) -> Text:
        return Text(said_left(seconds_left(task.elapsed or 0.0, task.completed)))


@contextmanager
def bar(title: str, *, is_quiet: bool = False) -> Iterator[Told]:
    """A progress bar on stderr; the block is given a function to tell stage and share with.

    Where stderr is no terminal, nothing is drawn: a log is not filled with bars.
    """
    console = err()
    if is_quiet or not console.is_terminal:
        yield lambda _stage, _share: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        _TimeLeft(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(escape(title), total=1.0)

        def told(stage: str, share: float) -> None:
            description = f"{title}: {stage}" if stage else title
            progress.update(task, description=escape(description), completed=min(max(share, 0.0), 1.0))

        yield told


def is_agreed(question: str) -> bool:
    """Asks on stderr and returns whether the answer was yes; where nobody can answer, nothing is agreed to."""
    if not sys.stdin.isatty():
        return False
    return typer.confirm(question, err=True)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
