"""With a write key and somebody else's user id, no route returns anything about that person.

Every route there is gets the same request twice: once naming a person about whom much is known, once naming nobody. The
answers must be the same, byte for byte, but for the name itself and the number of the decision.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bespeak.console.app import PAGES, ROOT
from bespeak.engine.engine import Engine
from bespeak.intake.segment import ROUTES as TRACKING
from bespeak.serve.routes import ROUTES
from bespeak.storage.tables import log, people
from bespeak.web.tokens import make_token_key, sign
from server_fixtures import Project, Serve, Server, make_project

VICTIM = "victim-0815"
NOBODY = "nobody-4711"  # as long as the victim's id, so that lengths agree too
EMAIL = "margarete@example.com"
DEVICE = "victims-own-device"
MARKERS = (EMAIL, DEVICE, "Margarete", "victims-city")
YES = {"consent": {"categoryPreferences": {"personalize": True, "measure": True, "improve": True}}}
OLD = "2024-03-01T10:00:00Z"  # time stands at the newest event here: attackers' events must not move it
WRITE_KEY = "wk_of_the_page"  # stands for the project's own, where the address holds it
_numbers = count()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    # With the clock standing still, scores are equal to the last bit unless somebody's profile makes them differ.
    root = tmp_path_factory.mktemp("strangers") / "shop"
    flag = {
        "kind": "variant",
        "variants": {"usual": 1, "audio": 2},
        "default": "usual",
        "when": ["affinity('category', 'audio') > 0 show audio"],
    }
    return make_project(root, settings={"project": {"now": "data"}, "placements": {"flag": flag}})


@pytest.fixture(scope="module")
def server(project: Project, serve: Serve) -> Server:
    return serve(project)


@pytest.fixture(scope="module")
def admin(server: Server) -> httpx.Client:
    return server.secret()


@pytest.fixture(scope="module")
def web(server: Server, project: Project) -> httpx.Client:
    """A stranger: they read the write key in the page."""
    return server.client(project.keys.write_key)


@pytest.fixture(scope="module")
def decision(server: Server, project: Project, admin: httpx.Client) -> str:
    """Makes the victim known, and returns the id of a decision made for them."""
    who = {"userId": VICTIM, "anonymousId": DEVICE}
    liked = project.items_of("audio")[:4]
    events: list[dict[str, Any]] = [
        {"type": "identify", **who, "traits": {"email": EMAIL, "name": "Margarete", "city": "victims-city"}},
        *({"type": "track", "event": "Product Viewed", **who, "properties": {"product_id": one}} for one in liked),
        {"type": "track", "event": "Product Added", **who, "properties": {"product_id": liked[0]}},
    ]
    sent = server.client(project.keys.server_key).post("/v1/batch", json={"batch": events})
    assert sent.json()["accepted"] == len(events)
    made = admin.post("/api/decide", json={"placement": "home", "userId": VICTIM}).json()
    assert made["mode"] == "profiled"
    deadline = time.monotonic() + 30
    while admin.get(f"/api/decisions/{made['decisionId']}").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return str(made["decisionId"])


@dataclass(frozen=True)
class Ask:
    """One request that names a person."""

    method: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)

    def with_key(self, write_key: str) -> Ask:
        return replace(self, path=self.path.replace(WRITE_KEY, write_key))

    def send(self, client: httpx.Client, **headers: str) -> httpx.Response:
        return client.request(self.method, self.path, headers=headers, **self.options)


def event(kind: str, user_id: str) -> dict[str, Any]:
    return {
        "type": kind,
        "event": "Product Viewed",
        "userId": user_id,
        "anonymousId": f"stranger-{next(_numbers)}",
        "previousId": user_id,
        "groupId": user_id,
        "messageId": f"stranger-{next(_numbers)}",
        "timestamp": OLD,
        "properties": {"product_id": "p0001"},
        "context": YES,
    }


Asks = Callable[[str, str], list[Ask]]  # (user id, decision id) -> requests
EVERYTHING: dict[tuple[str, str], Asks] = {
    ("POST", "/api/decide"): lambda user, decision: (
        [
            Ask("POST", "/api/decide", {"json": {"placement": "home", "userId": user, **more}})
            for more in (
                {},
                {"anonymousId": "stranger"},
                {"profileId": "1"},
                {"explain": True, "count": 100},
                {"items": ["p0001", "p0002", "p0003", "p0004", "p0005"]},
                {"context": {**YES, "userId": user}},
            )
        ]
        + [
            Ask("POST", "/api/decide", {"json": {"placement": "similar", "userId": user}}),
            Ask("POST", "/api/decide", {"json": {"placement": "home", "anonymousId": user}}),
        ]
    ),
    ("POST", "/api/search"): lambda user, decision: [
        Ask("POST", "/api/search", {"json": {"query": "radio", "userId": user}})
    ],
    ("PUT", "/api/items"): lambda user, decision: [Ask("PUT", "/api/items", {"json": {"items": [{"id": user}]}})],
    ("PATCH", "/api/items"): lambda user, decision: [Ask("PATCH", "/api/items", {"json": {"items": {user: {}}}})],
    ("DELETE", "/api/items"): lambda user, decision: [Ask("DELETE", "/api/items", {"json": {"ids": [user]}})],
    ("GET", "/api/items"): lambda user, decision: [Ask("GET", "/api/items", {"params": {"after": user}})],
    ("GET", "/api/items/{item_id}"): lambda user, decision: [Ask("GET", f"/api/items/{user}")],
    ("GET", "/api/profiles/{user_id}"): lambda user, decision: [Ask("GET", f"/api/profiles/{user}")],
    ("GET", "/api/decisions/{decision_id}"): lambda user, decision: [Ask("GET", f"/api/decisions/{decision}")],
    ("POST", "/api/offers/{item_id}/codes"): lambda user, decision: [
        Ask("POST", "/api/offers/p0001/codes", {"json": {"codes": [user]}})
    ],
    ("POST", "/api/offers/{item_id}/issue"): lambda user, decision: [
        Ask("POST", "/api/offers/p0001/issue", {"json": {"userId": user}}),
        Ask("POST", "/api/offers/p0001/issue", {"json": {"anonymousId": user}}),
        Ask("POST", f"/api/offers/{user}/issue", {"json": {"userId": user}}),
    ],
    ("POST", "/api/page"): lambda user, decision: [
        Ask("POST", "/api/page", {"json": {"page": "front", "userId": user}}),
        Ask("POST", "/api/page", {"json": {"placements": [{"placement": "home"}], "userId": user}}),
        Ask("POST", "/api/page", {"json": {"page": "front", "anonymousId": user}}),
    ],
    ("POST", "/api/decisions"): lambda user, decision: [
        Ask("POST", "/api/decisions", {"json": {"placement": "home", "userId": user, "items": ["p0001"]}})
    ],
    ("POST", "/ofrep/v1/evaluate/flags"): lambda user, decision: [
        Ask("POST", "/ofrep/v1/evaluate/flags", {"json": {"context": {"targetingKey": user, "userId": user}}})
    ],
    ("POST", "/ofrep/v1/evaluate/flags/{key}"): lambda user, decision: [
        Ask("POST", "/ofrep/v1/evaluate/flags/flag", {"json": {"context": {"targetingKey": user}}})
    ],
    ("GET", "/api/features/{client_key}"): lambda user, decision: [
        Ask("GET", f"/api/features/{WRITE_KEY}", {"params": {"userId": user}})
    ],
    ("POST", "/api/eval/{client_key}"): lambda user, decision: [
        Ask("POST", f"/api/eval/{WRITE_KEY}", {"json": {"attributes": {"id": user, "userId": user}}})
    ],
    ("GET", "/health/live"): lambda user, decision: [Ask("GET", "/health/live", {"params": {"userId": user}})],
    ("GET", "/health/ready"): lambda user, decision: [Ask("GET", "/health/ready", {"params": {"userId": user}})],
    **{
        ("POST", f"/v1/{route}"): lambda user, decision, route=route, kind=kind: [
            Ask(
                "POST",
                f"/v1/{route}",
                {"json": event(kind, user) if kind else {"batch": [event("track", user), event("identify", user)]}},
            )
        ]
        for route, kind in TRACKING.items()
    },
    ("POST", "/v1/m"): lambda user, decision: [Ask("POST", "/v1/m", {"json": {"userId": user}})],
    **{
        (method, ROOT + path): lambda user, decision, method=method, path=path: [
            Ask(
                method,
                ROOT + path.replace("{person:int}", "1").replace("{log_id:int}", "1"),
                {"data": {"id": user, "person": user}}
                if method == "POST"
                else {"params": {"person": user, "id": user}},
            )
        ]
        for method, path, _ in PAGES
    },
    ("GET", f"{ROOT}/login"): lambda user, decision: [Ask("GET", f"{ROOT}/login", {"params": {"once": user}})],
    ("POST", f"{ROOT}/login"): lambda user, decision: [Ask("POST", f"{ROOT}/login", {"data": {"key": user}})],
    **{
        ("GET", path): lambda user, decision, path=path: [Ask("GET", path, {"params": {"userId": user}})]
        for path in ("/", "/api", "/api/openapi.json", "/bespeak.js")
    },
}


def plain(answer: httpx.Response, user_id: str) -> tuple[int, dict[str, str], str]:
    """An answer without what must differ: the name that was sent, and the number of a decision or a page.

    A tag is a hash in which the name is mixed, a ticket hides it.
    """
    text = re.sub(r'("(?:decisionId|pageId)":"|ticket=)[\w-]{32,}', r"\1", answer.text).replace(user_id, "WHO")
    unlike = ("date", "x-request-id", "etag")
    headers = {name: value for name, value in answer.headers.items() if name not in unlike}
    return answer.status_code, headers, text


def test_every_route_is_asked():
    table = {(route.method, route.path) for route in ROUTES}
    console = {(method, ROOT + path) for method, path, _ in PAGES}
    tracking = {("POST", f"/v1/{route}") for route in TRACKING}
    missing = (table | console | tracking) - set(EVERYTHING)
    assert not missing, "a new route: say here how somebody could be named in it"


# A server source vouches for what it tracks, so its events may well concern the person they name; it reads nothing.
CASES = [
    (key, route)
    for key in ("write", "server", "none")
    for route in EVERYTHING
    if not (key == "server" and route[1].startswith("/v1/"))
]


@pytest.mark.parametrize(("key", "route"), CASES, ids=[f"{key} {' '.join(route)}" for key, route in CASES])
def test_a_stranger_gets_the_same_answer_as_for_nobody(key, route, server, project, decision):
    keys = {"write": project.keys.write_key, "server": project.keys.server_key, "none": ""}
    client = server.client(keys[key])
    asked = EVERYTHING[route]
    about_victim, about_nobody = asked(VICTIM, decision), asked(NOBODY, "0" * 32)
    for one, other in zip(about_victim, about_nobody, strict=True):
        answer, expected = (ask.with_key(project.keys.write_key).send(client) for ask in (one, other))
        assert answer.status_code < 500
        assert not [marker for marker in MARKERS if marker in answer.text]
        assert plain(answer, VICTIM) == plain(expected, NOBODY)


def test_the_test_can_tell_a_leak(admin, decision):
    for route in (("GET", "/api/profiles/{user_id}"), ("POST", "/api/decide")):
        [one, *_], [other, *_] = EVERYTHING[route](VICTIM, decision), EVERYTHING[route](NOBODY, "0" * 32)
        assert plain(one.send(admin), VICTIM) != plain(other.send(admin), NOBODY)
    assert EMAIL in admin.get(f"/api/profiles/{VICTIM}").text


def test_metrics_name_nobody(web, decision):
    text = web.get("/metrics").text
    assert not [word for word in (*MARKERS, VICTIM, "p0001") if word in text]


def test_the_settings_of_the_browser_client_name_nobody(web, project, decision):
    assert web.get(f"/v1/projects/{project.keys.write_key}/settings").status_code == 200
    assert web.get(f"/v1/projects/{VICTIM}/settings").status_code == 401


@pytest.mark.parametrize("key", ["write_key", "server_key"])
def test_a_source_key_does_not_open_the_console(server, project, key):
    value = getattr(project.keys, key)
    client = server.client(value)
    answer = client.post(f"{ROOT}/login", data={"key": value})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    with_cookie = client.get(f"{ROOT}/people", headers={"cookie": f"bespeak_console={value}"})
    assert with_cookie.status_code in (302, 303, 307)


# -- person tokens -----------------------------------------------------------------------------------------------------
def forged(project: Project, kind: str) -> str:
    """A token that must not be believed."""
    now = int(time.time())
    claims: dict[str, Any] = {"sub": VICTIM, "exp": now + 600}
    own = project.keys.token_private_key
    if kind == "another key":
        return sign(make_token_key()[0], VICTIM, now_ms=now * 1000)
    if kind == "expired":
        return sign(own, VICTIM, now_ms=(now - 7200) * 1000)
    if kind == "valid for too long":
        return sign(own, VICTIM, now_ms=now * 1000, seconds=2 * 3600)
    if kind == "no signature":
        return jwt.encode(claims, None, algorithm="none")
    if kind == "changed":
        header, body, signature = sign(own, NOBODY, now_ms=now * 1000).split(".")
        other = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        assert other != body
        return f"{header}.{other}.{signature}"
    if kind == "the public key as a shared secret":
        with_key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(own)).public_key().public_bytes_raw()
        return _shared_secret(claims, with_key)
    if kind == "the public key's text as a shared secret":
        with_key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(own)).public_key().public_bytes_raw()
        return _shared_secret(claims, base64.b64encode(with_key))
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(own))
    odd = {
        "no expiry": {"sub": VICTIM},
        "an expiry that is true": {"sub": VICTIM, "exp": True},
        "an expiry in words": {"sub": VICTIM, "exp": "tomorrow"},
        "no person": {"exp": now + 600},
        "a list of persons": {"sub": [VICTIM], "exp": now + 600},
    }
    if kind in odd:
        # by hand: a library refuses to make some of these
        parts = [_part({"alg": "EdDSA", "typ": "JWT"}), _part(odd[kind])]
        signature = base64.urlsafe_b64encode(private.sign(".".join(parts).encode())).decode().rstrip("=")
        return ".".join([*parts, signature])
    return kind


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _shared_secret(claims: dict[str, Any], secret: bytes) -> str:
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    digest = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


FORGED = (
    "another key",
    "expired",
    "valid for too long",
    "no signature",
    "changed",
    "the public key as a shared secret",
    "the public key's text as a shared secret",
    "no expiry",
    "an expiry that is true",
    "an expiry in words",
    "no person",
    "a list of persons",
    "no.token.atall",
    "x",
)


@pytest.mark.parametrize("kind", FORGED)
def test_a_token_that_proves_nothing_reads_nothing(kind, server, project, decision):
    token = forged(project, kind)
    for client in (server.client(project.keys.write_key), server.client()):
        for ask in (
            Ask("GET", f"/api/profiles/{VICTIM}"),
            Ask("GET", f"/api/decisions/{decision}"),
            Ask("POST", "/api/decide", {"json": {"placement": "home", "userId": VICTIM}}),
            Ask("POST", "/api/search", {"json": {"query": "radio", "userId": VICTIM}}),
        ):
            answer = ask.send(client, **{"x-person-token": token})
            assert answer.status_code == 401, answer.text
            assert answer.json()["code"] == "not_allowed"
            assert VICTIM not in answer.text


def test_a_token_of_somebody_else_reads_nothing(server, project, web, decision):
    token = {"x-person-token": project.token(NOBODY)}
    assert web.get(f"/api/profiles/{VICTIM}", headers=token).status_code == 403
    assert web.get(f"/api/decisions/{decision}", headers=token).status_code == 404
    mismatch = web.post("/api/decide", json={"placement": "home", "userId": VICTIM}, headers=token)
    assert (mismatch.status_code, mismatch.json()["code"]) == (403, "token_mismatch")


def test_a_token_reads_its_own_person(server, project, admin, decision):
    client = server.client(**{"x-person-token": project.token(VICTIM)})
    assert client.get(f"/api/profiles/{VICTIM}").json()["traits"]["email"]["value"] == EMAIL
    assert client.get(f"/api/decisions/{decision}").status_code == 200
    made = client.post("/api/decide", json={"placement": "home"}).json()
    assert made["mode"] == "profiled"
    expected = admin.post("/api/decide", json={"placement": "home", "userId": VICTIM}).json()
    assert [item["id"] for item in made["items"]] == [item["id"] for item in expected["items"]]


def test_a_token_whose_user_id_looks_like_a_device_does_not_read_the_device(server, project, decision):
    client = server.client(**{"x-person-token": project.token(DEVICE)})
    assert client.get(f"/api/profiles/{DEVICE}").status_code == 404
    assert client.get(f"/api/decisions/{decision}").status_code == 404


# -- links -------------------------------------------------------------------------------------------------------------
CLAIMS: dict[str, dict[str, Any]] = {
    "identify": {"type": "identify", "userId": VICTIM, "traits": {"email": "thief@example.com"}},
    "identify with the victim's e-mail": {"type": "identify", "userId": NOBODY, "traits": {"email": EMAIL}},
    "track": {"type": "track", "event": "Product Added", "userId": VICTIM, "properties": {"product_id": "p0009"}},
    "alias of the victim": {"type": "alias", "userId": NOBODY, "previousId": VICTIM},
    "alias to the victim": {"type": "alias", "userId": VICTIM, "previousId": "the-thief"},
    "alias of the device": {"type": "alias", "userId": NOBODY, "previousId": DEVICE},
    "group": {"type": "group", "userId": VICTIM, "groupId": "acme", "traits": {"plan": "pro"}},
    "an external id": {
        "type": "identify",
        "userId": NOBODY,
        "context": {**YES, "externalIds": [{"type": "user_id", "id": VICTIM}, {"type": "email", "id": EMAIL}]},
    },
    "a household profile": {"type": "identify", "userId": VICTIM, "profileId": "child", "traits": {"age": 9}},
}


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_claim_from_a_browser_links_nothing(kind, web, admin, decision):
    thief = f"thief-{next(_numbers)}"
    known = admin.get(f"/api/profiles/{VICTIM}").json()
    slate = admin.post("/api/decide", json={"placement": "home", "userId": VICTIM}).json()
    claim = {"anonymousId": thief, "timestamp": OLD, "context": YES, **CLAIMS[kind]}
    for number in range(2):
        sent = web.post("/v1/batch", json={"batch": [{**claim, "messageId": f"{thief}-{number}"}]})
        assert sent.status_code == 200
    view = {"type": "track", "event": "Product Viewed", "anonymousId": thief, "timestamp": OLD, "context": YES}
    assert web.post("/v1/batch", json={"batch": [{**view, "properties": {"product_id": "p0008"}}]}).status_code == 200

    assert admin.get(f"/api/profiles/{VICTIM}").json() == known
    after = admin.post("/api/decide", json={"placement": "home", "userId": VICTIM}).json()
    assert [item["id"] for item in after["items"]] == [item["id"] for item in slate["items"]]
    seen = web.post("/api/decide", json={"placement": "home", "anonymousId": thief, "explain": True}).text
    assert not [marker for marker in MARKERS if marker in seen]
    own = admin.get(f"/api/profiles/{thief}").json()
    assert VICTIM not in json.dumps(own["ids"])
    assert DEVICE not in json.dumps(own["ids"])


@pytest.mark.parametrize("way", ["user id", "external id"])
def test_a_claim_made_before_the_person_comes_links_nothing_later(way, web, admin, server, project):
    user, thief, mail = f"later-{way}", f"early-thief-{way}", f"later-{len(way)}@example.com"
    external = {"externalIds": [{"type": "email", "id": mail}]}
    claimed = {"userId": user} if way == "user id" else {}
    claim = {"type": "identify", **claimed, "anonymousId": thief, "timestamp": OLD, "context": {**YES, **external}}
    assert web.post("/v1/batch", json={"batch": [claim]}).json()["accepted"] == 1
    real = {"type": "track", "event": "Product Viewed", "userId": user, "timestamp": OLD, "context": external}
    real |= {"properties": {"product_id": "p0013"}, "anonymousId": f"own-device-{way}"}
    backend = server.client(project.keys.server_key)
    assert backend.post("/v1/batch", json={"batch": [real]}).json()["accepted"] == 1
    stolen = json.dumps(admin.get(f"/api/profiles/{thief}").json())
    assert user not in stolen
    assert "p0013" not in stolen
    assert thief not in json.dumps(admin.get(f"/api/profiles/{user}").json())


@pytest.mark.parametrize("kind", [*FORGED, "of somebody else"])
def test_a_tracked_token_that_proves_nothing_confirms_nothing(kind, web, admin, project, decision):
    token = project.token(NOBODY) if kind == "of somebody else" else forged(project, kind)
    known = admin.get(f"/api/profiles/{VICTIM}").json()
    claim = {"type": "identify", "userId": VICTIM, "anonymousId": f"thief-{next(_numbers)}", "timestamp": OLD}
    sent = web.post("/v1/batch", json={"batch": [{**claim, "context": {**YES, "personToken": token}}]})
    assert sent.json()["accepted"] == 1
    assert admin.get(f"/api/profiles/{VICTIM}").json() == known


def test_a_tracked_token_confirms_the_link_and_is_not_kept(web, admin, server, project, decision):
    token = project.token("confirmed-user")
    view = {"type": "track", "event": "Product Viewed", "anonymousId": "confirmed-device", "timestamp": OLD}
    view |= {"properties": {"product_id": "p0012"}, "context": YES}
    identify = {"type": "identify", "userId": "confirmed-user", "anonymousId": "confirmed-device", "timestamp": OLD}
    assert web.post("/v1/batch", json={"batch": [view, {**identify, "context": YES}]}).json()["accepted"] == 2
    assert admin.get("/api/profiles/confirmed-user").status_code == 404
    with_token = {**identify, "messageId": "with-token", "context": {**YES, "personToken": token}}
    assert web.post("/v1/batch", json={"batch": [with_token]}).json()["accepted"] == 1
    found = admin.get("/api/profiles/confirmed-user").json()
    assert [step["item"] for step in found["recent"]] == ["p0012"]

    # the last test of the file: the folder is read as the server left it
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(30)
    signature = token.rsplit(".", 1)[1]
    with Engine.open(project.root) as engine, engine.core.store.read() as session:
        person = engine.profiles.find("confirmed-user")
        assert person is not None
        entries = list(log.entries_of(session, people.members(session, person)))
    assert len(entries) >= 3
    assert not [entry for entry in entries if signature in repr(entry.body)]
    assert not [path for path in project.root.rglob("*") if path.is_file() and signature.encode() in path.read_bytes()]
