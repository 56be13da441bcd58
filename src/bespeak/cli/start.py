"""`init` and `apply`: a new project, and the configuration that is active."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from bespeak.cli.options import JsonOption, ProjectOption, YesOption
from bespeak.cli.output import emit, is_agreed, note, out, say
from bespeak.cli.project import opened
from bespeak.cli.running import script_tag
from bespeak.decide.settings.placements import BUILT_IN
from bespeak.engine.config import FILE_NAME, parse_config, read_file
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.settings import ServeSettings
from bespeak.errors import InvalidInput
from bespeak.web.tokens import make_token_key


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    launch: Annotated[
        float,
        typer.Option(
            "--launch",
            min=0.0,
            max=0.9,
            help="Share of consenting people that get each placement without personalization, so that its lift can be "
            "told; 0 personalizes for everybody.",
        ),
    ] = 0.5,
    as_json: JsonOption = False,
) -> None:
    """Makes a project: a commented bespeak.toml, a data folder, and new keys (shown once)."""
    placements = {name: {"launch": launch} for name in BUILT_IN}
    keys = create(directory, token_key=make_token_key(), settings={"placements": placements})
    # Opening it once makes the store and activates the file: a fresh project applies by itself.
    with Engine.open(directory):
        pass
    defaults = ServeSettings()
    tag = script_tag(f"http://{defaults.host}:{defaults.port}", keys.write_key)
    if as_json:
        emit({"project": str(directory), "keys": keys, "scriptTag": tag})
        return
    console = out()
    say(f"Made the project in {directory}: {FILE_NAME} holds every setting with its default.", style="bold")
    console.print("\nKeys. [bold]They are shown only now[/]; the project keeps hashes of the secret ones.")
    for name, value, use in (
        ("write key", keys.write_key, "public: stands in the page"),
        ("server key", keys.server_key, "secret: your backend sends events with it"),
        ("secret key", keys.secret_key, "secret: reads and changes everything"),
        ("token key", keys.token_private_key, "secret: your backend signs person tokens with it"),
    ):
        console.print(f"  [dim]{name:<11}[/]{escape(value)}  [dim]{use}[/]", soft_wrap=True)
    console.print("\nThe tag for your pages:")
    console.print("  " + escape(tag), soft_wrap=True)
    console.print(
        "\nBrowsers start without consent (only what the service itself needs is kept); your backend and imports start "
        f"with it, because you vouch for them. Change it under sources in {FILE_NAME}."
    )
    console.print("\nNext:")
    where = directory if str(directory) != "." else Path()
    if where != Path():
        console.print(f"  cd {escape(str(where))}")
    for command in ("import events FILE", "train", "serve", "report"):
        console.print(f"  bespeak {command}")


def apply(
    project: ProjectOption = None,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the difference.")] = False,
) -> None:
    """Shows how bespeak.toml differs from what is active, and makes it active."""
    with opened(project, tells_difference=False) as engine:
        core = engine.core
        active = core.config.text
        proposed = parse_config(read_file(core.folder.config_path)).text
        lines = list(unified_diff(active.splitlines(), proposed.splitlines(), "active", FILE_NAME, lineterm="", n=1))
        if not lines:
            if as_json:
                emit({"applied": False, "version": core.runtime.config_version, "difference": []})
            else:
                say("Nothing differs: the file is what is active.")
            return
        if not as_json:
            _show(lines)
        version = core.runtime.config_version if dry_run else core.apply("command line")
        if as_json:
            emit({"applied": not dry_run, "version": version, "difference": lines})
        elif not dry_run:
            say(f"Version {version} is active.", style="bold")
            note("Running servers take it over within a second.")


config = typer.Typer(no_args_is_help=True, help="The active configuration.")


@config.command("pull")
def pull(project: ProjectOption = None, yes: YesOption = False) -> None:
    """Writes the active configuration back over bespeak.toml."""
    with opened(project, tells_difference=False) as engine:
        path = engine.core.folder.config_path
        held, active = read_file(path).splitlines(), engine.core.config.text.splitlines()
        lines = list(unified_diff(held, active, FILE_NAME, "active", lineterm="", n=1))
        if not lines:
            say("Nothing differs: the file is what is active.")
            return
        _show(lines)
        if not yes and not is_agreed(f"Write this to {FILE_NAME}?"):
            raise InvalidInput("Nothing was changed.", hint="Write without asking with: bespeak config pull --yes")
        path.write_text(engine.core.config.text, encoding="utf-8")
        say(f"{FILE_NAME} is what is active.", style="bold")


def _show(lines: list[str]) -> None:
    styles = {"+": "green", "-": "red", "@": "dim"}
    for line in lines:
        say(line, style=styles.get(line[:1], ""))
