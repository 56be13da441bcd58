"""`profile`, `segment` and `privacy`: what is known of a person, who is in a group, and a person's rights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from bespeak.cli.options import JsonOption, ProjectOption, YesOption
from bespeak.cli.output import emit, is_agreed, note, say, table
from bespeak.cli.project import opened
from bespeak.engine.segments import segment_members, segment_overview
from bespeak.errors import InvalidInput, UnknownName
from bespeak.signals.counts import counted

PersonArgument = Annotated[str, typer.Argument(metavar="U", help="User id, or the anonymous id of a device.")]


def profile(user: PersonArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Shows what is known of a person: how strong, from which events, with which consent."""
    with opened(project) as engine:
        found = engine.profiles.readable(user)
    if found is None:
        raise InvalidInput("Nobody is known under this id.", hint="Ids are case-sensitive.", code="unknown_person")
    if as_json:
        emit(found)
        return
    show_profile(found)


def show_profile(found: dict[str, Any]) -> None:
    """Writes a readable profile as tables, the strongest first."""
    ids = ", ".join(f"{key['value']} ({key['kind']})" for key in found["ids"])
    say(ids, style="bold")
    span = f", {found['firstSeen'][:10]} to {found['lastSeen'][:10]}" if found.get("firstSeen") else ""
    say(f"{counted(found['events'], 'event')}{span}")
    if found.get("stage"):
        say(f"stage: {found['stage']}")
    say(f"consent: {', '.join(found['purposes']) or 'none'}")
    if found["segments"]:
        say(f"segments: {', '.join(found['segments'])}")
    if found.get("predictions"):
        say("predictions: " + ", ".join(f"{name} {value:.3g}" for name, value in found["predictions"].items()))
    traits = [[name, trait["value"], trait["source"]] for name, trait in found.get("traits", {}).items()]
    if traits:
        table(("trait", "value", "from"), traits)
    rows = [
        [facet, value["value"], value["strength"], _evidence(value["evidence"])]
        for facet, values in found.get("affinities", {}).items()
        for value in values[:8]
    ]
    if rows:
        table(("affinity", "", "strength", "from"), rows, right=(2,))
    items = [[i["item"], i["strength"], i["last"][:10], _evidence(i["evidence"])] for i in found.get("items", [])[:12]]
    if items:
        table(("item", "strength", "last", "from"), items, right=(1,))
    if found.get("orders"):
        say(f"orders: {found['orders']['count']:,}")
    if found.get("cart"):
        say(f"cart: {', '.join(found['cart'])}")
    note("Everything, unrounded: --json")


def _evidence(parts: list[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for part in parts:  # classes that share a verb are one deed
        counts[part["verb"]] = max(part["count"], counts.get(part["verb"], 0))
    return ", ".join(f"{verb} {n:,}x" for verb, n in counts.items())


segment = typer.Typer(no_args_is_help=True, help="Groups of people by rules, live.")


@segment.command("list")
def segment_list(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Lists the segments with their rules and sizes."""
    with opened(project) as engine:
        found = segment_overview(engine.core)
    if as_json:
        emit({"segments": found})
        return
    if not found:
        say("No segments. Write them under [segments] in bespeak.toml, then: bespeak apply")
        return
    table(("segment", "members", "rule"), [[s.name, s.n_members, s.rule] for s in found], right=(1,))


@segment.command("members")
def segment_members_(
    name: Annotated[str, typer.Argument(help="The segment.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 1_000,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lists who is in a segment."""
    with opened(project) as engine:
        known = [s.name for s in engine.core.config.segments]
        if name not in known:
            raise UnknownName("segment", name, known)
        found = segment_members(engine.core, name, limit)
    if as_json:
        emit({"segment": name, "members": found})
        return
    table(("person", "since"), [[member.id, member.since[:19].replace("T", " ")] for member in found])


privacy = typer.Typer(no_args_is_help=True, help="A person's rights: access and erasure.")


@privacy.command("export")
def privacy_export(
    user: PersonArgument,
    target: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="A JSON file; else stdout.")] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Writes everything that is held of a person as JSON, by holder."""
    with opened(project) as engine:
        found = engine.privacy.export(user)
    if target is None:
        emit(found)
        return
    body = msgspec.json.format(msgspec.json.encode(found, enc_hook=str), indent=2)
    try:
        target.write_bytes(body + b"\n")
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror}.") from None
    counts = {name: len(rows) for name, rows in found.items() if isinstance(rows, list)}
    if as_json:
        emit({"file": str(target), "holders": counts})
        return
    table(("holder", "records"), list(counts.items()), right=(1,))
    say(f"Written to {target}.")


@privacy.command("erase")
def privacy_erase(
    user: PersonArgument, project: ProjectOption = None, as_json: JsonOption = False, yes: YesOption = False
) -> None:
    """Erases a person everywhere; when it returns, nothing of theirs is left in the project."""
    with opened(project) as engine:
        if not yes and not is_agreed("Erase this person everywhere? This cannot be undone."):
            raise InvalidInput("Nothing was erased.", hint="Erase without asking with --yes.")
        receipt = engine.privacy.erase(user)
    if as_json:
        emit(receipt)
        return
    rows = [[line.holder, line.n_held, line.n_removed, line.n_rewritten] for line in receipt.lines]
    table(("holder", "held", "removed", "rewritten"), rows, title=f"Erased {receipt.time[:19]}", right=(1, 2, 3))
    if not receipt.n_removed():
        note("Nothing was held under this id.")
    say(f"Receipt {receipt.pseudonym} names nobody; the ledger repeats the erasure when a backup is restored.")
