"""Serving the demo's shop: the storefront, the console signed in, and the API, from one address."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.markup import escape
from starlette.routing import BaseRoute

from bespeak.cli.output import err
from bespeak.console.app import ROOT as CONSOLE
from bespeak.console.app import login_of
from bespeak.console.storefront import ROOT as SHOP
from bespeak.console.storefront import demo_routes
from bespeak.engine.engine import Engine
from bespeak.engine.project import ProjectFolder
from bespeak.errors import ConfigError
from bespeak.serve.run import bind, serve
from bespeak.simulate import ShopWorld

HOST = "127.0.0.1"
FILE = "demo.json"


class DemoShop(msgspec.Struct, frozen=True, kw_only=True):
    """What makes the demo's world again, and the key that its backend signs with.

    It lies in the keys folder. Called with an engine it makes the demo's routes, in whichever process serves them.
    """

    seed: int
    n_people: int
    days: int
    end_ms: int
    token_key: str

    def __call__(self, engine: Engine) -> Sequence[BaseRoute]:
        return demo_routes(engine, world=self.world(), token_key=self.token_key)

    def world(self) -> ShopWorld:
        """Returns the simulated shop; equal in every event each time."""
        return ShopWorld(self.seed, n_people=self.n_people, days=self.days, end_ms=self.end_ms)

    def save(self, folder: Path) -> None:
        """Writes it into the project's keys folder."""
        path = ProjectFolder(folder).keys / FILE
        path.write_bytes(msgspec.json.encode(self))
        path.chmod(0o600)

    @classmethod
    def read(cls, folder: Path) -> DemoShop | None:
        """Returns the demo of a project folder, or None when it is none.

        Raises:
            ConfigError: the file is there and cannot be read.
        """
        path = ProjectFolder(folder).keys / FILE
        if not path.exists():
            return None
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            raise ConfigError("cannot be read.", file=FILE, hint=f"Remove {folder} and start the demo anew.") from None


def check_port(port: int) -> None:
    """Returns when the shop can be served there; raises `InvalidInput` before a minute goes into making it."""
    bind(HOST, port).close()


def serve_shop(project: Path, shop: DemoShop, port: int, *, is_opened: bool) -> None:
    """Serves the demo until it is stopped; prints the addresses and opens the storefront in a browser when asked to."""
    folder = project.resolve()
    with Engine.open(folder) as engine:
        token = login_of(engine).make_once()

    def announce(address: str) -> None:
        console = err()
        console.print(f"\nStorefront  [bold]{escape(address)}{SHOP}/[/]")
        console.print(f"Console     [bold]{escape(address)}{CONSOLE}/login?once={escape(token)}[/]  (signs in once)")
        console.print(f"Proof       [bold]{escape(address)}{SHOP}/proof[/]  (send 5,000 visitors: does it help?)")
        console.print("\nClick three products and watch the rows move; every card says why. Ctrl-C stops.")
        if is_opened:
            webbrowser.open(f"{address}{SHOP}/")

    serve(folder, host=HOST, port=port, workers=1, with_jobs=True, announce=announce, extra=shop)
