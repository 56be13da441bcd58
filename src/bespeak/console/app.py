"""The console's routes, to be mounted at the server's root; they stand under `/console`."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from bespeak.console import events, experiments, models, offers, overview, people, policies, signing, tryout
from bespeak.console.desk import Desk
from bespeak.console.guard import View, guarded
from bespeak.engine.engine import Engine
from bespeak.engine.vault import Vault
from bespeak.web.session import ConsoleLogin

ROOT = "/console"

PAGES: tuple[tuple[str, str, View], ...] = (
    ("GET", "/", overview.overview),
    ("GET", "/pulse.json", overview.pulse),
    ("GET", "/events", events.events_page),
    ("GET", "/events/rows", events.events_rows),
    ("GET", "/events/{log_id:int}", events.event_page),
    ("GET", "/rejects", events.rejects_page),
    ("GET", "/people", people.people_page),
    ("POST", "/people", people.people_search),
    ("GET", "/people/{person:int}", people.person_page),
    ("GET", "/try", tryout.try_page),
    ("POST", "/try", tryout.try_slate),
    ("GET", "/models", models.models_page),
    ("GET", "/experiments", experiments.experiments_page),
    ("GET", "/experiments/panel", experiments.lifts_panel),
    ("GET", "/experiments/{name}", experiments.experiment_page),
    ("POST", "/experiments/{name}/start", experiments.start),
    ("POST", "/experiments/{name}/stop", experiments.stop),
    ("POST", "/policies/{placement}/{version:int}", policies.decide_again),
    ("GET", "/offers", offers.offers_page),
    ("POST", "/models/train", models.train),
    ("GET", "/models/training", models.training_state),
    ("POST", "/logout", signing.sign_out),
)
"""Every page behind the sign-in: method, path, view."""


def static_folder() -> Path:
    """Returns where the package's own scripts, styles and vendored files lie."""
    return Path(str(files("bespeak.console") / "static"))


def login_of(engine: Engine) -> ConsoleLogin:
    """Returns the log-in of a project's console; every process of the project has the same one."""
    core = engine.core
    return ConsoleLogin(Vault(core), lambda: core.config.settings, core.clock)


def console_routes(engine: Engine, login: ConsoleLogin | None = None) -> list[BaseRoute]:
    """Returns the console's routes.

    Args:
        engine: the open project.
        login: who may come in; whoever has a secret key of the project when left out.
    """
    desk = Desk(engine, login or login_of(engine), ROOT)
    routes: list[BaseRoute] = [
        Mount("/static", StaticFiles(directory=static_folder()), name="console-static"),
        Route("/login", signing.login_page(desk), methods=["GET"]),
        Route("/login", signing.login_form(desk), methods=["POST"]),
    ]
    routes += [Route(path, guarded(desk, view), methods=[method]) for method, path, view in PAGES]
    return [Route(ROOT, _to_root, methods=["GET"]), Mount(ROOT, routes=routes, name="console")]


async def _to_root(request: Request) -> Response:
    del request
    return RedirectResponse(f"{ROOT}/", 307)
