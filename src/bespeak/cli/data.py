"""`import`, `export` and `rejects`: data in, data out, and what could not be taken in."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from bespeak.cli.options import JsonOption, ProjectOption, YesOption
from bespeak.cli.output import bar, emit, is_agreed, note, say, stoppable, table, warn
from bespeak.cli.project import opened
from bespeak.engine.clock import iso
from bespeak.engine.core import Core
from bespeak.engine.importing.imports import ImportReport, import_file, open_file
from bespeak.engine.importing.rejects import list_rejects, replay_rejects
from bespeak.engine.views.exports import ExportWhat, export
from bespeak.errors import InvalidInput
from bespeak.intake.columns import What, parse_mapping
from bespeak.intake.dates import DateOrder
from bespeak.intake.files import FileFormat, ImportFile
from bespeak.intake.items import item_to_json
from bespeak.intake.segment import encode_event
from bespeak.signals.counts import counted
from bespeak.storage.tables import log

N_PREVIEW = 3
OLD_DAYS = 180


class Kind(StrEnum):
    """What a file holds."""

    EVENTS = "events"
    ITEMS = "items"
    USERS = "users"


class Format(StrEnum):
    """How a file is written."""

    SEGMENT = "segment"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class Dates(StrEnum):
    """What comes first in dates such as 3/4/2026."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


class Exported(StrEnum):
    """What can be written out."""

    EVENTS = "events"
    PROFILES = "profiles"
    DECISIONS = "decisions"


def import_(
    what: Annotated[Kind, typer.Argument(help="What the files hold.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV, JSONL (plain or gzip) or Parquet.")],
    file_format: Annotated[
        Format | None, typer.Option("--format", help="Known by the content unless given; segment is one event a line.")
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            "--map", metavar="OUR=THEIRS,...", help="What the columns mean; text in quotes is a constant. Else guessed."
        ),
    ] = None,
    lists: Annotated[
        str | None, typer.Option("--lists", metavar="A,B", help="Columns whose text holds several values: a|b|c.")
    ] = None,
    dates: Annotated[
        Dates | None,
        typer.Option("--dates", help="What comes first in dates such as 3/4/2026. Else by the other dates."),
    ] = None,
    source: Annotated[str, typer.Option("--source", help="The project's source that the data counts for.")] = "import",
    again: Annotated[
        bool, typer.Option("--again", help="Read a file that was imported before once more; nothing is doubled.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    yes: YesOption = False,
) -> None:
    """Imports files of events, items or users, with a progress bar; a stopped import goes on where it was."""
    columns = parse_mapping(mapping) if mapping is not None else None
    several = None if lists is None else [name.strip() for name in lists.split(",") if name.strip()]
    kind: What = what.value
    shape: FileFormat | None = file_format.value if file_format is not None else None
    order: DateOrder | None = dates.value if dates is not None else None
    with opened(project) as engine:
        opened_files = [
            open_file(
                engine.core,
                path,
                kind,
                mapping=columns,
                file_format=shape,
                lists=several,
                date_order=order,
                source=source,
            )
            for path in files
        ]
        for file in opened_files:
            if not file.columns and shape is None:
                note(f"{file.path.name}: read as Segment events, one a line.")
            if file.guess is not None:
                _show_guess(file)
                if not yes and not as_json and not _may_go_on(file):
                    raise InvalidInput("Nothing was imported.", hint="Say what the columns mean with --map.")
        reports = [_import_one(engine.core, file, is_again=again) for file in opened_files]
        if kind == "events":
            _warn_of_old(engine.core)
    if as_json:
        emit({"files": reports})
    else:
        for report in reports:
            _show_report(report)
    if any(report.rejected and not report.accepted + report.duplicate for report in reports):
        warn("Every row of a file was rejected. See `bespeak rejects list`; say what its columns mean with --map.")
        raise typer.Exit(1)


def _import_one(core: Core, file: ImportFile, *, is_again: bool) -> ImportReport:
    left = "What was read is kept, and the same command goes on behind it."
    with stoppable(left), bar(f"importing {file.path.name}") as told:

        def progress(done: int, total: int, n_rows: int) -> None:
            told(f"{n_rows:,} rows", done / total if total else 1.0)

        return import_file(core, file, progress=progress, is_again=is_again)


def _warn_of_old(core: Core) -> None:
    """Says when everything is so old that it has decayed to nothing, and how to let time stand at the data's end."""
    if core.config.settings.project.now == "data":
        return
    with core.store.read() as session:
        span = log.time_range(session)
    if span is not None and core.clock.now_ms() - span[1] > OLD_DAYS * log.DAY_MS:
        warn(
            f"The newest event is of {iso(span[1])[:10]}, so what people like has decayed. To let time stand there, "
            'set now = "data" under [project] in bespeak.toml, then: bespeak apply'
        )


def _may_go_on(file: ImportFile) -> bool:
    """A sure guess, or nobody to ask, goes on: what was understood stands on stderr, and an import can be repeated."""
    assert file.guess is not None
    if file.guess.confidence >= 1.0:
        return True
    return is_agreed("Is that right?") if _is_asked() else True


def _is_asked() -> bool:
    return typer.get_text_stream("stdin").isatty()


def _show_guess(file: ImportFile) -> None:
    assert file.guess is not None
    if file.guess.missing:
        warn(f"{file.path.name}: no column was recognised as {' and '.join(file.guess.missing)}.{_without(file)}")
    if file.guess.unsure:
        warn(f"{file.path.name}: by its values alone was guessed: {', '.join(file.guess.unsure)}. If not, use --map.")
    for field, column in file.guess.unread_numbers.items():
        warn(
            f"{file.path.name}: the column {column!r} is named like the {field} and holds no plain numbers, so it is "
            "kept as text. Write 12.50 or 12,50, with the currency in a column of its own."
        )
    note(f"{file.path.name}: columns read as --map {file.mapping.text()!r}")
    if file.lists:
        note(f"{file.path.name}: several values in --lists {','.join(file.lists)}")
    preview = file.preview(N_PREVIEW)
    for event in preview.events[:N_PREVIEW]:
        shown = encode_event(event)
        kept = {key: shown[key] for key in ("event", "type", "timestamp", "properties", "traits") if shown.get(key)}
        note(f"  {kept}")
    for item in preview.items[:N_PREVIEW]:
        note(f"  {item_to_json(item)}")


def _without(file: ImportFile) -> str:
    assert file.guess is not None
    if file.what == "events" and "timestamp" in file.guess.missing:
        return " Rows get the time of the import. Say which with --map."
    return " Say which with --map."


def _show_report(report: ImportReport) -> None:
    if report.was_done:
        say(f"{report.path}: imported before, nothing to add. Read it once more with --again.")
        return
    parts = [f"{report.accepted:,} new"]
    if report.duplicate:
        parts.append(f"{report.duplicate:,} there already")
    if report.rejected:
        parts.append(f"{report.rejected:,} rejected")
    speed = f"{report.seconds:.1f} s, {report.rows_per_second():,.0f} rows a second"
    n_records = report.accepted + report.duplicate + report.rejected
    several = f" ({counted(n_records, 'event')})" if 0 < n_records < report.n_rows else ""  # orders have several rows
    say(f"{report.path}: {counted(report.n_rows, 'row')} read{several}, {', '.join(parts)} ({speed}).")
    if report.resumed_after:
        note(f"Went on after line {report.resumed_after:,}, where an earlier import had stopped.")
    if report.gated:
        warn(f"{report.gated:,} of them left only a count: no granted purpose may use them (sources in bespeak.toml).")
    for line in report.rejects:
        warn(f"  line {line.line_number:,}: {line.reason}: {line.detail}")
    if report.rejected > len(report.rejects):
        warn("  … all of them: bespeak rejects list")


def export_(
    what: Annotated[Exported, typer.Argument(help="What to write out.")],
    target: Annotated[Path, typer.Option("--out", metavar="FILE", help="FILE.parquet or FILE.jsonl.")],
    shareable: Annotated[
        bool, typer.Option("--shareable", help="Only what people agreed to have passed on (the purpose share).")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    yes: YesOption = False,
) -> None:
    """Writes events, profiles or decisions to a Parquet or JSONL file."""
    kind: ExportWhat = what.value
    if target.exists() and not yes and not is_agreed(f"{target} is there already. Replace it?"):
        raise InvalidInput(f"{target} is there already.", hint="Replace it with --yes, or choose another name.")
    with opened(project) as engine, bar(f"exporting {kind}") as told:
        n_rows = export(engine.core, kind, target, is_shareable=shareable, progress=lambda share: told("", share))
    if as_json:
        emit({"what": kind, "file": str(target), "rows": n_rows, "shareable": shareable})
        return
    say(f"{target}: {n_rows:,} {kind}.")
    note("The file holds personal data that a later erasure cannot reach; delete it when it is no longer needed.")


rejects = typer.Typer(no_args_is_help=True, help="Events that could not be taken in, with the reason.")


@rejects.command("list")
def rejects_list(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, the newest first.")] = 20,
    reason: Annotated[str | None, typer.Option("--reason", help="Only with this reason.")] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lists rejected events and lines, the newest first."""
    with opened(project) as engine:
        found = list_rejects(engine.core, limit=limit, reason=reason)
    if as_json:
        emit(found)
        return
    for name, n in sorted(found.counts.items(), key=lambda entry: -entry[1]):
        say(f"{name}: {n:,}")
    if not found.counts:
        say("No rejects.")
        return
    rows: list[list[Any]] = [
        [iso(r.received_ms)[:19].replace("T", " "), r.source, r.reason, r.line_number or None, r.detail]
        for r in found.rejects
    ]
    table(("received", "source", "reason", "line", "what is wrong"), rows, right=(3,))


@rejects.command("replay")
def rejects_replay(
    reason: Annotated[str | None, typer.Option("--reason", help="Only with this reason.")] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tries rejected events once more, for example after a setting was mended; what is taken in leaves the list."""
    with opened(project) as engine, bar("replaying rejects") as told:
        result = replay_rejects(engine.core, reason=reason, progress=lambda share: told("", share))
    if as_json:
        emit(result)
        return
    say(f"{result.accepted:,} taken in, {result.duplicate:,} there already, {result.remaining:,} still rejected.")
    if result.without_body:
        note(f"{result.without_body:,} cannot be tried: lines of tables, or bodies past their days.")
