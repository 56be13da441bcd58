"""POST /api/page over HTTP: a page of the project, rows that the caller puts together, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from server_fixtures import Project, Server


def test_a_page_of_the_project(server: Server, project: Project) -> None:
    answer = server.secret().post("/api/page", json={"page": "front", "userId": "u0001"})
    assert answer.status_code == 200
    body = answer.json()
    items = [item["id"] for row in body["rows"] for item in row["items"]]
    assert body["page"] == "front"
    assert len(items) == len(set(items)) > 0
    said = [(row["placement"], row["why"]) for row in body["leftOut"]]
    assert len(said) == len(set(said)) > 0
    assert all(set(row) <= {"placement", "why", "about"} for row in body["leftOut"])
    assert all(row["decisionId"].startswith(body["pageId"]) for row in body["rows"])


def test_rows_that_the_caller_puts_together(server: Server) -> None:
    rows = [{"placement": "similar", "item": "p0001", "count": 2}, {"placement": "home", "count": 2}]
    body = server.secret().post("/api/page", json={"placements": rows, "caps": {"brand": 1}}).json()
    assert [row["placement"] for row in body["rows"]] == ["similar", "home"]
    assert "page" not in body
    brands = [item["properties"]["attributes"]["brand"] for row in body["rows"] for item in row["items"]]
    assert len(brands) == len(set(brands))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "`page` or `placements`"),
        ({"page": "front", "placements": [{"placement": "home"}]}, "not both"),
        ({"page": "nowhere"}, "no page 'nowhere'"),
        ({"placements": []}, "placements"),
        ({"placements": [{"placement": "nowhere"}]}, "no placement 'nowhere'"),
        ({"placements": [{"placement": "home", "filter": "prize < 1"}]}, "prize"),
        ({"placements": [{"placement": "home", "count": 0}]}, "count"),
        ({"placements": [{"placement": "home"}] * 31}, "placements"),
        ({"placements": "home"}, "placements"),
        ({"page": "front", "filter": "price <"}, "position"),
        ({"page": "front", "caps": {"brand": 0}}, "caps"),
        ({"page": "front", "caps": {"brandt": 1}}, "Did you mean 'brand'?"),
        ({"page": "front", "oder": 1}, "oder"),
    ],
)
def test_bad_input_is_refused_in_words(server: Server, body: dict[str, Any], said: str) -> None:
    answer = server.secret().post("/api/page", json=body)
    assert 400 <= answer.status_code < 500
    assert said in answer.json()["message"]
