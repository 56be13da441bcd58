"""What every page works with, and what a request to a page carries."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from bespeak.console.rendering import Pages
from bespeak.engine.engine import Engine
from bespeak.engine.training.run import TrainingRun
from bespeak.engine.views.lifts import LiftRow, lift_rows
from bespeak.engine.views.pulse import PulseMeter
from bespeak.engine.views.queries import Queries
from bespeak.web.session import ConsoleLogin, ConsoleSession

KEPT_MS = 300_000


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One request of somebody who is signed in.

    Attributes:
        query: the address's parameters.
        form: the fields of a posted form.
        path: the values in the path.
        is_fragment: htmx asks for a part of a page.
    """

    session: ConsoleSession
    query: Mapping[str, str] = {}
    form: Mapping[str, str] = {}
    path: Mapping[str, Any] = {}
    is_fragment: bool = False


class Lifts:
    """What is compared, kept for five minutes: a report reads the log of everybody who takes part."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._kept: tuple[int, list[LiftRow]] | None = None

    def rows(self) -> list[LiftRow]:
        """Returns a line for each launch and each variant of an experiment."""
        with self._lock:
            now_ms = self._engine.core.clock.now_ms()
            if self._kept is None or not 0 <= now_ms - self._kept[0] < KEPT_MS:
                self._kept = now_ms, lift_rows(self._engine.core)
            return self._kept[1]

    def forget(self) -> None:
        """Lets the next look work it out again."""
        with self._lock:
            self._kept = None


class Desk:
    """The open project, as pages see it.

    Attributes:
        engine: the project.
        queries: reads for screens.
        pulse: counts what comes in.
        training: the training that the models page starts.
        lifts: what is compared, worked out at most every five minutes.
        login: who may come in.
        root: where the console is mounted.
    """

    def __init__(self, engine: Engine, login: ConsoleLogin, root: str = "/console") -> None:
        self.engine = engine
        self.queries = Queries(engine.core)
        self.pulse = PulseMeter(engine.core)
        self.training = TrainingRun(engine.core, engine.models)
        self.lifts = Lifts(engine)
        self.login = login
        self.root = root
        self._pages = Pages()

    def now_ms(self) -> int:
        """Returns the time on the clock."""
        return self.engine.core.clock.now_ms()

    def render(self, template: str, visit: Visit | None = None, **values: Any) -> str:
        """Returns a template with what every page shows around it."""
        return self._pages.render(
            template,
            {
                "root": self.root,
                "project": self.engine.core.config.settings.project.name,
                "csrf": visit.session.csrf if visit is not None else "",
                "is_signed_in": visit is not None,
                "now_ms": self.now_ms(),
                **values,
            },
        )
