"""The API document is the truth: what it allows is taken, what it forbids is refused, and nothing is a 500.

Requests are generated from the document of a real server, the same ones in every run. What JSON Schema cannot say is
filled in here, as its descriptions tell people: keys, rules, ids that exist, and that an end lies after its begin.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bespeak.serve.routes import ROUTES
from flag_fixtures import FLAGS, project
from server_fixtures import Project, Server, basic

__all__ = ["project"]

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
N_VALID = 50
N_INVALID = 25
MIN_TAKEN = 0.99
LABELS = [(route.method, route.path) for route in ROUTES]
RULES = (
    "price < 100",
    "category = 'audio'",
    "category IN ('audio', 'books') AND NOT brand = 'Basswerk'",
    "rating >= 3.5 OR title LIKE 'A%'",
    "",
)

FUZZ = settings(
    max_examples=N_VALID,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def session(server: Server, project: Project) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.headers["Authorization"] = basic(project.keys.secret_key)
        yield made


OFFER = "offer-of-the-fuzz"


@dataclass(frozen=True)
class Known:
    """Names that exist."""

    items: list[str]
    users: list[str]
    decisions: list[str]
    flags: list[str]
    write_key: str


@pytest.fixture(scope="module")
def known(server: Server, project: Project) -> Known:
    admin = server.secret()
    users = [f"fuzz-{number}" for number in range(5)]
    views = [
        {"type": "track", "event": "Product Viewed", "userId": user, "properties": {"product_id": f"p{place:04}"}}
        for user in users
        for place in range(1, 5)
    ]
    assert admin.post("/v1/batch", json={"batch": views}).json()["accepted"] == len(views)
    decided = [admin.post("/api/decide", json={"placement": "home", "userId": user}).json() for user in users]
    assert admin.post("/v1/batch", json={"batch": views[:1]}).status_code == 200  # behind the decisions in the queue
    decisions = [one["decisionId"] for one in decided]
    # An item of its own, which no other request lets expire.
    assert admin.put("/api/items", json={"items": [{"id": OFFER, "kind": "offer"}]}).status_code == 200
    codes = {"codes": [f"C{place}" for place in users]}
    assert admin.post(f"/api/offers/{OFFER}/codes", json=codes).json()["n"] == len(users)
    return Known([item["id"] for item in project.world.items()], users, decisions, ["constant", "list"], "wk_flags")


@pytest.fixture(scope="module")
def schema(server: Server, project: Project) -> Any:
    schemathesis.openapi.format("bespeak-rule", st.sampled_from(RULES))
    schemathesis.openapi.format("bespeak-key", st.just(project.keys.secret_key))
    return schemathesis.openapi.from_url(server.url + "/api/openapi.json")


def existing(case: Any, known: Known) -> None:
    """Puts names that exist where the document says that they must."""
    pools = {
        "item_id": known.items,
        "user_id": known.users,
        "decision_id": known.decisions,
        "key": known.flags,
        "client_key": [known.write_key],
    }
    for name, value in (case.path_parameters or {}).items():
        pool = pools[name]
        case.path_parameters[name] = pool[len(str(value)) % len(pool)]
    if case.operation.label == "POST /api/decide" and case.body["placement"] in FLAGS:
        for name in ("items", "query", "filter"):  # they are about items
            case.body.pop(name, None)
    if case.operation.label == "POST /api/offers/{item_id}/issue":
        case.path_parameters["item_id"] = OFFER  # which has a code for each of these
        case.body = {"userId": known.users[len(str(case.body)) % len(known.users)]}
    if case.operation.label == "POST /api/decisions" and case.body.get("decisionId"):
        about = hashlib.sha256(repr(sorted(case.body.items())).encode()).hexdigest()
        case.body["decisionId"] = about  # one id names one slate; a generator likes short ones, and says them again
    if case.operation.label == "POST /api/page" and case.body.get("caps"):
        case.body["caps"] = {"category": max(case.body["caps"].values())}
    if case.operation.label == "PATCH /api/items":
        items = list(case.body["items"].values())
        case.body["items"] = {known.items[place % len(known.items)]: change for place, change in enumerate(items)}
        for change in items:  # both ends or none: what the item holds already is not known here
            if ("publishedAt" in change) != ("expiresAt" in change):
                change |= {"publishedAt": None, "expiresAt": None}


def error_fields(path: str) -> set[str]:
    """The fields of an error: ours, or those of OFREP."""
    if not path.startswith("/ofrep/"):
        return {"code", "message"}
    return {"errorCode", "errorDetails"} | ({"key"} if "{key}" in path else set())


def in_order(value: Any) -> None:
    """Puts the ends of windows behind their begins."""
    if isinstance(value, dict):
        for begin, end in (("publishedAt", "expiresAt"), ("fromMs", "untilMs")):
            if isinstance(value.get(begin), int) and isinstance(value.get(end), int):
                value[begin], value[end] = sorted((value[begin], value[end]))
            elif value.get(begin) is not None and value.get(end) is not None:
                value[end] = None
        for part in value.values():
            in_order(part)
    elif isinstance(value, list):
        for part in value:
            in_order(part)


@pytest.mark.parametrize(("method", "path"), LABELS, ids=[" ".join(label) for label in LABELS])
def test_what_the_document_allows_is_taken(method, path, schema, session, known):
    n_sent = 0
    refusals: Counter[str] = Counter()

    @seed(1)
    @FUZZ
    @given(case=schema[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def send(case: Any) -> None:
        case.headers = {}  # keys and tokens are not guessed: the session brings the secret key
        existing(case, known)
        in_order(case.body)
        answer = case.call(session=session)
        case.validate_response(answer, checks=CHECKS)
        nonlocal n_sent
        n_sent += 1
        if answer.status_code != 200:
            assert set(answer.json()) == error_fields(path)
            refusals[f"{answer.status_code} {answer.text}"] += 1

    send()
    assert n_sent
    assert 1 - refusals.total() / n_sent >= MIN_TAKEN, refusals.most_common(10)


INVALID = [(route.method, route.path) for route in ROUTES if route.request is not None or route.query]


@pytest.mark.parametrize(("method", "path"), INVALID, ids=[" ".join(label) for label in INVALID])
def test_what_the_document_forbids_is_no_fault_of_ours(method, path, schema, session):
    @seed(2)
    @settings(FUZZ, max_examples=N_INVALID)
    @given(case=schema[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def send(case: Any) -> None:
        answer = case.call(session=session)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert set(answer.json()) == error_fields(path)

    send()
