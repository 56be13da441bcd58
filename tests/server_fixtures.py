"""Real servers for tests: a project folder of the simulated shop, served by a process of its own on a free port.

`project` is a shop with a catalogue, once per module. `serve` starts servers over any project; when the module ends
each is stopped gracefully, and must end with status 0.
"""

from __future__ import annotations

import base64
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bespeak.engine.engine import Engine
from bespeak.engine.project import NewKeys, create
from bespeak.simulate import ShopWorld
from bespeak.web.tokens import make_token_key, sign

READY_SECONDS = 90  # starting is seconds of imports, and other tests keep the cores busy
STOP_SECONDS = 30
DECIDE_BUDGET_MS = 5_000
"""Tests share their cores: a decision that waits for one is late, not failed."""
PROGRAM = Path(__file__).with_name("serve_project.py")


@dataclass(frozen=True)
class Project:
    """A project folder and the keys that `init` would have printed."""

    root: Path
    keys: NewKeys
    world: ShopWorld

    def token(self, user_id: str, *, seconds: int = 900) -> str:
        """A person token, as the site's backend makes it."""
        return sign(self.keys.token_private_key, user_id, now_ms=int(time.time() * 1000), seconds=seconds)

    def items_of(self, category: str) -> list[str]:
        """The ids of a category's items, one of each group."""
        firsts: dict[str, str] = {}
        for item in self.world.items():
            if item["attributes"]["category"] == category:
                firsts.setdefault(item.get("group") or item["id"], item["id"])
        return list(firsts.values())


@dataclass
class Server:
    """A running server."""

    url: str
    project: Project
    process: subprocess.Popen[str]
    log_path: Path
    _clients: list[httpx.Client] = field(default_factory=list)

    def client(self, key: str = "", **headers: str) -> httpx.Client:
        """A client with connections of its own; a key goes as the user of HTTP Basic. Closed with the server."""
        auth = {"authorization": basic(key)} if key else {}
        made = httpx.Client(base_url=self.url, headers={**auth, **headers}, timeout=30, trust_env=False)
        self._clients.append(made)
        return made

    def secret(self) -> httpx.Client:
        """A client with the secret key."""
        return self.client(self.project.keys.secret_key)

    def counts(self) -> dict[str, int]:
        """Events by what became of them, over all workers, from /metrics."""
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            text = client.get("/metrics").text
        found = re.findall(r'^bespeak_events_total\{outcome="(\w+)"\} ([\d.e+]+)$', text, re.MULTILINE)
        return {outcome: int(float(n)) for outcome, n in found}

    def log(self) -> str:
        """What the server wrote to standard error."""
        return self.log_path.read_text(encoding="utf-8")

    def stop(self) -> int:
        """Stops it gracefully and returns the exit status."""
        for client in self._clients:
            client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status


Serve = Callable[..., Server]


def basic(key: str) -> str:
    """The header with which clients of the Segment family send a key."""
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def make_project(
    root: Path,
    *,
    n_people: int = 40,
    n_items: int = 96,
    history: bool = False,
    settings: dict[str, Any] | None = None,
) -> Project:
    """Makes a project with the simulated shop's catalogue, and with its people's history when wished."""
    settings = {**(settings or {})}
    settings["serve"] = {"decide_budget_ms": DECIDE_BUDGET_MS, **settings.get("serve", {})}
    keys = create(root, token_key=make_token_key(), settings=settings)
    hour_ms = 3_600_000
    end_ms = int(time.time() * 1000) // hour_ms * hour_ms
    world = ShopWorld(11, n_people=n_people, n_items=n_items, days=20, end_ms=end_ms)
    with Engine.open(root) as engine:
        engine.items.put(world.items())
        if history:
            assert not engine.track(list(world.events())).rejected
    return Project(root, keys, world)


def start(project: Project, *, workers: int = 1, jobs: bool = False, virtual: bool = False, port: int = 0) -> Server:
    """Starts a server and returns when it is ready; one with a virtual clock runs jobs, too."""
    how = "virtual" if virtual else "jobs" if jobs else "no-jobs"
    return started(project, str(PROGRAM), str(project.root), str(port), str(workers), how)


def started(project: Project, *command: str) -> Server:
    """Starts a Python program that serves a project and prints its address; returns when it is ready."""
    log_path = project.root.with_name(f"{project.root.name}-{time.monotonic_ns()}.log")
    with log_path.open("w", encoding="utf-8") as log:
        process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    server = Server(process.stdout.readline().strip(), project, process, log_path)
    try:
        _wait_until_ready(server)
    except BaseException:
        server.stop()
        raise
    return server


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while server.url and server.process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(server.url + "/health/ready", timeout=30, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the server did not get ready:\n{server.log()}")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A shop with a catalogue; nothing is known of anybody."""
    return make_project(tmp_path_factory.mktemp("shop") / "shop")


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Starts servers: `serve(project, workers=2)`. Each is stopped at the end of the module."""
    with serving() as starter:
        yield starter


@contextmanager
def serving() -> Iterator[Serve]:
    """Starts servers, and stops them at the end; each must then end with status 0, and have logged no exception."""
    servers: list[Server] = []

    def starter(project: Project, **options: Any) -> Server:
        servers.append(start(project, **options))
        return servers[-1]

    yield starter
    statuses = [server.stop() for server in servers]
    traces = [line for server in servers for line in server.log().splitlines() if '"trace"' in line]
    assert not any(statuses), f"graceful stops ended with {statuses}"
    assert not traces, "the server logged an exception:\n" + traces[0].replace("\\n", "\n")


@pytest.fixture(scope="module")
def server(project: Project, serve: Serve) -> Server:
    """One server with one worker over `project`."""
    return serve(project)
