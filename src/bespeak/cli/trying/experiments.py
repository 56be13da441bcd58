"""`experiment`: what runs, what it tells, what it needs; starting and stopping it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bespeak.cli.options import JsonOption, ProjectOption
from bespeak.cli.output import bar, emit, note, say, table
from bespeak.cli.project import opened
from bespeak.cli.trying.experiment_page import page
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.views.experiment_plan import LIFTS, experiment_plan, taking_part
from bespeak.engine.views.experiment_report import Compared, ExperimentReport, MetricReport
from bespeak.engine.views.experiments import experiment_report, experiment_rows
from bespeak.engine.views.launches import INTERFERENCE
from bespeak.errors import InvalidInput
from bespeak.signals.counts import counted

experiment = typer.Typer(no_args_is_help=True, help="Experiments: what runs, what it tells, what it needs.")

NameArgument = Annotated[str, typer.Argument(help="An experiment of the project.")]
ACTOR = "command line"


@experiment.command("list")
def list_(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Lists the experiments of the active configuration."""
    with opened(project) as engine:
        found = experiment_rows(engine.core)
    if as_json:
        emit(found)
        return
    if not found:
        say("No experiment is configured. One is a table [experiments.NAME] in bespeak.toml.")
        return
    rows = [[one.name, one.placement, one.kind, one.state, one.n_assigned, ", ".join(one.variants)] for one in found]
    table(("experiment", "placement", "kind", "state", "people", "variants"), rows, right=(4,))


@experiment.command("report")
def report(
    name: NameArgument,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with plots.")] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Says what an experiment tells so far, in words and tables, or how many people and days are still needed."""
    with opened(project) as engine, bar("reading the log"):
        feed(engine.core)
        found = experiment_report(engine.core, name)
        title = engine.core.config.settings.project.name
    if html is not None:
        _write(html, page(found, title))
    if as_json:
        emit(found)
    else:
        show(found)


@experiment.command("start")
def start(name: NameArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Lets an experiment run from now on, also one that was stopped, or whose start lies ahead."""
    with opened(project) as engine:
        run = engine.experiments.start(name, engine.core.config.trials, engine.core.now_ms(), ACTOR)
    if as_json:
        emit(run)
    else:
        say(f"{name} runs. Running servers take it over within a second.")


@experiment.command("stop")
def stop(name: NameArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Ends an experiment: everybody gets the placement's own policy again, and no outcome counts from now on."""
    with opened(project) as engine:
        run = engine.experiments.stop(name, engine.core.config.trials, engine.core.now_ms(), ACTOR)
    if as_json:
        emit(run)
    else:
        say(f"{name} is stopped. Its report stays: bespeak experiment report {name}")


@experiment.command("plan")
def plan(
    metric: Annotated[str, typer.Argument(help="An experiment of the project, or a metric.")],
    share: Annotated[
        float | None,
        typer.Option(
            "--share", help="Of the variant, among those in it or the control; else the experiment's, or 0.5."
        ),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            "--coverage", help="Share of visitors in either of the two; else what the experiment takes, or 1."
        ),
    ] = None,
    lift: Annotated[
        list[float] | None, typer.Option("--lift", help="A relative lift that should show: 0.1; repeatable.")
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Says how many people and days show which lift of a metric, from what it was in the last 28 days of data."""
    if any(not 0 < one < 1 for one in _given(share)) or any(not 0 < one <= 1 for one in _given(coverage)):
        raise InvalidInput("--share and --coverage are shares.", hint="--share 0.5 --coverage 1")
    if any(not 0 < one <= 10 for one in lift or ()):
        raise InvalidInput("--lift lies above 0, up to 10.", hint="--lift 0.1")
    with opened(project) as engine, bar("reading the log"):
        feed(engine.core)
        settings = engine.core.config.settings.experiments.get(metric)
        usual = (0.5, 1.0) if settings is None else taking_part(engine.core, metric)
        found = experiment_plan(
            engine.core,
            metric if settings is None else settings.primary,
            share=usual[0] if share is None else share,
            coverage=usual[1] if coverage is None else coverage,
            lifts=tuple(lift) if lift else LIFTS,
        )
    if as_json:
        emit(found)
        return
    say(f"{found.title}: {found.mean:.4g} of {counted(found.n_visitors, 'visitor')} in {counted(found.days, 'day')}.")
    say(f"{found.coverage:.1%} of visitors come into the variant or the control, {found.share:.1%} of these into the "
        "variant.")  # fmt: skip
    say("These lifts show (95 % intervals that hold at every look, 80 % power) with so many people:")
    rows = [[f"+{one.lift:.0%}", one.n_people, one.n_days] for one in found.needed]
    table(("lift", "people of both", "days"), rows, right=(0, 1, 2))


def _given(share: float | None) -> list[float]:
    return [] if share is None else [share]


def show(found: ExperimentReport) -> None:
    """Writes a report for people."""
    say(f"{found.name}: {found.kind} on {found.placement}, {found.state}.", style="bold")
    for sentence in found.sentences:
        say(sentence)
    rows = [[a.variant, f"{a.share:.0%}", a.n_assigned, a.n_people, a.policy] for a in found.arms]
    table(("variant", "share", "assigned", "measured", "policy"), rows, right=(1, 2, 3))
    rows = [row for metric in found.metrics for row in _rows(metric)]
    if rows:
        headings = ("metric", "variant", "control", "variant", "lift", "95 % at every look", "p, raised")
        table(headings, rows, right=(2, 3, 4, 5, 6))
    if found.subgroups:
        parts = [[s.part, s.label, s.variant, s.n, _percent(s.lift), _ends(s.lift_interval), _chance(s.raised_p_value)]
                 for s in found.subgroups]  # fmt: skip
        table(
            ("part", "people", "variant", "people", "lift", "95 % at one look", "p, raised"), parts, right=(3, 4, 5, 6)
        )
        for part, p in found.differ_p_values.items():
            if p is not None:
                word = "differ" if p < 0.05 else "cannot be told apart"
                say(f"By {part} the effects {word} (p = {p:.2g}).")
    note(INTERFERENCE)


def _rows(metric: MetricReport) -> list[list[object]]:
    name = f"{metric.title} ({metric.role})"
    if metric.is_early or not metric.variants:
        return [[name, "too early" if metric.is_early else "", metric.control_mean, None, None, None, None]]
    return [
        [
            name,
            one.variant,
            metric.control_mean,
            one.mean,
            _percent(one.lift),
            _interval(one),
            _chance(one.raised_p_value),
        ]
        for one in metric.variants
    ]


def _interval(one: Compared) -> str:
    if one.lift_interval is not None:
        return _ends(one.lift_interval)
    ends = one.difference_interval
    return "" if ends is None else f"{ends[0]:+.4g} to {ends[1]:+.4g}"


def _chance(p: float | None) -> str:
    return "" if p is None else "< .0001" if p < 0.0001 else f"{p:.2g}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.1%}"


def _ends(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:+.1%} to {interval[1]:+.1%}"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror or error}.") from None
    note(f"The page is in {path}.")
