"""`policy`: the versions of what decides at each placement, and going back to one."""

from __future__ import annotations

from typing import Annotated

import typer

from bespeak.cli.output import emit, note, say, table
from bespeak.cli.project import JsonOption, ProjectOption, opened
from bespeak.engine.clock import iso

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
