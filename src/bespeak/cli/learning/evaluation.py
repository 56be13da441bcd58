"""`evaluate`: models side by side on the project's own log, and somebody else's recommendations beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from bespeak.cli.learning.evaluation_page import page
from bespeak.cli.options import AsOfOption, JsonOption, ProjectOption, time_option
from bespeak.cli.output import bar, emit, note, say, table
from bespeak.cli.project import find, opened
from bespeak.engine.training.evaluation import Cut, EvaluationReport, Evaluations, plain
from bespeak.errors import InvalidInput
from bespeak.learn.evaluation.result import QUALITY, Evaluation, Row
from bespeak.learn.evaluation.sentences import difference_text
from bespeak.learn.intervals import Interval
from bespeak.learn.rating_result import RatingEvaluation

_FOLDER = "reports"


def evaluate(
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol",
            metavar="NAME",
            help="How the log is cut: calendar, live, per_person, leave_one_out or held_out.",
        ),
    ] = "calendar",
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="FILE", help="Somebody else's recommendations, Parquet: user, item, rank."),
    ] = None,
    cut_out: Annotated[
        Path | None,
        typer.Option("--cut-out", metavar="DIR", help="Write what models may see, and who is asked, as Parquet files."),
    ] = None,
    k: Annotated[int, typer.Option("--k", min=1, max=1_000, help="Length of the lists.")] = 10,
    max_people: Annotated[
        int, typer.Option("--max-people", min=2, help="A larger cut asks so many, drawn at random.")
    ] = 10_000,
    seed: Annotated[int | None, typer.Option("--seed", help="Of samples and intervals; else the project's.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The JSON file; else reports/evaluation.json.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="The page with plots; else reports/evaluation.html.")
    ] = None,
    as_of: AsOfOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measures the trained models on a part of the log that they do not see, side by side with simple baselines."""
    folder = find(project) / _FOLDER
    with opened(project) as engine, bar("evaluating") as told:
        report = Evaluations(engine.core, engine.models).evaluate(
            protocol=_cut(protocol),
            as_of_ms=time_option(as_of),
            against=against,
            cut_folder=cut_out,
            k=k,
            seed=seed,
            max_people=max_people,
            progress=told,
        )
    figures = plain(report)
    _write(out or folder / "evaluation.json", msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")
    target = html or folder / "evaluation.html"
    _write(target, page(report).encode())
    if as_json:
        emit(figures)
    else:
        _show(report)
    for line in report.notes:
        note(line)
    for name, rows in report.written.items():
        note(f"{name}: {rows:,} rows in {cut_out}")
    note(f"The page with plots: {target}")


def _cut(name: str) -> Cut:
    return name.replace("-", "_")  # type: ignore[return-value]  # an unknown name is refused where all are known


def _write(target: Path, body: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror or error}.") from None


def _show(report: EvaluationReport) -> None:
    found = report.evaluation
    k = found.k
    columns = (
        "",
        "model",
        f"NDCG@{k}",
        "95 % interval",
        "against baseline",
        f"recall@{k}",
        f"MRR@{k}",
        f"MAP@{k}",
        "hit",
    )
    table(columns, [_right(place, row, found) for place, row in enumerate(found.rows)], right=(2, 5, 6, 7, 8))
    say("* in use   - baseline   > somebody else's" if found.theirs is not None else "* in use   - baseline")
    say()
    for sentence in report.sentences:
        say(sentence)
    say()
    likeness = ("", "model", "coverage", "Gini", *(name.replace("_", " ") for name in QUALITY))
    table(likeness, [_like(place, row, found) for place, row in enumerate(found.rows)], right=range(2, len(likeness)))
    _show_groups(found)
    if report.ratings is not None:
        _show_ratings(report.ratings)


def _show_ratings(found: RatingEvaluation) -> None:
    rows = [
        ["*" if place == found.in_use else "-", row.name, *_error(row.rmse), *_error(row.mae)]
        for place, row in enumerate(found.rows)
    ]
    say()
    columns = ("", "foretold ratings by", "RMSE", "95 % interval", "MAE", "95 % interval")
    table(columns, rows, right=(2, 4))
    rows = [[part.n, *(f"{value:.2f}" for value in (part.foretold, part.given.mean))] for part in found.calibration]
    say()
    table(("ratings", "foretold", "given"), rows, title="Calibration", right=(0, 1, 2))


def _error(figure: Interval) -> tuple[float, str]:
    return figure.mean, f"{figure.low:.3f} to {figure.high:.3f}"


def _right(place: int, row: Row, found: Evaluation) -> list[Any]:
    ndcg = row.figures["ndcg"]
    against = ""
    if row.difference is not None:
        figures, _, verdict = difference_text(row.difference).partition(": ")
        against = f"{figures}\n{verdict if ' ' not in verdict else 'noise'}"
    return [
        *(_mark(place, row, found), row.name, ndcg.mean, f"{ndcg.low:.3f} to {ndcg.high:.3f}", against),
        *(row.figures[name].mean for name in ("recall", "mrr", "map", "hit")),
    ]


def _like(place: int, row: Row, found: Evaluation) -> list[Any]:
    figures = [row.figures[name] for name in QUALITY]
    return [_mark(place, row, found), row.name, row.coverage, row.gini, *(f.mean if f.n else None for f in figures)]


def _mark(place: int, row: Row, found: Evaluation) -> str:
    return "*" if place == found.in_use else ">" if place == found.theirs else "-" if row.role == "baseline" else ""


def _show_groups(found: Evaluation) -> None:
    shown = [place for place, row in enumerate(found.rows) if place in (found.in_use, found.baseline, found.theirs)]
    names = [found.rows[place].name for place in shown]
    groups = [(_history(g.fewest, g.most), g) for g in found.activity]
    if found.newcomers is not None:
        groups.insert(0, ("nothing known", found.newcomers))
    rows = [[label, g.n_people, *(g.ndcg[place].mean for place in shown)] for label, g in groups]
    say()
    table(("items in the history", "people", *names), rows, title=f"NDCG@{found.k}", right=range(1, 2 + len(shown)))
    rows = [[g.kind, g.n_answers, *(g.recall[place].mean for place in shown)] for g in found.items]
    say()
    table(("right answers", "number", *names), rows, title=f"recall@{found.k}", right=range(1, 2 + len(shown)))


def _history(fewest: int, most: int) -> str:
    return f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
