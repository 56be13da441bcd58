"""`decide`, `page` and `recommend`: one slate with the reasons, a page of slates, and the lists of everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from bespeak.cli.options import AsOfOption, JsonOption, ProjectOption, YesOption, pairs, time_option
from bespeak.cli.output import bar, emit, is_agreed, note, say, table
from bespeak.cli.project import opened
from bespeak.engine.deciding.slates import Slate, Variant
from bespeak.errors import InvalidInput
from bespeak.signals.counts import counted
from bespeak.signals.decisions import ShownItem

MODES = {
    "profiled": "Chosen from what is known of this person.",
    "anonymous": "Chosen for somebody of whom nothing is known.",
    "non_profiled": "This person's profile may not be used: what others like is shown.",
    "fallback": "The store could not be read in time: the fallback is shown.",
}

MarketOption = Annotated[str, typer.Option("--market", help="Whose prices hold; else the placement's.")]


def decide(
    placement: Annotated[str, typer.Argument(help="A placement of the project: home, similar, search, ...")],
    user: Annotated[str, typer.Option("--user", help="User id.")] = "",
    anonymous: Annotated[str, typer.Option("--anonymous", help="Anonymous id of a device.")] = "",
    count: Annotated[int | None, typer.Option("--count", help="How many items; else the placement's number.")] = None,
    context: Annotated[
        list[str] | None, typer.Option("--context", metavar="K=V", help="Circumstances: device=mobile; repeatable.")
    ] = None,
    filter_: Annotated[str, typer.Option("--filter", metavar="RULE", help='Every item must pass: "price < 100".')] = "",
    item: Annotated[str, typer.Option("--item", help="The item that the placement is about.")] = "",
    value: Annotated[str, typer.Option("--value", help="The value that the placement is about, such as a genre.")] = "",
    query: Annotated[str, typer.Option("--query", help="Search for this text.")] = "",
    market: MarketOption = "",
    explain: Annotated[bool, typer.Option("--explain", help="Every term of every score.")] = False,
    why: Annotated[str, typer.Option("--why-not", metavar="ITEM", help="Why this item is not in the slate.")] = "",
    as_of: AsOfOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decides what one person sees at a placement, and says why; --json prints the body of POST /api/decide.

    With --why-not, says instead why one item is not among them.
    """
    asked: dict[str, Any] = {
        "user_id": user,
        "anonymous_id": anonymous,
        "count": count,
        "context": pairs(context, "--context"),
        "filter": filter_,
        "item": item,
        "value": value,
        "query": query,
        "market": market,
    }
    with opened(project, as_of_ms=time_option(as_of)) as engine:
        if why:
            found = engine.why_not(placement, why, **asked)
            if as_json:
                emit(msgspec.to_builtins(found))
            else:
                say(found.text)
            return
        slate = engine.decide(placement, **asked, explain=explain, is_preview=True)
        if as_json:
            emit(slate.to_json())
        else:
            show_slate(slate, explain=explain)


def page(
    name: Annotated[str, typer.Argument(help="A page of the project: front, ...")] = "front",
    user: Annotated[str, typer.Option("--user", help="User id.")] = "",
    anonymous: Annotated[str, typer.Option("--anonymous", help="Anonymous id of a device.")] = "",
    context: Annotated[
        list[str] | None, typer.Option("--context", metavar="K=V", help="Circumstances: device=mobile; repeatable.")
    ] = None,
    filter_: Annotated[str, typer.Option("--filter", metavar="RULE", help='Every item must pass: "price < 100".')] = "",
    market: MarketOption = "",
    as_of: AsOfOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decides a whole page for one person: its rows, no item twice; --json prints the body of POST /api/page."""
    with opened(project, as_of_ms=time_option(as_of)) as engine:
        slates = engine.page(
            name,
            user_id=user,
            anonymous_id=anonymous,
            context=pairs(context, "--context"),
            filter=filter_,
            market=market,
            is_preview=True,
        )
        if as_json:
            emit(slates.to_json())
            return
        for place, slate in enumerate(slates, 1):
            rows = [
                [shown.position, shown.item_id, _title(slate, shown), shown.score, _because(shown, 1)]
                for shown in slate
            ]
            heading = slate.decision.heading or slate.decision.placement
            table(("", "item", "title", "score", "because"), rows, title=f"{place}. {heading}", right=(0, 3))
        if not slates:
            say("No row could be shown.")
        for left_out in slates.left_out:
            subjects = f" ({', '.join(left_out.subjects)})" if left_out.subjects else ""
            note(f"Without {left_out.placement}{subjects}: {left_out.why}.")


def recommend(
    placement: Annotated[str, typer.Argument(help="A placement of the project: home, similar, ...")],
    target: Annotated[Path, typer.Option("--out", metavar="FILE", help="FILE.parquet.")],
    count: Annotated[int | None, typer.Option("--count", help="Items each; else the placement's number.")] = None,
    as_of: AsOfOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    yes: YesOption = False,
) -> None:
    """Writes what everybody would see at a placement to a Parquet file: user, item, rank, score and where from."""
    if target.exists() and not yes and not is_agreed(f"{target} is there already. Replace it?"):
        raise InvalidInput(f"{target} is there already.", hint="Replace it with --yes, or choose another name.")
    with opened(project, as_of_ms=time_option(as_of)) as engine, bar("recommending") as told:
        found = engine.recommend(placement, target, count=count, progress=lambda share: told("", share))
    if as_json:
        emit({"file": str(target), **msgspec.to_builtins(found)})
        return
    say(f"{target}: {counted(found.n_rows, 'recommendation')} for {counted(found.n_people, 'person')}.")
    for mode, n_people in sorted(found.by_mode.items()):
        say(f"{n_people:,}: {MODES[mode]}")
    if found.n_control:
        say(f"{found.n_control:,} of them are in the control of an experiment: nothing about them was read.")
    if found.n_empty:
        say(f"Left out {counted(found.n_empty, 'person')}: the placement's rules left no item.")
    if found.n_unnamed:
        say(f"Left out {counted(found.n_unnamed, 'person')} to whom no user id or anonymous id leads.")
    note("The file holds personal data that a later erasure cannot reach; delete it when it is no longer needed.")


def show_slate(slate: Slate, *, explain: bool = False) -> None:
    """Writes a slate as a table with its reasons; `explain` adds the terms of each score."""
    decision = slate.decision
    say(MODES[decision.mode])
    for line in decision.notes:
        say(line)
    if not slate:
        return
    if decision.heading:
        say(decision.heading)
    if slate.variant is not None:
        show_variant(slate.variant)
        note(f"{decision.n_candidates:,} variants. Policy {decision.policy}.")
        return
    rows = [[shown.position, shown.item_id, _title(slate, shown), shown.score, _because(shown)] for shown in slate]
    table(("", "item", "title", "score", "because"), rows, right=(0, 3))
    if explain:
        for shown in slate:
            terms = [[r.signal, r.value, r.weight, r.contribution, r.text] for r in shown.reasons]
            table(
                ("signal", "value", "weight", "contribution", "because"),
                terms,
                title=f"{shown.position}. {shown.item_id}",
                right=(1, 2, 3),
            )
    removed = ", ".join(f"{n:,} by {rule}" for rule, n in decision.removed.items() if n)
    left_out = f"; left out: {removed}" if removed else ""
    note(f"{decision.n_candidates:,} candidates{left_out}. Policy {decision.policy}.")


def show_variant(variant: Variant) -> None:
    """Writes a variant with its value, and how it was decided."""
    value = msgspec.json.encode(variant.value).decode()
    because = f"rule: {variant.text}" if variant.source == "rule" else variant.text
    table(("variant", "value", "propensity", "because"), [[variant.id, value, variant.propensity, because]], right=(2,))


def _because(shown: ShownItem, limit: int | None = None) -> str:
    """The sentences of the reasons; what several terms say alike is said once."""
    return "\n".join(list(dict.fromkeys(reason.text for reason in shown.reasons))[:limit])


def _title(slate: Slate, shown: ShownItem) -> str:
    return str(slate.properties(shown.item_id).get("title", ""))
