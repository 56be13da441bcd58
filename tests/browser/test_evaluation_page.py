"""The page that `evaluate` writes, in a real browser: complete without a server, readable on a phone and at night."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

from bespeak.cli.learning.evaluation_page import page as written_page
from bespeak.engine.engine import Engine
from bespeak.engine.training.evaluation import Evaluations

pytestmark = pytest.mark.outside


@pytest.fixture(scope="module")
def file(shop, tmp_path_factory):
    """A page with every part: newcomers, facets, and an incumbent whose file has a name that is markup."""
    folder = tmp_path_factory.mktemp("evaluation")
    recs = folder / "<b>recs & more<b>.parquet"
    with Engine.open(shop.project.root) as engine:
        evaluations = Evaluations(engine.core, engine.models)
        evaluations.evaluate(cut_folder=folder / "cut")
        users = pq.read_table(folder / "cut" / "queries.parquet").column("user").to_pylist()
        train = pq.read_table(folder / "cut" / "train.parquet").to_pylist()
        had = {user: {row["item"] for row in train if row["user"] == user} for user in users}
        items = sorted({row["item"] for row in train})
        rows = [
            {"user": user, "item": item, "rank": rank}
            for user in users
            for rank, item in enumerate([item for item in items if item not in had[user]][:10], start=1)
        ]
        pq.write_table(pa.Table.from_pylist(rows), recs)
        report = evaluations.evaluate(against=recs)
    (folder / "evaluation.html").write_text(written_page(report), encoding="utf-8")
    return folder / "evaluation.html"


def test_the_page_is_whole_and_fits(page, file):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("h1")).to_have_count(1)
    assert page.locator("script").count() == 0
    assert all(url.startswith(("file:", "data:")) for url in asked), "nothing is loaded from elsewhere"
    for title in ("In words", "NDCG@10", "By activity", "Right, and varied", "Who gets the places", "All figures"):
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()


def test_plots_are_drawn_where_their_figures_say(desktop, file):
    desktop.goto(file.as_uri())
    places = desktop.evaluate(
        """() => [...document.querySelectorAll('[data-plot=board] .part:not(.axis-row)')].map((part) => [
             part.querySelector('circle').getBoundingClientRect().x, +part.querySelector(".values").innerText])"""
    )
    assert len(places) > 4
    assert [value for _, value in places] == sorted((value for _, value in places), reverse=True)
    (x1, v1), (x2, v2) = places[0], places[-1]
    for x, value in places:
        assert abs(x - (x2 + (x1 - x2) * (value - v2) / (v1 - v2))) < 4, "on one straight scale"
    for mark in ("used", "base", "theirs"):
        assert desktop.locator(f"polyline.{mark}").count() == 1


def test_a_name_that_is_markup_is_shown_as_it_is(desktop, file):
    desktop.goto(file.as_uri())
    expect(desktop.get_by_role("heading", name="In use against <b>recs & more<b>.parquet")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(desktop, file, hard_to_read, scheme):
    desktop.emulate_media(color_scheme=scheme)
    desktop.goto(file.as_uri())
    assert not hard_to_read(desktop)
