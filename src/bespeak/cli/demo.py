"""`demo`: a simulated shop through the real write path, trained, and served, or one person's slate before and after."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from bespeak.cli.decisions import show_slate
from bespeak.cli.options import JsonOption
from bespeak.cli.output import bar, emit, note, say, warn
from bespeak.cli.storefront import DemoShop, check_port, serve_shop
from bespeak.console.shop_settings import shop_settings, with_pictures
from bespeak.console.storefront import ROOT as SHOP
from bespeak.engine.clock import SystemClock
from bespeak.engine.deciding.slates import Slate
from bespeak.engine.engine import Engine
from bespeak.engine.project import EVERY_PURPOSE, FILE_NAME, create
from bespeak.errors import InvalidInput
from bespeak.simulate import ShopWorld
from bespeak.web.tokens import make_token_key

FOLDER = Path("bespeak-demo")
HISTORY = "backend"
SEED = 7
DAYS = 60
BATCH = 1_000
COUNT = 6
USUAL_EVENTS = 40


def demo(
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="Serve nothing: show one person's slate before and after three events.")
    ] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 picks a free one.")] = 8787,
    n_people: Annotated[int, typer.Option("--people", min=20, max=100_000, help="How many people the shop has.")] = 400,
    browser: Annotated[bool, typer.Option("--open", help="Open the storefront in a browser.")] = False,
    project: Annotated[
        Path | None, typer.Option("--project", metavar="DIR", help="Where to make it; else ./bespeak-demo.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Makes a simulated shop, trains, and serves its storefront and the console; a second run goes on with it."""
    folder = project if project is not None else FOLDER
    if not no_serve:
        check_port(port)
    shop = _shop(folder, n_people)
    with Engine.open(folder) as engine:
        # A first run that was stopped half-way is finished: what came in already is not taken in twice.
        if engine.models.versions():
            note(f"Going on with the shop in {folder}. Remove the folder for a new one.")
        else:
            fill(engine, shop.world())
        if no_serve:
            before, after, events = three_events(engine)
            if as_json:
                emit({"before": before.to_json(), "events": events, "after": after.to_json()})
            else:
                _tell(before, after, events)
            return
    serve_shop(folder, shop, port, is_opened=browser)


def fill(engine: Engine, world: ShopWorld) -> None:
    """Loads a world's catalogue and history through the write path and trains on it.

    The history arrives as a site's backend would send it, with the consent that each person gave or withheld.
    """
    engine.items.put(list(with_pictures(world.items(), f"{SHOP}/art")))
    with bar("people visit the shop") as told:
        span = max(world.end_ms - world.start_ms, 1)
        n_events = 0
        for batch in _batches(world.events(), BATCH):
            engine.track(batch, source=HISTORY)
            n_events += len(batch)
            told(f"{n_events:,} events", n_events / max(n_events, span // 200_000))
    note(f"{n_events:,} events of {len(world.people()):,} people about {len(world.items()):,} items came in.")
    with bar("training") as told:
        report = engine.models.train(progress=told)
    for sentence in report.header.sentences:
        note(sentence)


def three_events(engine: Engine) -> tuple[Slate, Slate, list[dict[str, Any]]]:
    """Decides for one person, lets them view three items of one category, and decides again."""
    person = _somebody(engine)
    before = engine.decide("home", user_id=person, count=COUNT)
    shown = {item.item_id for item in before}
    category, items = _category_unlike(engine, shown)
    now_ms = engine.core.now_ms()
    events: list[dict[str, Any]] = [
        {
            "type": "track",
            "event": "Product Viewed",
            "messageId": f"demo-{now_ms}-{item_id}",
            "userId": person,
            "properties": {"product_id": item_id, "category": category},
        }
        for item_id in items
    ]
    engine.track(events, source=HISTORY)
    return before, engine.decide("home", user_id=person, count=COUNT), events


def _shop(folder: Path, n_people: int) -> DemoShop:
    """Returns the demo in a folder, made when there is none."""
    held = DemoShop.read(folder)
    if held is not None:
        return held
    if (folder / FILE_NAME).exists():
        raise InvalidInput(
            f"{folder} holds a project that is not a demo.", hint="Choose another folder with --project DIR."
        )
    token_key = make_token_key()
    # A demo has nobody to ask. A real project's browser source starts with `essential` only.
    web = {"kind": "browser", "key": "wk_" + secrets.token_urlsafe(18), "consent": EVERY_PURPOSE}
    settings = {"project": {"name": "demo shop"}, "sources": {"web": web}, **shop_settings()}
    create(folder, token_key=token_key, settings=settings)
    end_ms = SystemClock().now_ms()
    shop = DemoShop(seed=SEED, n_people=n_people, days=DAYS, end_ms=end_ms, token_key=token_key[0])
    shop.save(folder)
    warn(
        "This demo's source starts with consent granted, because it has nobody to ask; a real project's browser source "
        "starts denied."
    )
    return shop


def _batches(events: Iterator[dict[str, Any]], size: int) -> Iterator[Sequence[Mapping[str, Any]]]:
    while batch := list(islice(events, size)):
        yield batch


def _somebody(engine: Engine) -> str:
    """Returns a person with consent and a middling history, beside which three views still count."""
    found = min(
        (
            (abs(profile.n_events - USUAL_EVENTS), person, user_id)
            for person, profile in engine.profiles.all()
            for user_id in sorted(profile.identities.get("user_id", ()))[:1]
            if all(word.is_granted for word in profile.consent.values())
        ),
        default=None,
    )
    if found is None:
        raise InvalidInput("Nobody in this shop may be profiled.", hint="Make a larger one with --people.")
    return found[2]


def _category_unlike(engine: Engine, shown: set[str]) -> tuple[str, list[str]]:
    """Returns the category that the slate has least of, and three different products of it outside the slate."""
    outside: dict[str, dict[str, str]] = {}
    in_slate: Counter[str] = Counter()
    for item in engine.core.world.catalogue.items:
        category = item.attributes.get("category")
        if isinstance(category, str):
            in_slate[category] += item.id in shown
            if item.id not in shown:
                outside.setdefault(category, {}).setdefault(item.group or item.id, item.id)
    usable = [(in_slate[name], -len(groups), name) for name, groups in outside.items() if len(groups) >= COUNT]
    if not usable:
        raise InvalidInput("The catalogue has no category with enough items.", hint="Remove the folder and start anew.")
    name = min(usable)[2]
    return name, list(outside[name].values())[:3]


def _tell(before: Slate, after: Slate, events: list[dict[str, Any]]) -> None:
    say("\nBefore", style="bold")
    show_slate(before)
    properties = [event["properties"] for event in events]
    viewed = ", ".join(str(after.properties(p["product_id"]).get("title") or p["product_id"]) for p in properties)
    say(f"\nThey view three items in {properties[0]['category']}: {viewed}.", style="bold")
    say("\nAfter", style="bold")
    show_slate(after)
    new = [item for item in after.item_ids if item not in before.item_ids]
    say(f"\n{len(new)} of {len(after)} are new.")
