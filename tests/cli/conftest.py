"""Running commands in this process, with what they wrote and their exit status."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bespeak.cli import main


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout; fails when stdout is anything but exactly one."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("COLUMNS", raising=False)  # a pipe has no width, whatever the terminal of the tests has

    def run(*args: object, expect: int | None = 0) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        code = ended.value.code
        captured = capsys.readouterr()
        ran = Ran(int(code or 0) if not isinstance(code, str) else 1, captured.out, captured.err)
        assert expect is None or ran.status == expect, ran.err or ran.out
        return ran

    return run


@pytest.fixture
def project(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh project that the test stands in."""
    run("init", tmp_path / "my")
    monkeypatch.chdir(tmp_path / "my")
    return tmp_path / "my"


GENRES = ("comedy", "drama", "western", "noir")


@pytest.fixture(scope="session")
def film_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Items, users and ratings of a small film site: 60 people who each like one of four genres."""
    folder = tmp_path_factory.mktemp("films")
    draw = random.Random(5)
    films = [(f"f{i}", f"Film {i}", GENRES[i % 4] + ("|short" if i % 3 == 0 else "")) for i in range(60)]
    lines = ["movie,title,genres", *(",".join(film) for film in films)]
    (folder / "items.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = ["user,age,gender", *(f"u{u},{20 + u % 50},{'FM'[u % 2]}" for u in range(60))]
    (folder / "users.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = ["user,item,rating,timestamp"]
    start = 1_760_000_000
    for user in range(60):
        liked = [film for film in films if film[2].startswith(GENRES[user % 4])]
        for step, film in enumerate(draw.sample(liked, 10) + draw.sample(films, 6)):
            rating = 5 if film in liked else draw.choice((1, 2))
            rows.append(f"u{user},{film[0]},{rating},{start + user * 400 + step * 86_400}")
    (folder / "ratings.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder
