"""`train` and `report`: what is learned, and what came in and went out."""

from __future__ import annotations

from typing import Annotated

import typer

from bespeak.cli.options import AsOfOption, JsonOption, ProjectOption, time_option
from bespeak.cli.output import bar, emit, note, say, stoppable, table, warn
from bespeak.cli.project import opened
from bespeak.engine.views.launches import INTERFERENCE, PLANNED_LIFT
from bespeak.engine.views.report import Report, build_report
from bespeak.signals.counts import counted

LONG_DAYS = 5 * 365


def train(
    as_of: AsOfOption = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of samples and vectors; else the project's.")] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trains models on the log, compares them, keeps the best, and says in words what it found."""
    left = "The models in use stay, and the next training goes on from what this one had found."
    with opened(project) as engine, stoppable(left), bar("training") as told:
        report = engine.models.train(as_of_ms=time_option(as_of), seed=seed, say=note, progress=told)
    if as_json:
        emit({"version": report.version, **_header(report.header)})
        return
    for sentence in report.header.sentences:
        say(sentence)
    note(f"Model set {report.version}, {report.header.seconds:.1f} s; running servers take it over within a second.")


def _header(header: object) -> dict[str, object]:
    return {name: getattr(header, name) for name in header.__struct_fields__}  # type: ignore[attr-defined]


def report(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Says what came in, what was decided, and how many visitors a lift figure needs."""
    with opened(project) as engine, bar("reading the log"):
        found = build_report(engine.core)
    if as_json:
        emit(found)
        return
    _came_in(found)
    _went_out(found)
    _launches(found)
    _experiments(found)
    say("\nHow many visitors a lift figure needs", style="bold")
    for sentence in found.lift.sentences:
        say(sentence)
    if found.lift.needs:
        rows = [
            [
                f"+{n.lift:.0%}",
                n.per_group,
                n.visitors,
                "over 5 years" if n.days is not None and n.days > LONG_DAYS else n.days,
            ]
            for n in found.lift.needs
        ]
        table(("lift", "in each group", "in both", "days"), rows, right=(0, 1, 2, 3))


def _came_in(found: Report) -> None:
    say(
        f"{found.name}: {counted(found.n_people, 'person')}, {counted(found.n_items, 'item')}, "
        f"{counted(found.n_events, 'event')}.",
        style="bold",
    )
    if found.first and found.last:
        say(f"Events from {found.first[:10]} to {found.last[:10]}.")
    if not found.n_events:
        say("Nothing has come in yet. Start with: bespeak import events FILE, or bespeak serve")
    for title, counts in (
        ("By source", found.by_source),
        ("By event", found.by_event),
        ("By signal class", found.by_class),
        ("Rejected", found.rejected),
        ("No granted purpose, only counted", found.gated),
    ):
        if counts:
            table((title, ""), sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:12], right=(1,))
    if found.by_day:
        table(("Latest days", ""), sorted(found.by_day.items())[-10:], right=(1,))


def _launches(found: Report) -> None:
    if not found.launches:
        return
    say("\nWhat personalization is worth", style="bold")
    waiting = [launch for launch in found.launches if not any(arm.n_assigned for arm in launch.arms)]
    for launch in found.launches:
        if launch in waiting:
            continue
        rows = [[arm.variant, arm.n_people, arm.n_engaged, arm.n_converted] for arm in launch.arms]
        table((launch.experiment, "people", "engaged", "converted"), rows, right=(1, 2, 3))
        for sentence in launch.sentences:
            say(sentence)
    if waiting:
        n_more = max(launch.n_more_people or 0 for launch in waiting)
        say(f"Nobody has been assigned yet at: {', '.join(launch.placement for launch in waiting)}.")
        say(f"At a usual conversion rate, a lift of {PLANNED_LIFT:.0%} would show with about {n_more:,} people each.")
    note(INTERFERENCE)


def _experiments(found: Report) -> None:
    if not found.experiments:
        return
    say("\nExperiments", style="bold")
    for one in found.experiments:
        people = counted(one.n_people, "person")
        say(f"{one.name}, {one.state}, {people}: {one.sentence}")
        if one.n_more_people:
            days = "" if one.n_more_days is None else f", about {counted(one.n_more_days, 'day')}"
            lacking = "Was lacking" if one.is_over else "Still needed"
            more = counted(one.n_more_people, "person")
            say(f"  {lacking} for a lift of {one.smallest_lift:.0%}: {more}{days}.")
    note("More: bespeak experiment report NAME")


def _went_out(found: Report) -> None:
    say("\nDecided", style="bold")
    if found.decided:
        rows = [[d.placement, d.mode, d.n] for d in found.decided]
        table(("placement", "mode", "decisions"), rows, right=(2,))
    else:
        say("Nothing yet. Try: bespeak decide home --user ID")
    say("\nTrained", style="bold")
    for sentence in found.trained or ["No model yet. Make one with: bespeak train"]:
        say(sentence)
    for one in found.weights:
        (warn if one.is_off else say)(one.sentence)
