"""A served project, and a client so thin that it costs little beside the server."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bespeak.serve.run import serve

LOG = "serve.log"


@contextmanager
def serving(project: Path, workers: int) -> Iterator[str]:
    """Serves a project in processes of its own, its log in the folder; gives the address once it is ready."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(project, workers, send))
    process.start()
    send.close()
    try:
        try:
            url = receive.recv()
            wait_ready(url, workers)
        except (EOFError, NotReady):
            raise SystemExit(f"the server did not get ready:\n{(project / LOG).read_text()[-2_000:]}") from None
        yield url
    finally:
        process.terminate()
        process.join(20)


def _serve(project: Path, workers: int, pipe: Any) -> None:
    with (project / LOG).open("a") as log:
        os.dup2(log.fileno(), 2)  # also of the workers, whose lines would bury the figures
    serve(project, host="127.0.0.1", port=0, workers=workers, with_jobs=False, announce=pipe.send)


def wait_ready(url: str, workers: int = 1, seconds: float = 60) -> None:
    """Returns when so many workers have answered that they are ready; raises `NotReady` when they never do."""
    answered: set[str] = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with Door(url) as door:
                door.ask("GET", "/health/ready")
                answered.add(door.worker())
        except (OSError, Refused):
            pass
        if len(answered) == workers:
            return
        time.sleep(0.01)
    raise NotReady


def wait_listening(url: str, seconds: float = 60) -> None:
    """Returns when something takes connections at an address; raises `NotReady` when nothing ever does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            Door(url).close()
            return
        except OSError:
            time.sleep(0.05)
    raise NotReady


class NotReady(Exception):
    """The server did not get ready in time."""


class Refused(Exception):
    """An answer that is not 200."""


class Door:
    """One kept connection, which means: to one worker."""

    def __init__(self, url: str, key: str = "") -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"Host: {parts.netloc}\r\n" + (f"Authorization: Bearer {key}\r\n" if key else "")

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Returns the body of a 200 answer; raises `Refused` for any other."""
        kind = "Content-Type: application/json\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._head}{kind}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        answer = bytearray()
        end = -1
        while end < 0:
            answer += self._received()
            end = answer.find(b"\r\n\r\n")
        length = _length_of(bytes(answer[:end]).lower())
        while len(answer) < end + 4 + length:
            answer += self._received()
        text = bytes(answer[end + 4 :])
        if answer[9:12] != b"200":
            raise Refused(f"{bytes(answer[9:12]).decode()} {text[:300]!r}")
        return text

    def _received(self) -> bytes:
        part = self._socket.recv(1 << 16)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part

    def ask_json(self, method: str, path: str, value: Any = None) -> Any:
        """Returns the decoded answer to a JSON body."""
        return json.loads(self.ask(method, path, b"" if value is None else json.dumps(value).encode()))

    def worker(self) -> str:
        """Returns which worker is at the other end."""
        return str(self.ask_json("GET", "/health/live")["worker"])


def _length_of(head: bytes) -> int:
    place = head.find(b"content-length:")
    if place < 0:
        raise ConnectionError("an answer without a length")
    return int(head[place + 15 :].split(b"\r\n", 1)[0])


def doors(url: str, n_each: int, workers: int, key: str = "") -> dict[str, list[Door]]:
    """Returns worker -> `n_each` kept connections, the same number to every worker."""
    found: dict[str, list[Door]] = {}
    for _ in range(200 * n_each * workers):
        door = Door(url, key)
        held = found.setdefault(door.worker(), [])
        if len(held) < n_each:
            held.append(door)
        else:
            door.close()
        if len(found) == workers and all(len(each) == n_each for each in found.values()):
            return found
    raise SystemExit(f"only {sorted(found)} answered")
