"""`backup` and `restore`: a whole project in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bespeak.cli.options import JsonOption, ProjectOption, YesOption
from bespeak.cli.output import bar, emit, is_agreed, say, warn
from bespeak.cli.project import find, opened
from bespeak.engine import archive
from bespeak.signals.counts import counted

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The tar file.")]


def backup(file: FileArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Writes the whole project to one file; everything stays in use meanwhile."""
    with opened(project) as engine, bar("backing up"):
        written = archive.backup(engine.core, file)
    if as_json:
        emit(written)
        return
    say(f"{written.file}: {written.n_files:,} files, {written.n_bytes / 1e6:,.1f} MB.")
    warn("It holds personal data. The erasure ledger and the keys folder are not in it: keep those apart.")


def restore(
    file: FileArgument, project: ProjectOption = None, as_json: JsonOption = False, yes: YesOption = False
) -> None:
    """Replaces the project by a backup and repeats the erasures made since; stop its servers first."""
    folder = project if project is not None else find(None)
    is_confirmed = yes or (not as_json and is_agreed(f"Replace everything in {folder} by this backup?"))
    with bar("restoring"):
        done = archive.restore(folder, file, is_confirmed=is_confirmed)
    if as_json:
        emit(done)
        return
    say(f"{folder} is as it was at {done.backup.created[:19].replace('T', ' ')}.")
    if done.n_erased_again:
        say(f"{counted(done.n_erased_again, 'person')} erased since then: erased again.")
    if not done.knew_ledger:
        warn(
            "Erasures made after this backup are not known here. To repeat them, restore into a folder that has "
            "keys/ and data/ledger/ of the project."
        )
