"""`offer`: the codes of offers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bespeak.cli.options import JsonOption, ProjectOption
from bespeak.cli.output import emit, say, table
from bespeak.cli.project import opened
from bespeak.errors import InvalidInput

offer = typer.Typer(no_args_is_help=True, help="Codes of offers: each is issued once.")


@offer.command("add")
def add(
    item: Annotated[str, typer.Argument(help="Id of the offer, an item of the catalogue.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A text file with one code a line.")],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Adds codes to an offer's pool; those that are there already stay what they are."""
    try:
        codes = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise InvalidInput(f"{file.name} cannot be read.", hint="Give a text file with one code a line.") from None
    with opened(project) as engine:
        n_new = engine.offers.add_codes(item, codes)
    if as_json:
        emit({"offer": item, "new": n_new})
        return
    say(f"{n_new:,} new codes for {item}, {len(codes) - n_new:,} were there.")


@offer.command("list")
def list_(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Lists the offers that have codes: how many, how many are issued, and whether they are used up."""
    with opened(project) as engine:
        found, used_up = engine.offers.pools(), engine.offers.used_up()
    if as_json:
        emit([{**msgspec.to_builtins(pool), "is_used_up": pool.item_id in used_up} for pool in found])
        return
    rows = [[p.item_id, p.n_codes, p.n_issued, "used up" if p.item_id in used_up else ""] for p in found]
    table(("offer", "codes", "issued", ""), rows, right=(1, 2))


@offer.command("issue")
def issue(
    item: Annotated[str, typer.Argument(help="Id of the offer.")],
    user: Annotated[str, typer.Option("--user", help="User id.")] = "",
    anonymous: Annotated[str, typer.Option("--anonymous", help="Anonymous id of a device.")] = "",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Gives somebody a code of an offer; who holds one gets the same again."""
    with opened(project) as engine:
        held = engine.offers.issue(item, user_id=user, anonymous_id=anonymous)
    if as_json:
        emit(msgspec.to_builtins(held))
        return
    say(held.code, style="bold")
