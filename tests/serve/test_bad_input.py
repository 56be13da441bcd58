"""Bad input over HTTP: refused with a status, a stable code and a sentence; never a 500, never half done."""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from server_fixtures import Project, Server, basic

LIMIT = 4_194_304


@pytest.fixture(scope="module")
def web(server: Server, project: Project) -> httpx.Client:
    return server.client(project.keys.write_key)


@pytest.fixture(scope="module")
def backend(server: Server, project: Project) -> httpx.Client:
    return server.client(project.keys.server_key)


@pytest.fixture(scope="module")
def admin(server: Server) -> httpx.Client:
    return server.secret()


def view(number: int = 0, **fields: Any) -> dict[str, Any]:
    event = {"type": "track", "event": "Product Viewed", "userId": "u", "messageId": f"bad-{number}"}
    return {**event, "properties": {"product_id": "p0001"}, **fields}


def refusal(answer: httpx.Response, status: int) -> tuple[str, str]:
    """The code and message of a refusal, which holds nothing else."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"code", "message"}
    assert isinstance(body["code"], str)
    assert isinstance(body["message"], str)
    assert body["code"]
    assert body["message"]
    assert answer.headers["content-type"] == "application/json"
    return body["code"], body["message"]


# -- tracking ----------------------------------------------------------------------------------------------------------
def test_success_is_exactly_200_with_a_json_object(backend):
    answer = backend.post("/v1/batch", json={"batch": [view(1)]})
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "accepted": 1, "duplicate": 0, "rejected": 0}
    for route in ("t", "track"):
        again = backend.post(f"/v1/{route}", content=json.dumps(view(1)))
        assert again.status_code == 200
        assert again.json()["duplicate"] == 1


def test_a_body_that_is_too_large_is_refused_unread(backend):
    code, message = refusal(backend.post("/v1/batch", content=b" " * (LIMIT + 1)), 413)
    assert code == "body_too_large"
    assert str(LIMIT) in message


def test_a_body_that_is_too_large_is_refused_when_its_length_is_not_announced(backend):
    def parts():
        for _ in range(5):
            yield b" " * (LIMIT // 4)

    assert refusal(backend.post("/v1/batch", content=parts()), 413)[0] == "body_too_large"


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A small body that becomes a large one."""
    packed = gzip.compress(b'{"batch":[' + b" " * 20 * LIMIT + b"]}", 1)
    assert len(packed) < LIMIT
    return packed


@pytest.mark.parametrize("encoding", ["gzip", ""])
def test_a_gzip_bomb_is_refused(backend, bomb, encoding):
    headers = {"content-encoding": encoding} if encoding else {}
    assert refusal(backend.post("/v1/batch", content=bomb, headers=headers), 413)[0] == "body_too_large"


def test_a_damaged_archive_is_refused(backend):
    whole = gzip.compress(json.dumps({"batch": [view(2)]}).encode())
    assert refusal(backend.post("/v1/batch", content=whole[:-9]), 400)[0] == "invalid_body"
    assert refusal(backend.post("/v1/batch", content=b"\x1f\x8bnot an archive"), 400)[0] == "invalid_body"
    unknown = backend.post("/v1/batch", content=b"{}", headers={"content-encoding": "br"})
    assert refusal(unknown, 415)[0] == "unsupported_encoding"


@pytest.mark.parametrize("header", ["", "Basic !!!", "Bearer nobody", basic("wk_nobody"), "Digest x"])
def test_an_unknown_key_is_refused(server, header):
    client = server.client(**({"authorization": header} if header else {}))
    for path, body in (("/v1/batch", {"batch": [view(3)]}), ("/api/decide", {"placement": "home"})):
        answer = client.post(path, json=body)
        assert refusal(answer, 401)[0] == "not_allowed"
        assert "www-authenticate" in answer.headers


def test_two_keys_that_differ_are_refused(web, project):
    answer = web.post("/v1/batch", json={"batch": [view(4)], "writeKey": project.keys.server_key})
    assert "differ" in refusal(answer, 401)[1]
    agreeing = web.post("/v1/batch", json={"batch": [view(4)], "writeKey": project.keys.write_key})
    assert agreeing.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"batch": {}}',
        b"{}",
        b"[" * 200_000,
        b'{"batch": [' + b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_batch_is_refused(backend, body):
    assert refusal(backend.post("/v1/batch", content=body), 400)[0] in ("invalid_body", "invalid_request")


def test_a_batch_of_2501_events_is_refused_whole_and_one_of_2500_is_taken(backend, server):
    many = [view(10_000 + number) for number in range(2_501)]
    before = server.counts()
    code, message = refusal(backend.post("/v1/batch", json={"batch": many}), 400)
    assert code == "batch_too_large"
    assert "2500" in message
    assert server.counts() == before
    assert backend.post("/v1/batch", json={"batch": many[:2_500]}).json()["accepted"] == 2_500


WRONG: list[dict[str, Any]] = [
    {"type": "tracks"},
    {"type": None},
    {"event": ""},
    {"event": 7},
    {"userId": None},
    {"userId": {"id": "u"}},
    {"userId": ["u"]},
    {"userId": "x" * 256},
    {"messageId": {"a": 1}},
    {"properties": "text"},
    {"properties": [1]},
    {"context": "text"},
    {"properties": {"text": "\x00"}},
    {"properties": {"a": "x" * 40_000}},
    {"properties": {str(number): 1 for number in range(5_000)}},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_one_wrong_event_is_rejected_and_its_neighbours_are_taken(backend, wrong):
    n = 100_000 + 10 * WRONG.index(wrong)
    batch = [view(n), view(n + 1, **wrong), view(n + 2)]
    answer = backend.post("/v1/batch", json={"batch": batch})
    assert answer.status_code == 200
    told = answer.json()
    [reject] = told.pop("rejects")
    assert told == {"success": True, "accepted": 2, "duplicate": 0, "rejected": 1}
    assert reject["index"] == 1
    assert reject["reason"]
    assert reject["detail"].endswith((".", ")"))


def test_nan_and_infinity_are_rejected(backend):
    body = json.dumps({"batch": [view(20, properties={"price": float("nan")}), view(21), view(22, x=float("inf"))]})
    answer = backend.post("/v1/batch", content=body)
    assert answer.status_code == 200
    assert answer.json()["rejected"] >= 1
    assert sum(answer.json()[name] for name in ("accepted", "duplicate", "rejected")) == 3


def clocks_off(client: httpx.Client) -> float:
    found = re.search(r"^bespeak_clocks_off_total ([\d.]+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def last_seen(client: httpx.Client, user_id: str) -> datetime:
    return datetime.fromisoformat(client.get(f"/api/profiles/{user_id}").json()["lastSeen"])


def test_a_clock_a_year_off_is_corrected_by_the_time_of_sending_and_counted(backend, admin):
    before = clocks_off(admin)
    for number, days in enumerate((-365, 365)):
        theirs = datetime.now(UTC) + timedelta(days=days)
        event = view(30 + number, userId=f"clock{number}", timestamp=(theirs - timedelta(hours=2)).isoformat())
        answer = backend.post("/v1/batch", json={"batch": [event], "sentAt": theirs.isoformat()})
        assert answer.json()["accepted"] == 1
        meant = datetime.now(UTC) - timedelta(hours=2)
        assert abs(meant - last_seen(admin, f"clock{number}")) < timedelta(minutes=2)
    assert clocks_off(admin) == before + 2


def test_a_time_in_the_future_without_a_time_of_sending_is_clamped(backend, admin):
    event = view(40, userId="ahead", timestamp=(datetime.now(UTC) + timedelta(days=365)).isoformat())
    assert backend.post("/v1/batch", json={"batch": [event]}).json()["accepted"] == 1
    assert last_seen(admin, "ahead") <= datetime.now(UTC) + timedelta(minutes=5)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_refused(web, method):
    for path in ("/v1/batch", "/v1/t", "/api/decide", "/api/search"):
        assert refusal(web.request(method, path), 405)[0] == "method_not_allowed"


# -- decisions ---------------------------------------------------------------------------------------------------------
def test_an_unknown_placement_is_answered_with_the_names_there_are(admin):
    code, message = refusal(admin.post("/api/decide", json={"placement": "hom"}), 404)
    assert code == "unknown_name"
    assert "home" in message
    assert "similar" in message


@pytest.mark.parametrize(("path", "asked"), [("/api/decide", {"placement": "home"}), ("/api/page", {"page": "front"})])
def test_a_market_that_no_item_has_is_refused_with_those_there_are(admin, path, asked):
    code, message = refusal(admin.post(path, json={**asked, "market": "nowhere"}), 400)
    assert code == "unknown_name"
    assert "There is no market 'nowhere'. Known: default." in message
    assert admin.post(path, json={**asked, "market": "default"}).status_code == 200


def test_a_filter_with_an_unknown_column_is_refused_with_its_position_and_the_names(admin):
    body = {"placement": "home", "filter": "available AND pric < 3"}
    code, message = refusal(admin.post("/api/decide", json=body), 400)
    assert code == "invalid_rule"
    assert "pric" in message
    assert "price" in message
    assert "14" in message or "15" in message, message


@pytest.mark.parametrize("text", ["price <", "1; DROP TABLE items", "__import__('os')", "price < 'x", "(" * 3_000])
def test_a_filter_that_is_no_rule_is_refused(admin, text):
    assert refusal(admin.post("/api/decide", json={"placement": "home", "filter": text}), 400)[0] == "invalid_rule"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"placement": ""},
        {"placement": 7},
        {"placement": "home", "count": 0},
        {"placement": "home", "count": 101},
        {"placement": "home", "count": "10"},
        {"placement": "home", "count": 1.5},
        {"placement": "home", "items": []},
        {"placement": "home", "items": [{}]},
        {"placement": "home", "items": [{"id": "p0001", "relevance": "high"}]},
        {"placement": "home", "items": {"id": "p0001"}},
        {"placement": "home", "exclude": "p0001"},
        {"placement": "home", "exclude": [None]},
        {"placement": "home", "userId": "x" * 256},
        {"placement": "home", "userId": ["u"]},
        {"placement": "home", "context": []},
        {"placement": "home", "plasement": "home"},
        {"placement": "home", "market": "x" * 101},
    ],
)
def test_a_wrong_request_for_a_decision_is_refused(admin, wrong):
    assert refusal(admin.post("/api/decide", json=wrong), 400)[0] == "invalid_request"


@pytest.mark.parametrize(
    ("asked", "note"),
    [
        ({"filter": "price < 3 AND price > 5"}, "(left out: "),
        ({"filter": "category = 'nothing of the kind'"}, " by filter)."),
        ({"items": ["nobody", "nothing"]}, "2 of the 2 items listed are not in the catalogue."),
        ({"items": ["p0001"], "exclude": ["p0001"]}, " by excluded)."),
        ({"placement": "search", "query": "qqqqqqqq"}, "(nothing matches the query)"),
        ({"placement": "search", "query": "   "}, "(nothing matches the query)"),
        ({"exclude": [f"p{number:04}" for number in range(1, 1_000)]}, " by excluded)."),
    ],
)
def test_where_nothing_may_be_shown_the_answer_is_empty_and_says_which_rule_left_nothing(admin, asked, note):
    answer = admin.post("/api/decide", json={"placement": "home", **asked}).json()
    assert answer["items"] == []
    assert answer["mode"] == "anonymous"
    assert any(note in told for told in answer["notes"]), answer["notes"]
    assert not any("popular" in told for told in answer["notes"]), "nothing is shown, so nothing popular either"


def test_the_largest_lists_are_answered(admin):
    listed = [{"id": f"x{number}", "relevance": number} for number in range(999)] + ["p0001"]
    answer = admin.post("/api/decide", json={"placement": "home", "items": listed}).json()
    assert [item["id"] for item in answer["items"]] == ["p0001"]
    assert "999 of the 1000 items listed are not in the catalogue." in answer["notes"]
    body = {"placement": "home", "exclude": [f"x{number}" for number in range(10_000)]}
    assert len(admin.post("/api/decide", json=body).json()["items"]) == 10


@pytest.mark.parametrize("who", [{}, {"userId": "nobody"}, {"anonymousId": "nobody"}, {"userId": 7}, {"userId": ""}])
def test_somebody_unknown_is_answered_and_told_so(admin, who):
    answer = admin.post("/api/decide", json={"placement": "home", **who}).json()
    assert (answer["mode"], len(answer["items"])) == ("anonymous", 10)
    assert "Nothing is known about this person yet" in answer["notes"][0]


def test_not_a_number_is_refused_in_a_decision(admin):
    body = b'{"placement":"home","items":[{"id":"p0001","relevance":NaN}]}'
    assert refusal(admin.post("/api/decide", content=body), 400)[0] == "invalid_body"
    body = b'{"placement":"home","items":[{"id":"p0001","relevance":1e999}]}'
    refusal(admin.post("/api/decide", content=body), 400)


# -- the catalogue and single things -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "item",
    [
        {"title": "no id"},
        {"id": ""},
        {"id": None},
        {"id": {"a": 1}},
        {"id": "x" * 256},
        {"id": "n", "colour": "a field that items do not have"},
        {"id": "n", "price": -1},
        {"id": "n", "price": "cheap"},
        {"id": "n", "attributes": []},
        {"id": "n", "attributes": {"a": {"nested": 1}}},
        {"id": "n", "publishedAt": "yesterday"},
        {"id": "n", "title": "\x00"},
    ],
)
def test_a_wrong_item_is_refused_and_nothing_is_written(admin, item):
    code, _ = refusal(admin.put("/api/items", json={"items": [{"id": "would-be-new"}, item]}), 400)
    assert code == "invalid_item"
    assert refusal(admin.get("/api/items/would-be-new"), 404)[0] == "unknown_name"


def test_a_patch_of_an_item_that_does_not_exist_changes_nothing(admin):
    body = {"items": {"p0001": {"title": "Changed"}, "nowhere": {"title": "New"}}}
    assert refusal(admin.patch("/api/items", json=body), 404)[0] == "unknown_name"
    assert admin.get("/api/items/p0001").json()["title"] != "Changed"


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "many", "1.5", "²"])
def test_a_wrong_limit_is_refused(admin, limit):
    refusal(admin.get("/api/items", params={"limit": limit}), 400)


@pytest.mark.parametrize("path", ["/api/nothing", "/api/profiles/nobody", "/api/decisions/none", "/api/items/none"])
def test_what_does_not_exist_is_404(admin, path):
    refusal(admin.get(path), 404)


def test_a_source_key_does_not_change_the_catalogue(web, backend):
    for client in (web, backend):
        assert refusal(client.put("/api/items", json={"items": [{"id": "x"}]}), 403)[0] == "secret_key_required"
        assert refusal(client.get("/api/items"), 403)[0] == "secret_key_required"
