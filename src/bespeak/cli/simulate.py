"""`simulate`: a world with known truth as files that `import` reads, or as visitors of a project, and its truth."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer

from bespeak.cli.options import JsonOption
from bespeak.cli.output import bar, emit, note, say, table
from bespeak.cli.project import find
from bespeak.engine.clock import SharedClock, SystemClock, VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.engine.project import ProjectFolder
from bespeak.errors import InvalidInput
from bespeak.intake.times import parse_time_ms
from bespeak.signals.counts import counted
from bespeak.simulate import WORLDS, Behaviour, Consent, Event, Experiment, Faults, Policy, play
from bespeak.simulate.events import PLACEMENT, EventWriter
from bespeak.simulate.faults import with_faults
from bespeak.simulate.loop import LoopReport, run_loop
from bespeak.simulate.offer.stock import DAY_MS
from bespeak.simulate.sites import InProcess, VirtualServer
from bespeak.simulate.truth import METRICS, Outcomes, Tally, Truth, people_rows, planted, truth_of
from bespeak.simulate.world import World

CONTROL = "popular"
KEY_VARIABLE = "BESPEAK_SECRET_KEY"
SHOWN_METRICS = ("visits", "clicks", "orders", "revenue", "minutes", "retained")


class Kind(StrEnum):
    """Worlds."""

    SHOP = "shop"
    STREAMING = "streaming"


class Shown(StrEnum):
    """Policies that need no engine."""

    RANDOM = "random"
    POPULAR = "popular"
    ORACLE = "oracle"


def simulate(
    kind: Annotated[Kind, typer.Argument(help="Which world.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write its files here: events, items, users, truth.")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into", metavar="PROJECT", help="Let its people visit this project; the engine decides for half."
        ),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option("--http", metavar="URL", help="Let its people visit this server; it has a virtual clock."),
    ] = None,
    key: Annotated[str, typer.Option("--key", envvar=KEY_VARIABLE, help="With --http: the server's secret key.")] = "",
    n_people: Annotated[int, typer.Option("--people", min=1, max=1_000_000, help="How many people.")] = 1_000,
    n_items: Annotated[int, typer.Option("--items", min=1, max=100_000, help="How many items.")] = 240,
    days: Annotated[int, typer.Option("--days", min=1, max=3_650, help="How long.")] = 60,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all draws.")] = 7,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="End of the time; the last midnight (UTC) unless given."),
    ] = None,
    policy: Annotated[Shown, typer.Option("--policy", help="What people see.")] = Shown.POPULAR,
    against: Annotated[
        Shown | None, typer.Option("--against", help="An experiment: half of the people see this policy instead.")
    ] = None,
    from_day: Annotated[
        int | None,
        typer.Option("--from-day", min=0, help="Day on which the experiment begins; else half of the days."),
    ] = None,
    drift_day: Annotated[int | None, typer.Option("--drift-day", min=0, help="Day on which tastes turn.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="NAME[=SHARE]",
            help="broken_assignment, bots, duplicates, late or wrong_propensities; may be repeated.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Makes a shop or a streaming service whose truth is known; the same seed and end give the same world."""
    if sum(where is not None for where in (out, into, http)) != 1:
        raise InvalidInput("Where should the world go?", hint="Give either --out DIR, --into PROJECT or --http URL.")
    faults = read_faults(fault or [])
    end_ms = SystemClock().now_ms() // DAY_MS * DAY_MS if until is None else parse_time_ms(until)
    behaviour = Behaviour(drift_day=drift_day)
    world = WORLDS[kind.value](seed, n_people, n_items, days, end_ms=end_ms, behaviour=behaviour)
    if out is not None:
        begins = _begins(from_day, days, is_trial=against is not None)
        try:
            summary = _write(world, out, policy, against, begins, faults)
        except OSError as error:
            raise InvalidInput(
                f"{out} cannot be written: {error.strerror or error}.", hint="Name a folder that may be written to."
            ) from None
    else:
        if fault or against or policy is not Shown.POPULAR:
            raise InvalidInput(
                "--fault, --policy and --against belong to files.",
                hint="With --into and --http the engine decides: leave them out.",
            )
        begins = _begins(from_day, days, is_trial=True)
        summary = _visit(world, into, begins) if into is not None else _visit_server(world, http or "", key, begins)
    if as_json:
        emit(summary)
    else:
        _tell(summary)


def _begins(from_day: int | None, days: int, *, is_trial: bool) -> int:
    """The day from which outcomes count: that of the experiment, which leaves days before it; 0 without one."""
    if from_day is None:
        return days // 2 if is_trial else 0
    if from_day >= days:
        raise InvalidInput(f"--from-day {from_day} lies after the last of {days} days.", hint="Days count from 0.")
    return from_day


def read_faults(texts: Iterable[str]) -> Faults:
    """Returns the faults of `--fault NAME` and `--fault NAME=SHARE`.

    Raises:
        InvalidInput: there is no such fault, or the share is none.
    """
    usual = Faults.usual()
    shares = {}
    for text in texts:
        name, _, share = text.partition("=")
        if name not in usual:
            raise InvalidInput(f"There is no fault {name!r}.", hint=f"There are: {', '.join(usual)}.")
        try:
            shares[name] = float(share) if share else usual[name]
        except ValueError:
            raise InvalidInput(f"--fault {name} has a share that is no number.", hint="Write 0.05.") from None
    return Faults(**shares)


def _write(
    world: World, out: Path, shown: Shown, against: Shown | None, from_day: int, faults: Faults
) -> dict[str, Any]:
    out.mkdir(parents=True, exist_ok=True)
    control: Policy = getattr(world, shown.value)
    experiment = None
    if against is not None:
        experiment = world.experiment(
            getattr(world, against.value), control, from_day=from_day, broken_assignment=faults.broken_assignment
        )
    elif faults.broken_assignment:
        raise InvalidInput("broken_assignment needs an experiment.", hint="Add --against oracle.")
    _write_lines(out / "items.jsonl", (_flat(record) for record in world.items()))
    _write_lines(out / "users.jsonl", _users(world))
    _write_lines(out / "people.jsonl", people_rows(world, experiment))
    tally = Tally(world, from_day)
    with bar("people live") as told:
        events = with_faults(world, _played(world, experiment or control, tally, faults, told), faults)
        n_events = _write_lines(out / "events.jsonl", events)
    outcomes = tally.outcomes()
    units = out / "units.csv"
    if experiment is not None:
        _write_units(units, world, experiment, outcomes)
    else:
        units.unlink(missing_ok=True)  # that of another world
    with bar("the truth") as told:
        policies = {name.value: getattr(world, name.value) for name in Shown}
        truth = truth_of(world, policies, shown.value, from_day=from_day)
    summary = _summary(world, faults, truth, experiment, from_day) | {"n_events": n_events, "folder": str(out)}
    (out / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
    return summary


def _visit(world: World, into: Path, from_day: int) -> dict[str, Any]:
    """The closed loop: people visit a project in this process, in the world's own time."""
    folder = find(into)
    held = ProjectFolder(folder).clock
    clock = SharedClock(held) if held.exists() else VirtualClock(world.start_ms)
    clock.set(world.start_ms)
    with Engine.open(folder, clock=clock) as engine, bar("people visit") as told:
        engine.items.put(world.items())
        sources = engine.core.config.settings.sources
        source = next((name for name, one in sources.items() if one.kind == "server"), "import")
        # A project that measures its own launch spreads the people itself; two experiments would blur each other.
        is_launched = PLACEMENT in engine.core.world.launches
        site = InProcess(engine, clock, source)
        report = run_loop(world, site, share=1.0 if is_launched else 0.5, from_day=from_day, told=told)
    return _met(world, report, from_day) | {"is_launched": is_launched, "folder": str(into)}


def _visit_server(world: World, url: str, key: str, from_day: int) -> dict[str, Any]:
    """The closed loop over HTTP: the server decides for everybody, and holds out whom its own experiments hold out."""
    if not key:
        raise InvalidInput("The server's secret key is needed.", hint=f"Give --key, or set {KEY_VARIABLE}.")
    with closing(VirtualServer(url, key)) as site, bar("people visit") as told:
        if site.now_ms > world.start_ms:
            raise InvalidInput(
                f"The server's clock stands at {iso(site.now_ms)}, and this world begins at {iso(world.start_ms)}.",
                hint="A clock only goes forward: serve a new project, or let the world end later with --until.",
            )
        site.move_to(world.start_ms)
        site.put_items(world.items())
        report = run_loop(world, site, share=1.0, from_day=from_day, told=told)
    return _met(world, report, from_day) | {"url": url}


def _met(world: World, report: LoopReport, from_day: int) -> dict[str, Any]:
    """What came of a closed loop, beside what the policies that need no engine would have brought the same people."""
    truth = truth_of(world, {"popular": world.popular, "oracle": world.oracle}, CONTROL, from_day=from_day)
    summary = _summary(world, Faults(), truth, report.experiment, from_day)
    arm = report.experiment.arm(np.arange(len(world.people_truth)))
    summary["experiment"]["means"] = {
        name: {metric: float(report.outcomes.values[metric][arm == number].mean()) for metric in METRICS}
        for number, name in enumerate(Experiment.ARMS)
        if (arm == number).any()
    }
    return summary | {"n_events": report.n_events, "n_decisions": report.n_decisions}


def _summary(
    world: World, faults: Faults, truth: Truth, experiment: Experiment | None, from_day: int
) -> dict[str, Any]:
    found: dict[str, Any] = {**planted(world, faults), "truth": truth.to_json(), "experiment": None}
    if experiment is not None:
        n_treated = int(experiment.arm(np.arange(len(world.people_truth))).sum())
        found["experiment"] = {
            "from_day": from_day,
            "from_ms": world.calendar.midnight_ms(from_day),
            "n_people": {"control": len(world.people_truth) - n_treated, "treated": n_treated},
        }
    return found


def _played(world: World, policy: Policy, tally: Tally, faults: Faults, told: Any) -> Iterator[Event]:
    writer = EventWriter(world, wrong_propensities=faults.wrong_propensities)
    for day in play(world, policy):
        tally.add(day)
        told(f"day {day.number + 1} of {world.n_days}", (day.number + 1) / world.n_days)
        yield from writer.events(day)


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """A catalogue record as the columns that `import items` reads; attributes become columns of their own."""
    columns = {"id": "id", "kind": "kind", "group": "group", "title": "title", "description": "description"}
    columns |= {"url": "url", "imageUrl": "image_url", "publishedAt": "published_at"}
    market = record.get("markets", {}).get("default")
    price = {} if market is None else {**market, "price": market["price"] / 100}
    named = {ours: record[name] for name, ours in columns.items() if name in record}
    return {**named, **price, **record["attributes"]}


def _users(world: World) -> Iterator[dict[str, Any]]:
    """What a site may know of its users: those who have an account, allowed a profile and never took it back.

    Of an account that several share there is no row: each of them says who they are in their own profile.
    """
    for person in world.people():
        is_alone = person.user_id is not None and person.profile_id is None
        if is_alone and person.consent in (Consent.ALL, Consent.OURS):
            traits = person.traits()
            address = traits.pop("address")
            yield {"user": person.user_id, **traits, **(address if isinstance(address, dict) else {})}


def _write_lines(path: Path, rows: Iterable[Any]) -> int:
    encoder = msgspec.json.Encoder()
    n = 0
    with path.open("wb") as file:
        for row in rows:
            file.write(encoder.encode(row) + b"\n")
            n += 1
    return n


def _write_units(path: Path, world: World, experiment: Experiment, outcomes: Outcomes) -> None:
    """One row per person who came: their arm, what they did, and what they had done before."""
    arm = experiment.arm(np.arange(len(world.people_truth)))
    came = np.flatnonzero(outcomes.values["visits"] > 0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["person", "variant", *METRICS, *(f"{metric}_before" for metric in METRICS)])
        columns = [*(outcomes.values[m][came] for m in METRICS), *(outcomes.before[m][came] for m in METRICS)]
        for row, values in zip(came.tolist(), np.stack(columns, axis=1).tolist(), strict=True):
            writer.writerow([row, Experiment.ARMS[int(arm[row])], *(f"{value:.12g}" for value in values)])


def _tell(summary: dict[str, Any]) -> None:
    truth, experiment = summary["truth"], summary["experiment"]
    events, people = counted(summary["n_events"], "event"), counted(summary["n_people"], "person")
    note(f"{events} of {people}, until {iso(summary['end_ms'])}.")
    names = list(truth["means"])
    rows = [
        [metric, *(truth["means"][name][metric] for name in names)]
        for metric in SHOWN_METRICS
        if any(truth["means"][name][metric] for name in names)
    ]
    table(["per person", *names], rows, title="What each policy would bring, exactly", right=range(1, len(names) + 1))
    if experiment is not None:
        n = experiment["n_people"]
        if n["control"]:
            say(f"\nExperiment: {counted(n['treated'], 'person')} treated, {n['control']:,} in the control.")
        else:  # the project spreads the people itself
            say(f"\nThe engine answered all of the {counted(n['treated'], 'person')}.")
        for name, means in experiment.get("means", {}).items():
            shown = ", ".join(f"{means[metric]:.2f} {metric}" for metric in SHOWN_METRICS if means[metric])
            say(f"{name if n['control'] else 'together'}: {shown} per person")
    if "n_decisions" not in summary:
        say(f"\nIn {summary['folder']}: events, items, users and people as JSON lines, truth.json.")
        return
    say(f"\nThe engine made {counted(summary['n_decisions'], 'decision')}.")
    if "url" in summary:
        say("What its own experiments say: bespeak report, in the project that it serves")
    elif summary["is_launched"]:
        say(f"What its own launch experiment says: bespeak report --project {summary['folder']}")
