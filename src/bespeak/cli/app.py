"""The command `bespeak`: its verbs are those of the engine.

Exit status: 0 done, 1 something is wrong (`Error: …` on stderr with what to do next), 2 the command line itself is
wrong, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from typer.core import TyperGroup

from bespeak.cli.on_demand import OnDemand
from bespeak.cli.output import fail, note, say
from bespeak.errors import BespeakError

TRACE = "BESPEAK_TRACE"

COMMANDS = (
    OnDemand(
        "demo",
        "bespeak.cli.demo:demo",
        "Makes a simulated shop, trains, and serves its storefront and the console; a second run goes on with it.",
    ),
    OnDemand(
        "init",
        "bespeak.cli.start:init",
        "Makes a project: a commented bespeak.toml, a data folder, and new keys (shown once).",
    ),
    OnDemand(
        "import",
        "bespeak.cli.data:import_",
        "Imports files of events, items or users, with a progress bar; a stopped import goes on where it was.",
    ),
    OnDemand(
        "train",
        "bespeak.cli.learning.training:train",
        "Trains models on the log, compares them, keeps the best, and says in words what it found.",
    ),
    OnDemand(
        "evaluate",
        "bespeak.cli.learning.evaluation:evaluate",
        "Measures the trained models on a part of the log that they do not see, side by side with simple baselines.",
    ),
    OnDemand(
        "decide",
        "bespeak.cli.decisions:decide",
        "Decides what one person sees at a placement, and says why; --json prints the body of POST /api/decide.",
    ),
    OnDemand(
        "page",
        "bespeak.cli.decisions:page",
        "Decides a whole page for one person: its rows, no item twice; --json prints the body of POST /api/page.",
    ),
    OnDemand(
        "recommend",
        "bespeak.cli.decisions:recommend",
        "Writes what everybody would see at a placement to a Parquet file: user, item, rank, score and where from.",
    ),
    OnDemand(
        "profile",
        "bespeak.cli.people:profile",
        "Shows what is known of a person: how strong, from which events, with which consent.",
    ),
    OnDemand(
        "serve",
        "bespeak.cli.running:serve",
        "Serves the project over HTTP: tracking, decisions, the console; Ctrl-C stops gracefully.",
    ),
    OnDemand(
        "report",
        "bespeak.cli.learning.training:report",
        "Says what came in, what was decided, and how many visitors a lift figure needs.",
    ),
    OnDemand(
        "replay",
        "bespeak.cli.trying.replay:replay",
        "Says whether another policy would have won, from decisions that explored, before anybody sees it.",
    ),
    OnDemand(
        "apply",
        "bespeak.cli.start:apply",
        "Shows how bespeak.toml differs from what is active, and makes it active.",
    ),
    OnDemand(
        "export",
        "bespeak.cli.data:export_",
        "Writes events, profiles or decisions to a Parquet or JSONL file.",
    ),
    OnDemand(
        "doctor",
        "bespeak.cli.running:doctor",
        "Looks for known troubles in settings and data; exit status 1 when a check fails.",
    ),
    OnDemand(
        "work",
        "bespeak.cli.running:work",
        "Runs the jobs alone (lake, segments, training, retention); several nodes never run one job twice.",
    ),
    OnDemand(
        "backup",
        "bespeak.cli.archive:backup",
        "Writes the whole project to one file; everything stays in use meanwhile.",
    ),
    OnDemand(
        "restore",
        "bespeak.cli.archive:restore",
        "Replaces the project by a backup and repeats the erasures made since; stop its servers first.",
    ),
    OnDemand(
        "simulate",
        "bespeak.cli.simulate:simulate",
        "Makes a shop or a streaming service whose truth is known; the same seed and end give the same world.",
    ),
    OnDemand(
        "benchmark",
        "bespeak.cli.learning.benchmark:benchmark",
        "Model quality on data from outside; needs no project.",
    ),
    TyperGroup(
        name="measure",
        help="Statistics on data from outside; needs no project.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        commands=[
            OnDemand(
                "compare",
                "bespeak.cli.measuring.compare:compare_file",
                "Sets every other group of a file beside the control: difference, lift, intervals, p-value, "
                "sample ratio.",
            ),
            OnDemand(
                "lifetime",
                "bespeak.cli.measuring.lifetime:lifetime",
                "Predicts purchases and money of each customer, and shows how well that would have worked so far.",
            ),
            OnDemand(
                "uplift",
                "bespeak.cli.measuring.uplift:uplift",
                "Ranks people by what a treatment does to them, and shows what such a ranking is worth for people it "
                "never saw.",
            ),
            OnDemand(
                "replay",
                "bespeak.cli.measuring.replay:replay_file",
                "Says what another policy would have earned, from a log of what one policy did, with which "
                "probability.",
            ),
        ],
    ),
    OnDemand("rejects", "bespeak.cli.data:rejects", "Events that could not be taken in, with the reason."),
    OnDemand("segment", "bespeak.cli.people:segment", "Groups of people by rules, live."),
    OnDemand(
        "experiment",
        "bespeak.cli.trying.experiments:experiment",
        "Experiments: what runs, what it tells, what it needs.",
    ),
    OnDemand("policy", "bespeak.cli.trying.policies:policy", "Versions of what decides at each placement."),
    OnDemand("offer", "bespeak.cli.offers:offer", "Codes of offers: each is issued once."),
    OnDemand("privacy", "bespeak.cli.people:privacy", "A person's rights: access and erasure."),
    OnDemand("config", "bespeak.cli.start:config", "The active configuration."),
)
"""Every command in the order of the help; a test holds each line to what the command says of itself."""

_root = typer.Typer(
    name="bespeak",
    help="Turns what people do into what they see next. Commands act on the project you stand in.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        say(f"bespeak {version('bespeak')}")
        raise typer.Exit


@_root.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Turns what people do into what they see next. Commands act on the project you stand in."""


def program() -> TyperGroup:
    """Returns the command line with all its commands."""
    group = typer.main.get_group(_root)
    for command in COMMANDS:
        group.add_command(command)
    return group


def main(args: Sequence[str] | None = None) -> None:
    """Runs a command and ends the process with its exit status.

    Args:
        args: the command line without the program's name; the process's own when left out.
    """
    try:
        program()(args=None if args is None else list(args), prog_name="bespeak")
    except BespeakError as error:
        fail(error)
        sys.exit(1)
    except Exception as error:
        if os.environ.get(TRACE):
            raise
        fail(BespeakError(f"This should not have happened ({type(error).__name__})."))
        note(f"Please report it with what you did. {TRACE}=1 shows where it happened.")
        sys.exit(1)
