"""The unmodified OpenFeature SDK for Python with its OFREP provider, against a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from bespeak.measure.assignment import bucket
from server_fixtures import Project, Server

Connect = Callable[..., OpenFeatureClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects a client; the SDK is set back afterwards."""

    def connected(server: Server, key: str, **headers: str) -> OpenFeatureClient:
        given = {"Authorization": f"Bearer {key}", **headers}
        api.set_provider(OFREPProvider(server.url, headers_factory=lambda: given, timeout=30))
        return api.get_client()

    yield connected
    api.clear_providers()


def test_every_type_arrives_as_itself(connect, server: Server, project: Project):
    client = connect(server, project.keys.secret_key)
    anna = EvaluationContext("anna")
    assert client.get_boolean_value("deep/er flag", False, anna) is True
    assert client.get_string_value("banner", "?", anna) == "Hello"
    assert client.get_integer_value("limit", 0, anna) == 3
    assert client.get_float_value("ratio", 0.0, anna) == 1.0
    assert client.get_object_value("constant", {}, anna) == {"title": "Hello", "n": 2}
    assert client.get_object_value("list", [], anna) == ["a", "b"]


def test_variant_reason_and_metadata_arrive(connect, server: Server, project: Project):
    client = connect(server, project.keys.secret_key)
    details = client.get_string_details("banner", "?", EvaluationContext("anna", {"plan": "pro"}))
    assert (details.value, details.variant, details.reason) == ("Hello, pro", "pro", Reason.TARGETING_MATCH)
    assert details.flag_metadata["decidedBy"] == "rule"
    shared = client.get_boolean_details("checkout", False, EvaluationContext("anna"))
    assert (shared.reason, shared.flag_metadata["propensity"]) == (Reason.SPLIT, 0.5)
    assert shared.value is (bucket("1:checkout:split", "anna") < 0.5)


def test_the_profile_decides_for_the_person_that_the_backend_names(connect, server: Server, project: Project):
    event = {"type": "track", "event": "Product Viewed", "userId": "pia", "properties": {"product_id": "p0001"}}
    server.client(project.keys.server_key).post("/v1/batch", json={"batch": [event, event]}).raise_for_status()
    client = connect(server, project.keys.secret_key)
    assert client.get_boolean_value("loyal", False, EvaluationContext("pia")) is True
    assert client.get_boolean_value("loyal", False, EvaluationContext("nobody")) is False


@pytest.mark.parametrize(
    ("key", "code"),
    [("nowhere", ErrorCode.FLAG_NOT_FOUND), ("checkout", ErrorCode.TARGETING_KEY_MISSING)],
)
def test_errors_have_their_codes(key, code, connect, server: Server, project: Project):
    details = connect(server, project.keys.secret_key).get_boolean_details(key, False)
    assert (details.value, details.reason, details.error_code) == (False, Reason.ERROR, code)
    assert details.error_message


def test_a_value_of_another_type_gives_the_default(connect, server: Server, project: Project):
    details = connect(server, project.keys.secret_key).get_boolean_details("limit", False, EvaluationContext("anna"))
    assert (details.value, details.error_code) == (False, ErrorCode.TYPE_MISMATCH)


def test_a_wrong_key_gives_the_default(connect, server: Server):
    details = connect(server, "sk_wrong").get_boolean_details("deep/er flag", False, EvaluationContext("anna"))
    assert (details.value, details.error_code) == (False, ErrorCode.GENERAL)
