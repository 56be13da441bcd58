"""The tutorials, the how-to pages and the README run as they stand.

Every page gets a fresh folder. Its blocks run in order: `bash` in one shell state (folder and variables carry over),
`python run` as a script, `csv NAME` as a file, `toml` on top of the project's file, `bash serve` in the background
until the page ends. The port 8787 of the text becomes a free one. Other blocks are only read.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest

from bespeak import Engine
from bespeak.engine.project import render
from server_fixtures import DECIDE_BUDGET_MS, Project, make_project

WARM = Path(__file__).with_name("warm_bespeak.py")
CALLER = """#!{python} -SE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as call:
    call.connect({socket!r})
    about = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(call, [len(about).to_bytes(4, "big")], [0, 1, 2])
    call.sendall(about)
    status = call.recv(1)
sys.exit(status[0] if status else 1)
"""

PORT = "8787"
READY_SECONDS = 90
BLOCK_SECONDS = 180
ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
INIT = re.compile(r"^bespeak init (\S+).*$", re.MULTILINE)
PATIENCE = f"sed -i 's/^# decide_budget_ms = .*/decide_budget_ms = {DECIDE_BUDGET_MS}/'"
RUN = ("bash", "bash serve", "python run")
NO_PROXY = build_opener(ProxyHandler({}))


def has_runs(page: Path) -> bool:
    """Tells whether a page has blocks that run."""
    return any(found["kind"].strip() in RUN for found in BLOCK.finditer(page.read_text(encoding="utf-8")))


PAGES = [page for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if has_runs(page)]


class Walk:
    """One reader at one page.

    Args:
        folder: where they start.
        keys: the project's keys, as the how-to pages call them.
        programs: the folder of a `bespeak` that starts at once.
    """

    def __init__(self, folder: Path, keys: dict[str, str], programs: Path) -> None:
        self._cwd = folder
        self._state = folder.parent / f"{folder.name}.env"
        self._servers: list[subprocess.Popen[bytes]] = []
        self._log = folder.parent / f"{folder.name}.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._env = {
            **os.environ,
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
            **keys,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def run(self, kind: str, text: str) -> str:
        """Runs one block and returns what it wrote to stdout."""
        text = text.replace(PORT, str(self._port))
        match kind.split():
            case ["bash"]:
                return self._shell(text)
            case ["bash", "serve"]:
                self._serve(text)
            case ["python", "run"]:
                return self._call([sys.executable, "-W", "error", "-c", text])
            case ["csv" | "jsonl", name]:
                (self._cwd / name).write_text(text, encoding="utf-8")
            case ["toml"]:
                self._settings(text)
        return ""

    def _shell(self, text: str) -> str:
        text = INIT.sub(rf"\g<0>\n{PATIENCE} \1/bespeak.toml", text)
        before = f'[ -e "{self._state}" ] && . "{self._state}"\n' if self._state.exists() else ""
        after = f'\n{{ export -p; echo "cd \\"$PWD\\""; }} > "{self._state}"\n'
        out = self._call(["bash", "-e", "-o", "pipefail", "-c", f"{before}set -a\n{text}{after}"])
        self._cwd = Path(re.findall(r'^cd "(.*)"$', self._state.read_text(encoding="utf-8"), re.MULTILINE)[-1])
        return out

    def _call(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self._cwd, env=self._env, capture_output=True, text=True, timeout=BLOCK_SECONDS, check=False
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.log()}"
        assert "Warning" not in done.stderr, done.stderr
        return done.stdout

    def _settings(self, text: str) -> None:
        path = self._cwd / "bespeak.toml"
        held = tomllib.loads(path.read_text(encoding="utf-8"))
        path.write_text(render(_merged(held, tomllib.loads(text))), encoding="utf-8")

    def _serve(self, text: str) -> None:
        # A server is started by the real program: it takes signals, and starts processes of its own.
        program, *arguments = text.split()
        command = [str(Path(sys.executable).with_name(program)), *arguments, "--port", str(self._port)]
        with self._log.open("ab") as log:
            self._servers.append(
                subprocess.Popen(command, cwd=self._cwd, env=self._env, stdout=log, stderr=log, start_new_session=True)
            )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._servers[-1].poll() is None:
            try:
                if NO_PROXY.open(f"http://127.0.0.1:{self._port}/health/ready", timeout=30).status == 200:
                    return
            except (URLError, ConnectionError):
                time.sleep(0.2)
        raise AssertionError(f"the server did not get ready:\n{self.log()}")

    def log(self) -> str:
        """What servers wrote."""
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def stop(self) -> None:
        """Stops the servers gracefully."""
        for server in self._servers:
            server.send_signal(signal.SIGTERM)
        assert not any(server.wait(60) for server in self._servers), self.log()


def _merged(held: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    both = {name: _merged(held[name], part) for name, part in given.items() if isinstance(held.get(name), dict)}
    return {**held, **given, **both}


@contextmanager
def walking(folder: Path, keys: dict[str, str], programs: Path) -> Iterator[Walk]:
    """A walk whose servers are stopped at its end."""
    walk = Walk(folder, keys, programs)
    try:
        yield walk
    finally:
        walk.stop()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small shop with a history and a model: the project folder that the how-to pages stand in."""
    made = make_project(tmp_path_factory.mktemp("how-to") / "shop", n_people=30, n_items=48, history=True)
    with Engine.open(made.root) as engine:
        engine.models.train()
    return made


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a `bespeak` whose imports are done."""
    folder = tmp_path_factory.mktemp("bin")
    address = str(folder / "s")
    server = subprocess.Popen([sys.executable, str(WARM), address])
    caller = folder / "bespeak"
    caller.write_text(CALLER.format(python=sys.executable, socket=address), encoding="utf-8")
    caller.chmod(0o755)
    deadline = time.monotonic() + READY_SECONDS
    while not Path(address).exists() and server.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    yield folder
    server.kill()
    server.wait()


def start(page: Path, tmp_path: Path, shop: Project) -> tuple[Path, dict[str, str]]:
    """Returns where a page starts, and the keys it may name: a how-to in a copy of the shop, others with nothing."""
    folder = tmp_path / "reader"
    if page.parent.name != "how-to":
        folder.mkdir()
        return folder, {}
    shutil.copytree(shop.root, folder)
    keys = shop.keys
    return folder, {
        "WRITE_KEY": keys.write_key,
        "SERVER_KEY": keys.server_key,
        "SECRET_KEY": keys.secret_key,
        "TOKEN_KEY": keys.token_private_key,
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_the_page_runs(page, tmp_path, shop, programs):
    said: dict[int, str] = {}
    with walking(*start(page, tmp_path, shop), programs) as walk:
        text = page.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            said[text[: found.start()].count("\n") + 1] = walk.run(found["kind"].strip(), found["text"])
    everything = "\n".join(said.values())
    check = CHECKS.get(page.stem, "")
    if isinstance(check, str):
        assert check in everything
    else:
        check(everything)


def test_a_block_that_fails_is_caught(tmp_path, programs):
    folder = tmp_path / "reader"
    folder.mkdir()
    with walking(folder, {}, programs) as walk:
        assert "bespeak" in walk.run("bash", "bespeak --version\n")
        with pytest.raises(AssertionError, match="not in a Bespeak project"):
            walk.run("bash", "bespeak report\n")
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            walk.run("python run", "1 / 0\n")


def _ten_minutes(said: str) -> None:
    assert "imported before, nothing to add" in said
    first, _, then = said.partition('{"success":true')
    assert '"decisionId"' in first
    assert "in light" not in first[first.index('"decisionId"') :]
    then = then[then.index('"decisionId"') :].splitlines()[0]
    assert "you viewed 1 item in light" in then
    assert '"id":"desk-lamp"' not in then


def _movies(said: str) -> None:
    before, after = map(int, re.search(r"(\d+) of 10 before, (\d+) of 10 after", said).groups())
    assert after > before
    assert "seen items shown again: 0" in said
    assert "somebody else's slate changed: False" in said
    assert re.search(r"you viewed 3 items in \w+", said)


def _send(said: str) -> None:
    assert '"accepted":1,"duplicate":1,"rejected":0' in said
    assert "missing_name" in said


def _tokens(said: str) -> None:
    assert '"mode":"profiled"' in said
    assert '"u0002"' in said


def _own(said: str) -> None:
    assert "thai" in said
    assert "cooked" in said


def _households(said: str) -> None:
    assert "kids profiled" in said
    assert "parents profiled" in said


CHECKS = {
    "send-events": _send,
    "person-tokens": _tokens,
    "own-signals": _own,
    "household-profiles": _households,
    "consent": "non_profiled",
    "import-files": "missing_id",
    "backup": "shop.tar",
    "benchmark": "'rank': 1",
    "evaluate": "recs.parquet",
    "console": "200",
    "README": "you viewed 1 item in light just now",
    "segments": "lapsing_buyers",
    "monitor": "bespeak_writer_waiting",
    "placements-and-filters": "[(1, ",
    "first-ten-minutes": _ten_minutes,
    "movies": _movies,
}
"""What a page says will be seen, where it promises something."""
