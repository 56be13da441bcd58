"""An evaluation as one HTML page: plots drawn here as SVG, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bespeak.cli.pages import templates
from bespeak.console.plots import Scale, scale
from bespeak.engine.training.evaluation import EvaluationReport
from bespeak.learn.evaluation.result import Evaluation, Row
from bespeak.learn.evaluation.sentences import difference_text
from bespeak.learn.intervals import Interval
from bespeak.learn.rating_result import Band, RatingEvaluation
from bespeak.learn.words import PROTOCOLS, day

FIGURES = {
    "ndcg": ("NDCG", "right answers found, those on top counting more; 1 is a perfect list", "up"),
    "recall": ("Recall", "share of a person's right answers that stand in the list", "up"),
    "map": ("MAP", "precision at each hit, meaned, divided by the hits there could be", "up"),
    "mrr": ("MRR", "1 divided by the place of the first hit", "up"),
    "hit": ("Hit rate", "share of people with a hit", "up"),
    "novelty": ("Novelty", "bits of surprise: 1 more is known to half as many people", ""),
    "diversity": ("Diversity", "1 less the likeness of the items of one list, by content", ""),
    "popularity": ("Popularity", "mean percentile of the items, 1 is the best known", ""),
    "head_share": ("Head share", "share of places for the most popular fifth of the items", ""),
    "miscalibration": (
        "Miscalibration",
        "how far a list is from a person's own mix of facets, nats; 0 is alike",
        "down",
    ),
}
"""Figure -> its name, what it says, and which way is better; neither is where the middle is best."""

_WORDS = {"new": "new: nobody had them before", "tail": "tail: few had them", "head": "head: the most popular fifth"}


def page(report: EvaluationReport) -> str:
    """The page as text."""
    found = report.evaluation
    used = found.rows[found.in_use]
    board = scale([end for row in found.rows for end in _ends(row.figures["ndcg"])])
    gains = [row.difference.interval for row in found.rows if row.difference is not None]
    return templates.get_template("evaluation.html").render(
        report=report,
        found=found,
        k=found.k,
        used=used,
        title=PROTOCOLS[found.protocol].partition(" (")[0],
        asked_how=PROTOCOLS[found.protocol].partition(" (")[2].rstrip(")"),
        until=day(found.now_ms),
        board=board,
        gains=scale([end for gain in gains for end in _ends(gain)]),
        rows=[_row(place, row, found) for place, row in enumerate(found.rows)],
        against=_against(found),
        compared=[_style(place, found) for place in _compared(found)],
        people=_people(found),
        people_scale=scale([end for g in _groups(found) for place in _compared(found) for end in _ends(g.ndcg[place])]),
        items=_items(found),
        items_scale=scale([end for g in found.items for place in _compared(found) for end in _ends(g.recall[place])]),
        trade=_trade_off(found),
        lorenz=[
            {**_style(place, found), "points": _points(found.rows[place].lorenz), "gini": found.rows[place].gini}
            for place in _compared(found)
            if found.rows[place].lorenz
        ],
        figures=FIGURES,
        asked_for=found.asked_for,
        facets=sorted({facet for row in found.rows for facet in row.miscalibration_by_facet}),
        difference_text=difference_text,
        ratings=None if report.ratings is None else _ratings(report.ratings),
    )


def _ratings(found: RatingEvaluation) -> dict[str, Any]:
    """What the part about foretold ratings shows: the model in use beside the best baseline."""
    across = Scale(found.low, found.high)
    shown = {found.in_use: "used", found.baseline: "base"}
    legend = [{"kind": kind, "short": found.rows[place].name} for place, kind in shown.items()]

    def groups(bands: Sequence[Band]) -> list[dict[str, Any]]:
        return [
            {
                "label": _number_of(band, "rating"),
                "n": band.n,
                "dots": [{**one, "interval": band.rmse[place]} for place, one in zip(shown, legend, strict=True)],
            }
            for band in bands
        ]

    bands = [*found.activity, *found.items]
    return {
        "found": found,
        "rows": [{"kind": shown.get(place, "other"), "row": row} for place, row in enumerate(found.rows)],
        "legend": legend,
        "across": across,
        "dots": [
            {
                "x": across.place(part.foretold),
                **{end: 100 - across.place(getattr(part.given, end)) for end in ("low", "mean", "high")},
            }
            for part in found.calibration
        ],
        "by_person": groups(found.activity),
        "by_item": groups(found.items),
        "scale": scale([end for band in bands for place in shown for end in _ends(band.rmse[place])]),
    }


def _number_of(band: Band, what: str) -> str:
    if band.most is None:
        return f"{band.fewest:,} {what}s and more"
    return f"no {what}" if band.most == 0 else f"{band.fewest:,} to {band.most:,} {what}s"


def _compared(found: Evaluation) -> list[int]:
    """The rows that plots of parts show: the model in use, theirs, the baseline."""
    return list(dict.fromkeys(p for p in (found.in_use, found.theirs, found.baseline) if p is not None))


def _kind(place: int | None, found: Evaluation) -> str:
    """The class that gives a row its colour."""
    kinds = {found.baseline: "base", found.theirs: "theirs", found.in_use: "used"}
    return kinds.get(place, "other")


def _style(place: int, found: Evaluation) -> dict[str, Any]:
    name, kind = found.rows[place].name, _kind(place, found)
    short = {"used": "in use", "base": f"baseline, {name}"}.get(kind, name)
    return {"name": name, "short": short, "kind": kind, "number": place + 1}


def _row(place: int, row: Row, found: Evaluation) -> dict[str, Any]:
    tag = {"theirs": "somebody else's", "candidate": ""}.get(row.role, row.role)
    return {**_style(place, found), "tag": tag, "row": row}


def _against(found: Evaluation) -> list[dict[str, Any]]:
    if found.against is None or found.theirs is None:
        return []
    used, theirs = found.rows[found.in_use], found.rows[found.theirs]
    return [
        {
            "title": title,
            "ours": used.figures[name].mean,
            "theirs": theirs.figures[name].mean,
            "difference": found.against[name],
        }
        for name, (title, _, _) in FIGURES.items()
        if name in found.against
    ]


def _groups(found: Evaluation) -> list[Any]:
    return [*found.activity, *([found.newcomers] if found.newcomers else [])]


def _people(found: Evaluation) -> list[dict[str, Any]]:
    groups = [
        {"label": _history(g.fewest, g.most), "n": g.n_people, "dots": _dots(g.ndcg, found)} for g in found.activity
    ]
    if found.newcomers is not None:
        cold = found.newcomers
        groups.insert(0, {"label": "nothing known", "n": cold.n_people, "dots": _dots(cold.ndcg, found)})
    return groups


def _history(fewest: int, most: int) -> str:
    return f"{fewest:,} item{'s' * (fewest != 1)}" if fewest == most else f"{fewest:,} to {most:,} items"


def _items(found: Evaluation) -> list[dict[str, Any]]:
    return [{"label": _WORDS[g.kind], "n": g.n_answers, "dots": _dots(g.recall, found)} for g in found.items]


def _dots(intervals: Sequence[Interval], found: Evaluation) -> list[dict[str, Any]]:
    return [{**_style(place, found), "interval": intervals[place]} for place in _compared(found)]


def _trade_off(found: Evaluation) -> dict[str, Any]:
    across = Scale(0.0, max(0.05, 1.08 * max(row.coverage for row in found.rows)))
    up = Scale(0.0, max(1e-6, 1.12 * max(row.figures["ndcg"].mean for row in found.rows)))
    dots: list[Mapping[str, Any]] = [
        {**_style(place, found), "x": across.place(row.coverage), "y": 100 - up.place(row.figures["ndcg"].mean)}
        for place, row in reversed(list(enumerate(found.rows)))
    ]
    return {"across": across, "up": up, "dots": dots}


def _points(lorenz: Sequence[float]) -> str:
    steps = max(1, len(lorenz) - 1)
    return " ".join(f"{100 * place / steps:.2f},{100 - 100 * value:.2f}" for place, value in enumerate(lorenz))


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high
