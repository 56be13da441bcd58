"""OFREP and GrowthBook over HTTP: shapes, errors, entity tags, who is believed, and what is logged."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bespeak.engine.engine import Engine
from bespeak.measure.assignment import bucket
from bespeak.storage.tables import records
from flag_fixtures import FLAGS, project
from server_fixtures import Project, Server

__all__ = ["project"]

ONE, ALL = "/ofrep/v1/evaluate/flags/", "/ofrep/v1/evaluate/flags"
SHARED = ("checkout", "by device")


def evaluate(
    server: Server, key: str, context: dict[str, Any] | None = None, *, as_key: str = "", **headers: str
) -> Any:
    client = server.client(as_key or server.project.keys.secret_key, **headers)
    return client.post(ONE + key, json={"context": context or {}})


def bulk(server: Server, context: dict[str, Any], *, as_key: str = "", **headers: str) -> httpx.Response:
    client = server.client(as_key or server.project.keys.secret_key, **headers)
    return client.post(ALL, json={"context": context})


def view(server: Server, user_id: str, item_id: str) -> None:
    event = {"type": "track", "event": "Product Viewed", "userId": user_id, "properties": {"product_id": item_id}}
    assert server.client(server.project.keys.server_key).post("/v1/batch", json={"batch": [event]}).status_code == 200


def settled(read: Callable[[], Any]) -> Any:
    """What is read, once there is something: records reach the log a moment after the answer."""
    deadline = time.monotonic() + 30
    while not (found := read()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


# -- OFREP: answers ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "context", "value", "variant", "reason"),
    [
        ("constant", {}, {"title": "Hello", "n": 2}, "only", "STATIC"),
        ("list", {}, ["a", "b"], "ab", "STATIC"),
        ("limit", {}, 3, "three", "STATIC"),
        ("banner", {}, "Hello", "plain", "DEFAULT"),
        ("banner", {"device": "mobile"}, "Hi", "short", "TARGETING_MATCH"),
        ("banner", {"plan": "team"}, "Hello, pro", "pro", "TARGETING_MATCH"),
        ("banner", {"plan": 3}, "Hello", "plain", "DEFAULT"),
        ("deep/er flag", {}, True, "on", "STATIC"),
    ],
)
def test_a_flag_answers_with_value_variant_and_reason(key, context, value, variant, reason, server: Server):
    answer = evaluate(server, key, {"targetingKey": "u1", **context})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert found.keys() == {"key", "value", "reason", "variant", "metadata"}
    assert (found["key"], found["value"], found["variant"], found["reason"]) == (key, value, variant, reason)
    assert found["metadata"]["decisionId"]
    assert all(isinstance(part, str | float | int | bool) for part in found["metadata"].values())


def test_a_message_is_decided_when_it_is_sent_and_stands_in_nothing_that_a_page_fetches(server: Server):
    assert evaluate(server, "letter", {"targetingKey": "u1"}).json()["value"]["subject"] == "We miss you"
    page = server.client("wk_flags")
    fetched = [
        bulk(server, {"targetingKey": "d1"}, as_key="wk_flags").text,
        page.get("/api/features/wk_flags").text,
        page.post("/api/eval/wk_flags", json={"attributes": {"id": "d1"}}).text,
    ]
    assert not [text for text in fetched if "letter" in text or "Half price" in text]
    assert all("constant" in text for text in fetched)


def test_a_number_with_a_point_keeps_it(server: Server):
    assert '"value":1.0,' in evaluate(server, "ratio", {"targetingKey": "u1"}).text


def test_a_split_goes_by_the_published_hash_of_the_targeting_key(server: Server):
    for number in range(20):
        found = evaluate(server, "checkout", {"targetingKey": f"u{number}"}).json()
        assert found["value"] is (bucket("1:checkout:split", f"u{number}") < 0.5)
        assert (found["reason"], found["metadata"]["propensity"]) == ("SPLIT", 0.5)


def test_a_flag_reads_the_profile_of_a_proven_person_at_once(server: Server, project: Project):
    view(server, "reader", "p0001")
    assert evaluate(server, "loyal", {"targetingKey": "reader"}).json()["value"] is False
    view(server, "reader", "p0002")
    assert evaluate(server, "loyal", {"targetingKey": "reader"}).json()["value"] is True
    # a write key names nobody: the same key is a device of this name
    asked = evaluate(server, "loyal", {"targetingKey": "reader"}, as_key="wk_flags").json()
    assert (asked["value"], asked["metadata"]["mode"]) == (False, "anonymous")
    token = {"X-Person-Token": project.token("reader")}
    asked = evaluate(server, "loyal", {"targetingKey": "reader"}, as_key="wk_flags", **token).json()
    assert (asked["value"], asked["metadata"]["mode"]) == (True, "profiled")


# -- OFREP: errors -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (ONE + "nowhere", b"{}", 404, "FLAG_NOT_FOUND"),
        (ONE + "home", b"{}", 404, "FLAG_NOT_FOUND"),
        (ONE + "banner", b"{", 400, "PARSE_ERROR"),
        (ONE + "banner", b"[]", 400, "PARSE_ERROR"),
        (ONE + "banner", b"\xff", 400, "PARSE_ERROR"),
        (ONE + "banner", b'{"context": 3}', 400, "INVALID_CONTEXT"),
        (ONE + "banner", b'{"context": {"targetingKey": ["u"]}}', 400, "INVALID_CONTEXT"),
        (ONE + "banner", b'{"context": {"targetingKey": "\\u0000"}}', 400, "INVALID_CONTEXT"),
        (ONE + "banner", b'{"context": {"targetingKey": "' + b"u" * 300 + b'"}}', 400, "INVALID_CONTEXT"),
        (ONE + "checkout", b"{}", 400, "TARGETING_KEY_MISSING"),
        (ONE + "checkout", b'{"context": {"targetingKey": ""}}', 400, "TARGETING_KEY_MISSING"),
        (ONE + "by device", b'{"context": {"targetingKey": "u1"}}', 400, "TARGETING_KEY_MISSING"),
        (ALL, b"{", 400, "PARSE_ERROR"),
        (ALL, b'{"context": []}', 400, "INVALID_CONTEXT"),
        (ONE + "banner", b" " * 5_000_000, 413, "GENERAL"),
    ],
)
def test_every_error_has_the_shape_that_clients_read(path, body, status, code, server: Server):
    answer = server.secret().post(path, content=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code), answer.text
    assert answer.json()["errorDetails"]
    assert answer.json().get("key") == (path.removeprefix(ONE) if path != ALL else None)


@pytest.mark.parametrize(
    "plan", ["9" * 50, "1e400", '{"a": ' + "9" * 50 + "}", "[" * 400 + "]" * 400, '"' + "x" * 100_000 + '"', "null"]
)
def test_an_attribute_that_makes_no_sense_decides_nothing(plan, server: Server):
    body = f'{{"context": {{"targetingKey": "odd", "plan": {plan}, "device": {{"type": 3}}, "page": 7}}}}'
    answers = [server.secret().post(path, content=body) for path in (ONE + "banner", ALL)]
    body = body.replace("context", "attributes").replace("targetingKey", "id")
    answers.append(server.client().post("/api/eval/wk_flags", content=body))
    assert {answer.status_code for answer in answers} <= {200, 400}
    assert {answer.status_code for answer in answers} == {200} or plan in ("1e400",)


@pytest.mark.parametrize("path", [ALL, ONE + "banner"])
def test_without_a_known_key_nothing_is_evaluated(path, server: Server):
    for client in (server.client(), server.client("wk_unknown")):
        answer = client.post(path, json={})
        assert (answer.status_code, answer.json()["errorCode"]) == (401, "GENERAL")


def test_a_token_of_somebody_else_is_refused(server: Server, project: Project):
    answer = bulk(server, {"targetingKey": "u2"}, as_key="wk_flags", **{"X-Person-Token": project.token("u1")})
    assert answer.status_code == 403


def test_another_method_is_refused_in_the_same_shape(server: Server):
    answer = server.secret().get(ALL)
    assert (answer.status_code, answer.json()["errorCode"]) == (405, "GENERAL")


# -- OFREP: all at once ------------------------------------------------------------------------------------------------
def test_all_flags_come_at_once_and_each_fails_by_itself(server: Server):
    found = {flag["key"]: flag for flag in bulk(server, {}).json()["flags"]}
    assert found.keys() == FLAGS.keys()
    for key in SHARED:
        assert (found[key]["errorCode"], found[key]["key"]) == ("TARGETING_KEY_MISSING", key)
    assert all("value" in flag for key, flag in found.items() if key not in SHARED)


def test_one_and_all_agree(server: Server):
    context = {"targetingKey": "u7", "anonymousId": "d7", "plan": "pro"}
    for flag in bulk(server, context).json()["flags"]:
        one = evaluate(server, flag["key"], context).json()
        assert (one["value"], one["variant"], one["reason"]) == (flag["value"], flag["variant"], flag["reason"])


def test_an_unchanged_answer_is_not_sent_again(server: Server):
    first = bulk(server, {"targetingKey": "tagged"})
    tag = first.headers["etag"]
    for held in (tag, f"W/{tag}", f'"other", {tag}'):
        again = bulk(server, {"targetingKey": "tagged"}, **{"If-None-Match": held})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)


@pytest.mark.parametrize("more", [{"device": "mobile"}, {"plan": "pro"}, {"targetingKey": "somebody"}])
def test_another_context_is_another_answer(more, server: Server):
    context = {"targetingKey": "tagged", "anonymousId": "d1"}
    tag = bulk(server, context).headers["etag"]
    answer = bulk(server, {**context, **more}, **{"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.headers["etag"] != tag


def test_another_state_of_the_person_is_another_answer(server: Server):
    view(server, "mover", "p0001")
    tag = bulk(server, {"targetingKey": "mover"}).headers["etag"]
    view(server, "mover", "p0002")
    answer = bulk(server, {"targetingKey": "mover"}, **{"If-None-Match": tag})
    assert {flag["key"]: flag.get("value") for flag in answer.json()["flags"]}["loyal"] is True


# -- what is logged ----------------------------------------------------------------------------------------------------
def test_the_same_question_leaves_one_record_which_says_whether_it_was_shown(server: Server):
    view(server, "counted", "p0001")
    ids = set()
    for _ in range(3):
        ids.add(evaluate(server, "constant", {"targetingKey": "counted"}).json()["metadata"]["decisionId"])
        [ahead] = [
            flag for flag in bulk(server, {"targetingKey": "counted"}).json()["flags"] if flag["key"] == "constant"
        ]
        ids.add(ahead["metadata"]["decisionId"])
    assert len(ids) == 2
    made = settled(lambda: _records(server, ids))
    assert sorted(record["is_ahead"] for record in made) == [False, True]
    assert {record["person"] for record in made} == {made[0]["person"]} != {None}
    assert {record["items"][0]["item_id"] for record in made} == {"only"}


def _records(server: Server, ids: set[str]) -> list[dict[str, Any]]:
    found = [server.secret().get(f"/api/decisions/{name}") for name in sorted(ids)]
    return [{"is_ahead": False, **one.json()} for one in found] if all(one.status_code == 200 for one in found) else []


@pytest.mark.parametrize("names", [("variation_id", "decision_id"), ("variationId", "decisionId")])
def test_an_experiment_that_was_viewed_tells_what_was_shown(names, server: Server, project: Project):
    user_id = f"shown-{names[0]}"
    view(server, user_id, "p0001")
    found = evaluate(server, "checkout", {"targetingKey": user_id}).json()
    seen = {names[0]: found["variant"], names[1]: found["metadata"]["decisionId"], "experiment_id": "checkout"}
    event = {"type": "track", "event": "Experiment Viewed", "userId": user_id, "properties": seen}
    server.client(project.keys.server_key).post("/v1/batch", json={"batch": [event]}).raise_for_status()
    with Engine.open(project.root) as engine, engine.core.store.read() as session:
        person = engine.profiles.find(user_id)
        assert person is not None
        [exposure] = records.exposures_of(session, [person])
    assert (exposure.decision_id, exposure.item_id) == (found["metadata"]["decisionId"], found["variant"])


# -- GrowthBook --------------------------------------------------------------------------------------------------------
def test_features_hold_what_an_sdk_can_evaluate_and_nothing_else(server: Server):
    found = server.client().get("/api/features/wk_flags").json()
    assert found["status"] == 200
    assert FLAGS.keys() - found["features"].keys() == {"loyal"}
    assert found["features"]["constant"] == {"defaultValue": {"title": "Hello", "n": 2}, "rules": []}
    [split] = found["features"]["checkout"]["rules"]
    assert (split["seed"], split["hashVersion"], split["hashAttribute"]) == ("1:checkout:split", 2, "id")
    [first, second] = found["features"]["banner"]["rules"]
    assert (first["force"], second["force"]) == ("Hi", "Hello, pro")
    assert "plan" in second["condition"]


def test_features_that_an_sdk_holds_are_not_sent_again(server: Server):
    client = server.client()
    tag = client.get("/api/features/wk_flags").headers["etag"]
    again = client.get("/api/features/wk_flags", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("method", ["GET /api/features/", "POST /api/eval/"])
def test_a_secret_key_must_not_stand_in_an_address(method, server: Server, project: Project):
    verb, path = method.split()
    answer = server.client().request(verb, path + project.keys.secret_key)
    assert (answer.status_code, answer.json()["code"]) == (403, "secret_key_in_address")
    assert server.client().request(verb, path + "wk_nobody").status_code == 401
    assert server.client().request(verb, path).status_code in (404, 405)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"attributes": 3}', b'{"attributes": {"id": {}}}'])
def test_a_wrong_body_is_refused(body, server: Server):
    answer = server.client().post("/api/eval/wk_flags", content=body)
    assert answer.status_code == 400
    assert answer.json().keys() == {"code", "message"}


def test_remote_evaluation_answers_as_ofrep_does(server: Server):
    asked = {"attributes": {"id": "v1", "plan": "pro"}, "forcedVariations": {}, "forcedFeatures": [], "url": "x"}
    found = server.client().post("/api/eval/wk_flags", json=asked).json()["features"]
    flags = bulk(server, {"targetingKey": "v1", "plan": "pro"}, as_key="wk_flags").json()["flags"]
    assert {key: feature["defaultValue"] for key, feature in found.items()} == {f["key"]: f["value"] for f in flags}
    [track] = found["checkout"]["rules"][0]["tracks"]
    assert track["experiment"] == {"key": "checkout", "variations": [False, True]}
    told = {flag["key"]: flag for flag in flags}["checkout"]
    assert track["result"]["key"] == told["variant"]
    assert track["result"]["decisionId"] == told["metadata"]["decisionId"]


def test_remote_evaluation_reads_the_person_that_a_token_proves(server: Server, project: Project):
    for item_id in ("p0001", "p0002"):
        view(server, "remote", item_id)
    client = server.client(**{"X-Person-Token": project.token("remote")})
    asked = {"attributes": {"id": "remote"}}
    assert client.post("/api/eval/wk_flags", json=asked).json()["features"]["loyal"] == {"defaultValue": True}
    unproven = server.client().post("/api/eval/wk_flags", json=asked).json()["features"]["loyal"]
    assert unproven == {"defaultValue": False}
    secret = server.secret().post("/api/eval/wk_flags", json=asked).json()["features"]["loyal"]
    assert secret == {"defaultValue": True}


@pytest.mark.parametrize("attributes", [{}, {"id": ""}, {"id": None, "anonymousId": ""}])
def test_nobody_gets_the_default_of_flags_that_share_visitors_out(attributes, server: Server):
    found = server.client().post("/api/eval/wk_flags", json={"attributes": attributes}).json()["features"]
    assert FLAGS.keys() == found.keys()
    assert [found[key] for key in SHARED] == [{"defaultValue": False}, {"defaultValue": "A"}]


# -- event streams -----------------------------------------------------------------------------------------------------
class Listener:
    """Listens to an event stream on a thread and keeps the messages that are not comments."""

    def __init__(self, server: Server, address: str) -> None:
        self.lines: list[str] = []
        self.status = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(server.url + address,))
        self._thread.start()
        assert self._ready.wait(30)

    def _listen(self, url: str) -> None:
        with httpx.Client(trust_env=False, timeout=60) as client, client.stream("GET", url) as answer:
            self.status = answer.status_code
            for line in answer.iter_lines():
                self._ready.set()
                if line and not line.startswith(":"):
                    self.lines.append(line)
        self._ready.set()

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.mark.parametrize("ticket", ["", "x", "AAAA", "%ff", "é"])
def test_a_stream_needs_a_ticket_of_ours(ticket, server: Server):
    answer = server.client().get("/ofrep/v1/events", params={"ticket": ticket})
    assert (answer.status_code, answer.json()["code"]) == (403, "ticket_refused")


def test_streams_tell_of_the_person_and_of_the_configuration_and_end_with_the_server(server: Server, project: Project):
    """The last test: it stops the server."""
    view(server, "listener", "p0001")
    [stream] = bulk(server, {"targetingKey": "listener"}).json()["eventStreams"]
    assert stream["type"] == "sse"
    assert "listener" not in stream["endpoint"]["requestUri"]
    heard = Listener(server, stream["endpoint"]["requestUri"])
    others = Listener(
        server, bulk(server, {"targetingKey": "somebody else"}).json()["eventStreams"][0]["endpoint"]["requestUri"]
    )
    features = Listener(server, "/sub/wk_flags")
    view(server, "listener", "p0002")
    settled(lambda: heard.lines)
    assert json.loads(heard.lines[0].removeprefix("data: "))["type"] == "refetchEvaluation"
    assert not others.lines
    text = project.root.joinpath("bespeak.toml").read_text(encoding="utf-8")
    project.root.joinpath("bespeak.toml").write_text(
        text + "\n# changed\n[placements.more]\nkind = 'variant'\nvariants = ['x']\n"
    )
    with Engine.open(project.root) as engine:
        engine.core.apply()
    for one in (others, features):
        settled(lambda one=one: one.lines)
    assert features.lines[0] == "event: features-updated"
    assert server.stop() == 0
    for one in (heard, others, features):
        one.join()
        assert one.status == 200
