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

from bespeak.cli import archive, data, decisions, demo, offers, people, running, simulate, start
from bespeak.cli.learning import benchmark, evaluation, training
from bespeak.cli.measuring import compare, lifetime, uplift
from bespeak.cli.measuring import replay as outside_replay
from bespeak.cli.output import fail, note, say
from bespeak.cli.trying import experiments, policies, replay
from bespeak.errors import BespeakError

TRACE = "BESPEAK_TRACE"

app = typer.Typer(
    name="bespeak",
    help="Turns what people do into what they see next. Commands act on the project you stand in.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(demo.demo)
app.command()(start.init)
app.command("import")(data.import_)
app.command()(training.train)
app.command()(evaluation.evaluate)
app.command()(decisions.decide)
app.command()(decisions.page)
app.command()(decisions.recommend)
app.command()(people.profile)
app.command()(running.serve)
app.command()(training.report)
app.command()(replay.replay)
app.command()(start.apply)
app.command("export")(data.export_)
app.command()(running.doctor)
app.command()(running.work)
app.command()(archive.backup)
app.command()(archive.restore)
app.command()(simulate.simulate)
app.add_typer(benchmark.benchmark, name="benchmark")
compare.measure.command("lifetime")(lifetime.lifetime)
compare.measure.command("uplift")(uplift.uplift)
compare.measure.command("replay")(outside_replay.replay_file)
app.add_typer(compare.measure, name="measure")
app.add_typer(data.rejects, name="rejects")
app.add_typer(people.segment, name="segment")
app.add_typer(experiments.experiment, name="experiment")
app.add_typer(policies.policy, name="policy")
app.add_typer(offers.offer, name="offer")
app.add_typer(people.privacy, name="privacy")
app.add_typer(start.config, name="config")


def _show_version(is_asked: bool) -> None:
    if is_asked:
        say(f"bespeak {version('bespeak')}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Turns what people do into what they see next. Commands act on the project you stand in."""


def main(args: Sequence[str] | None = None) -> None:
    """Runs a command and ends the process with its exit status.

    Args:
        args: the command line without the program's name; the process's own when left out.
    """
    try:
        app(args=None if args is None else list(args), prog_name="bespeak")
    except BespeakError as error:
        fail(error)
        sys.exit(1)
    except Exception as error:
        if os.environ.get(TRACE):
            raise
        fail(BespeakError(f"This should not have happened ({type(error).__name__})."))
        note(f"Please report it with what you did. {TRACE}=1 shows where it happened.")
        sys.exit(1)
