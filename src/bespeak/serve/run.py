"""Running the server: one listening socket, N workers, one job process, graceful stop.

Every worker is a process of its own with its own engine; they share the socket and the store. A worker that dies is
started again. SIGTERM and Ctrl-C stop gracefully: open requests are answered, what waits is written.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.routing import BaseRoute

from bespeak.engine import Engine
from bespeak.engine.clock import SharedClock
from bespeak.engine.jobs import POLL_SECONDS, work
from bespeak.engine.writing.collector import calm_collector
from bespeak.errors import InvalidInput
from bespeak.serve.app import App
from bespeak.serve.virtual import clock_for
from bespeak.web.site import Site

log = logging.getLogger("bespeak.serve")

REFRESH_SECONDS = 0.2
VIRTUAL_POLL_SECONDS = 0.05
"""How often the job process looks whether a virtual clock has moved."""
GRACE_SECONDS = 10
_RESTART_PAUSE_SECONDS = 0.5

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""A worker answers many requests at once; one matrix product on all cores would make every other one wait."""

ExtraRoutes = Callable[[Engine], Sequence[BaseRoute]]


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message; no request bodies, no keys."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logs() -> None:
    """Sends structured logs to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def bind(host: str, port: int) -> socket.socket:
    """Returns a listening socket.

    Raises:
        InvalidInput: the address cannot be listened on, for example because the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise InvalidInput(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            hint="Choose another one with --port; 0 picks a free one.",
        ) from None
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


def serve(
    project: Path,
    *,
    host: str,
    port: int,
    workers: int = 1,
    with_jobs: bool = True,
    has_virtual_clock: bool = False,
    announce: Callable[[str], None] | None = None,
    extra: ExtraRoutes | None = None,
) -> None:
    """Serves a project until it is told to stop.

    Args:
        project: the project folder.
        workers: HTTP worker processes.
        with_jobs: run the job process beside them.
        has_virtual_clock: everything happens at the time that `PUT /api/clock` sets, in a project of simulated people.
        announce: told the address once the workers are started.
        extra: makes further routes in each worker; a top-level function, because workers are new processes.

    Raises:
        InvalidInput: the address cannot be listened on, `workers` is out of bounds, or the project may have no virtual
            clock.
        BespeakError: the project cannot be opened.
    """
    if not 1 <= workers <= 64:
        raise InvalidInput(f"workers must be from 1 to 64, not {workers}.")
    clock_path = clock_for(project, host) if has_virtual_clock else None
    with Engine.open(project, clock=_clock(clock_path)):
        pass  # a project that cannot be opened is refused here, in words, and not by each worker
    metrics_folder = tempfile.mkdtemp(prefix="bespeak-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_folder
    listener = bind(host, port)
    supervisor = Supervisor()
    try:
        for number in range(workers):
            supervisor.start(f"worker-{number + 1}", _worker, (str(project), listener, extra, clock_path), ONE_THREAD)
        if with_jobs:
            supervisor.start("jobs", _jobs, (str(project), clock_path))
        if announce is not None:
            announce(address_of(listener))
        supervisor.wait()
    finally:
        supervisor.stop()
        listener.close()
        shutil.rmtree(metrics_folder, ignore_errors=True)


def address_of(listener: socket.socket) -> str:
    """Returns the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@dataclass(frozen=True)
class _Child:
    process: SpawnProcess
    target: Callable[..., None]
    args: tuple[Any, ...]
    environment: Mapping[str, str]


class Supervisor:
    """Keeps child processes running until it is told to stop."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._children: dict[str, _Child] = {}
        self._stopping = threading.Event()

    def start(
        self,
        name: str,
        target: Callable[..., None],
        args: tuple[Any, ...],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts a child with variables of its own over this process's environment."""
        process = self._context.Process(target=target, args=args, name=name)
        before = dict(os.environ)
        os.environ.update(environment or {})
        try:
            process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        self._children[name] = _Child(process, target, args, environment or {})

    def wait(self) -> None:
        """Returns when SIGTERM or SIGINT came; restarts children that die before."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        while not self._stopping.wait(0.2):
            for name, child in list(self._children.items()):
                if not child.process.is_alive():
                    log.warning("%s ended with %s and is started again", name, child.process.exitcode)
                    time.sleep(_RESTART_PAUSE_SECONDS)
                    self.start(name, child.target, child.args, child.environment)

    def stop(self) -> None:
        """Asks every child to stop, waits, and kills what is left."""
        self._stopping.set()
        processes = [child.process for child in self._children.values()]
        for process in processes:
            if process.is_alive():
                process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for process in processes:
            process.join(max(0.1, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping.set()


def make_app(engine: Engine, extra: ExtraRoutes | None = None, is_stopping: Callable[[], bool] = lambda: False) -> App:
    """Returns the application over an open engine; arguments as `App`."""
    routes = extra(engine) if extra is not None else ()
    return App(Site(engine), version=metadata.version("bespeak"), extra=routes, is_stopping=is_stopping)


def _clock(path: Path | None) -> SharedClock | None:
    return None if path is None else SharedClock(path)


def _worker(project: str, listener: socket.socket, extra: ExtraRoutes | None, clock_path: Path | None) -> None:
    set_up_logs()
    _end_with_parent()
    with Engine.open(project, clock=_clock(clock_path)) as engine:
        stop = threading.Event()
        servers: list[uvicorn.Server] = []
        app = make_app(engine, extra, lambda: any(server.should_exit for server in servers))
        engine.decisions.warm_up()
        calm_collector()
        refresher = threading.Thread(target=_refresh, args=(engine, stop), name="refresh", daemon=True)
        refresher.start()
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS - 2,
            timeout_keep_alive=30,
        )
        try:
            servers.append(uvicorn.Server(config))
            servers[0].run(sockets=[listener])
        finally:
            stop.set()
            app.close()


def _refresh(engine: Engine, stop: threading.Event) -> None:
    """Takes over what other processes changed, so that no decision has to wait for it."""
    while not stop.wait(REFRESH_SECONDS):
        engine.core.refresh_when_due()


def _jobs(project: str, clock_path: Path | None) -> None:
    set_up_logs()
    _end_with_parent()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    with Engine.open(project, clock=_clock(clock_path)) as engine:
        work(engine, stop, poll_seconds=POLL_SECONDS if clock_path is None else VIRTUAL_POLL_SECONDS)


def _end_with_parent() -> None:
    """Ends this process soon after its parent was killed, so that no worker is left over."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
