"""POST /api/search over HTTP: by words, or in the order of the site's own engine; and numbers as ids of people."""

from __future__ import annotations

from server_fixtures import Server


def test_a_search_takes_what_a_decision_takes(server: Server) -> None:
    asked = {"query": "no such word", "items": ["p0003", {"id": "p0001", "relevance": 2}, 7], "exclude": ["p0003"]}
    body = server.secret().post("/api/search", json={**asked, "market": "default", "explain": True}).json()
    assert [item["id"] for item in body["items"]] == ["p0001"]
    assert any("1 of the 3 items listed" in note for note in body["notes"])


def test_a_person_may_have_a_number_for_an_id_where_a_code_is_issued(server: Server) -> None:
    answer = server.secret().post("/api/offers/p0001/issue", json={"userId": 31})
    assert answer.status_code == 400
    assert answer.json()["message"] == "Nobody is known by this id. Track an event of theirs first."


def test_an_item_that_does_not_exist_is_not_said_to_be_one_of_none(server: Server) -> None:
    answer = server.secret().get("/api/items/nowhere")
    assert (answer.status_code, answer.json()["message"]) == (404, "There is no item 'nowhere'.")
