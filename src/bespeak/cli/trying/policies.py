"""`policy`: the versions of what decides at each placement, and going back to one."""

from __future__ import annotations

from typing import Annotated

import typer

from bespeak.cli.options import JsonOption, ProjectOption
from bespeak.cli.output import emit, note, say, table, warn
from bespeak.cli.project import opened
from bespeak.engine.clock import iso
from bespeak.engine.training.policy_values import WeightsValue, weights_values

policy = typer.Typer(no_args_is_help=True, help="Versions of what decides at each placement.")

ACTOR = "command line"


@policy.command("list")
def list_(
    placement: Annotated[str, typer.Argument(help="Only this placement.")] = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lists versions, the newest first: what they were made for, and which decides."""
    with opened(project) as engine:
        found = engine.policies.rows(placement)
    if as_json:
        emit(found)
        return
    rows = [[f"{one.placement}@{one.version}", one.state, one.what_for, iso(one.created_ms)[:19], one.author]
            for one in found]  # fmt: skip
    table(("policy", "", "made for", "since", "by"), rows)


@policy.command("show")
def show(
    placement: Annotated[str, typer.Argument(help="A placement of the project.")],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Shows what learned weights of a placement were predicted to bring, and what they have brought since.

    The prediction is a replay of the decision log from before they were taken over.
    """
    with opened(project) as engine:
        versions = engine.policies.rows(placement)
        found = weights_values(engine.core, placement)
    if as_json:
        emit({"versions": versions, "weights": found})
        return
    deciding = next((row for row in versions if row.state == "decides"), versions[0])
    say(f"{placement}@{deciding.version} decides, since {iso(deciding.created_ms)[:19]}.", style="bold")
    if not found:
        say("Its weights are the default ones: none that were learned have been better.")
        return
    rows = [
        [one.version, "in use" if one.is_in_use else "", iso(one.created_ms)[:19], *_predicted(one), *_brought(one)]
        for one in found
    ]
    heads = ("weights", "", "since", "predicted", "95 % interval", "brought", "95 % interval", "decisions")
    table(heads, rows, right=(3, 4, 5, 6, 7))
    for one in found:
        (warn if one.is_off and one.is_in_use else say)(one.sentence)


def _predicted(one: WeightsValue) -> tuple[str, str]:
    said = one.prediction
    return ("", "") if said is None else (f"{said.value:.4g}", f"{said.interval[0]:.4g} to {said.interval[1]:.4g}")


def _brought(one: WeightsValue) -> tuple[str, str, str]:
    held = one.online
    if held is None:
        return "", "", f"{one.n_decisions:,}"
    return f"{held.value:.4g}", f"{held.low:.4g} to {held.high:.4g}", f"{one.n_decisions:,}"


@policy.command("rollback")
def rollback(
    placement: Annotated[str, typer.Argument(help="A placement of the project.")],
    version: Annotated[int, typer.Argument(help="The version that decides from now on.")],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lets an older version decide, until other settings of the placement are applied."""
    with opened(project) as engine:
        engine.policies.roll_back(placement, version, engine.core.clock.now_ms(), ACTOR)
    if as_json:
        emit({"placement": placement, "version": version})
        return
    say(f"{placement}@{version} decides.", style="bold")
    note("Running servers take it over within a second. bespeak.toml is as it was: change it too.")


@policy.command("shadow")
def shadow(
    placement: Annotated[str, typer.Argument(help="A placement of the project.")],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Says how much of what is shown a placement's shadow would show too, over the latest decisions."""
    with opened(project) as engine:
        found = engine.policies.shadow(placement)
    if as_json:
        emit(found)
    elif found.shared is None or found.same_first is None:
        say(f"No decision of {placement} has a shadow beside it yet. One is set with `shadow` at the placement.")
    else:
        pairs = ", ".join(f"{of} beside {shown}" for shown, of in found.policies)
        say(f"{found.n_decisions:,} decisions, {pairs}.")
        say(f"{found.shared:.1%} of the shown items would be shown too; {found.same_first:.1%} begin with the same.")
