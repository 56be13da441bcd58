"""`train` and `evaluate` on a log of ratings: what is foretold is said, shown, drawn and written."""

from __future__ import annotations

import json
import random

import pytest

MAP = "user=user,item=item,rating=rating,timestamp=timestamp"


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """A trained site where 60 people rated 20 films each by whether they are of their kind, made once."""
    from bespeak.cli import main  # noqa: PLC0415 - beside the fixture that captures output, which lives for one test

    root = tmp_path_factory.mktemp("rated")
    draw = random.Random(3)
    rows = ["user,item,rating,timestamp"]
    for user in range(60):
        for step, film in enumerate(draw.sample(range(30), 20)):
            stars = (4 if user % 2 == film % 2 else 2) + draw.choice((-1, 0, 0, 1))
            rows.append(f"u{user},f{film},{stars},{1_760_000_000 + user * 400 + step * 86_400}")
    (root / "ratings.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for line in (
        ("init", root / "films"),
        ("import", "events", root / "ratings.csv", "--map", MAP, "--project", root / "films"),
        ("train", "--json", "--project", root / "films"),
    ):
        with pytest.raises(SystemExit) as ended:
            main([str(part) for part in line])
        assert not ended.value.code
    return root / "films"


def test_the_report_says_how_far_off_foretold_ratings_are(rated, run):
    assert "RMSE" in run("report", "--project", rated).out


def test_an_evaluation_prints_writes_and_draws_them(rated, run, tmp_path):
    said = run("evaluate", "--project", rated, "--out", tmp_path / "found.json", "--html", tmp_path / "found.html")
    assert "foretold ratings by" in said.out
    assert "biased factorization" in said.out
    assert "Calibration" in said.out
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["ratings"]
    assert [row["name"] for row in found["rows"]][found["in_use"]] == "biased factorization"
    assert found["rows"][found["in_use"]]["rmse"]["mean"] < found["rows"][found["baseline"]]["rmse"]["mean"]
    assert len(found["calibration"]) == 10
    page = (tmp_path / "found.html").read_text(encoding="utf-8")
    section = page[page.index('data-plot="ratings"') :]
    assert f"{found['rows'][found['in_use']]['rmse']['mean']:.3f}" in section
    drawn = section[section.index("Foretold and given") : section.index("By how much was known")]
    assert drawn.count("<circle") == 10


def test_the_page_of_a_log_without_ratings_says_nothing_of_them(run, tmp_path):
    rows = ["user,item,timestamp", *(f"u{n % 10},p{n * n % 31},{1_760_000_000 + n * 9_000}" for n in range(120))]
    (tmp_path / "views.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    folder = tmp_path / "shop"
    run("init", folder)
    run(
        "import",
        "events",
        tmp_path / "views.csv",
        "--map",
        "user=user,item=item,timestamp=timestamp",
        "--project",
        folder,
    )
    run("train", "--project", folder)
    files = ("--out", tmp_path / "found.json", "--html", tmp_path / "found.html")
    assert "foretold" not in run("evaluate", "--project", folder, "--protocol", "per_person", *files).out
    assert "Foretold" not in (tmp_path / "found.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["ratings"] is None
