"""`replay`: would another policy have won? From the project's own decisions and what came of them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bespeak.cli.options import JsonOption, ProjectOption
from bespeak.cli.output import bar, emit, note, say, warn
from bespeak.cli.project import opened
from bespeak.cli.trying.replay_report import document, show, tell
from bespeak.engine.views.replay.asked import policy_of
from bespeak.engine.views.replay.report import ESTIMATORS, ReplayReport, replay_policy
from bespeak.errors import InvalidInput
from bespeak.measure.off_policy import ESTIMATORS as KNOWN

_HINT = (
    "Let the placement explore more (`explore`, `temperature`), keep more candidates (`record_features`), wait for "
    "more visitors, count fewer positions (--positions), or ask about a policy closer to the one that ran."
)


def replay(
    policy: Annotated[
        str,
        typer.Argument(
            metavar="POLICY",
            help="popular; a placement, as it stands in bespeak.toml now, or PLACEMENT@VERSION, as it was; FILE.toml "
            "with a section placements.NAME, whose settings go on top of those in bespeak.toml; of variants, actions "
            "and creatives also always:ID, or learned, what is learned to be best without trying anything.",
        ),
    ],
    placement: Annotated[
        str, typer.Option("--placement", help="Whose log; else the one that the policy names, or home.")
    ] = "",
    days: Annotated[float, typer.Option("--days", min=0.01, max=3_650, help="How far back.")] = 28,
    creatives: Annotated[
        bool, typer.Option("--creatives", help="Judge which creatives items are shown with, not which items.")
    ] = False,
    outcome: Annotated[
        str,
        typer.Option(
            "--outcome",
            metavar="CLASS",
            help="Class of signals that count: about a shown item (click when left out), or after a variant or action "
            "(what the placement learns by when left out).",
        ),
    ] = "",
    window: Annotated[
        float | None,
        typer.Option(
            "--window",
            metavar="DAYS",
            min=0.001,
            max=365,
            help="How long after it was shown; 1, or what the placement learns by, when left out.",
        ),
    ] = None,
    positions: Annotated[
        int | None, typer.Option("--positions", min=1, max=100, help="Count only so many of each slate.")
    ] = None,
    assume: Annotated[
        str,
        typer.Option(
            "--assume",
            metavar="position|cascade",
            help="What an outcome hangs on: item and position, or also what stands before it.",
        ),
    ] = "position",
    estimator: Annotated[str, typer.Option("--estimator", metavar="NAME,…", help=f"Of {', '.join(KNOWN)}.")] = ",".join(
        ESTIMATORS
    ),
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Says whether another policy would have won, from decisions that explored, before anybody sees it.

    Refuses, with status 1, where the log says too little of that policy.
    """
    if assume not in ("position", "cascade"):
        raise InvalidInput(f"--assume {assume} is none.", hint="Allowed: position, cascade.")
    with opened(project) as engine, bar("replaying") as told:
        wanted, name = policy_of(engine.core, policy, placement, of_creatives=creatives)
        found = replay_policy(
            engine.core,
            wanted,
            name,
            days=days,
            outcome=outcome,
            window_days=window,
            assumption="cascade" if assume == "cascade" else "position",
            n_positions=positions,
            estimators=[one.strip() for one in estimator.split(",")],
            told=lambda share: told("", share),
        )
    if as_json:
        emit(_document(found, assume))
    else:
        _show(found)
    if found.suspicion:
        warn(found.suspicion)
    if found.evaluation is None:
        raise InvalidInput("No figure: no decision of the log can be used.", hint=_HINT)
    tell(found.evaluation, hint=_HINT)


def _document(found: ReplayReport, assume: str) -> dict[str, Any]:
    return {
        "placement": found.placement,
        "policy": found.policy,
        "outcome": found.outcome,
        "assume": assume,
        "logged_policies": found.logged_policies,
        "n_logged": found.n_decisions,
        "n_used": found.n_used,
        "left_out": found.left_out,
        "suspicion": found.suspicion or None,
        **(
            document(found.evaluation)
            if found.evaluation is not None
            else {"estimates": [], "refused": "No decision of the log can be used."}
        ),
    }


def _show(found: ReplayReport) -> None:
    ran = ", ".join(sorted(found.logged_policies)) or "nothing"
    say(f"{found.policy} on the log of {found.placement} ({ran})", style="bold")
    if found.evaluation is not None:
        show(found.evaluation, reward=found.outcome, unit="decision")
    reasons = "; ".join(f"{n:,} {reason}" for reason, n in sorted(found.left_out.items(), key=lambda pair: -pair[1]))
    note(f"{found.n_used:,} of {found.n_decisions:,} decisions are used{f'. Not used: {reasons}' if reasons else ''}.")
