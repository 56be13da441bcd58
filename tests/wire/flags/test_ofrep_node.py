"""The unmodified OpenFeature SDK for Node with its OFREP provider, against a real server."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.measure.assignment import bucket
from node_fixtures import run_node
from server_fixtures import Project, Server

pytestmark = pytest.mark.outside

SCRIPT = """
const { OpenFeature } = require('@openfeature/server-sdk')
const { OFREPProvider } = require('@openfeature/ofrep-provider')
const [, baseUrl, key, calls] = process.argv
async function main() {
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers: [['Authorization', `Bearer ${key}`]] }))
  const client = OpenFeature.getClient()
  const found = []
  for (const [type, flag, otherwise, context] of JSON.parse(calls))
    found.push(await client[`get${type}Details`](flag, otherwise, context))
  console.log(JSON.stringify(found))
  await OpenFeature.close()
}
main()
"""


def resolved(server: Server, key: str, *calls: tuple[str, str, Any, dict[str, Any]]) -> list[dict[str, Any]]:
    """What the client says of (type, flag, default, context)."""
    found: list[dict[str, Any]] = run_node(SCRIPT, server.url, key, calls)
    return found


def test_values_variants_and_reasons_arrive(server: Server, project: Project):
    anna = {"targetingKey": "anna", "plan": "pro"}
    found = resolved(
        server,
        project.keys.secret_key,
        ("Boolean", "deep/er flag", False, anna),
        ("String", "banner", "?", anna),
        ("Number", "ratio", 0, anna),
        ("Object", "constant", {}, anna),
        ("Object", "list", [], anna),
        ("Boolean", "checkout", False, anna),
    )
    new = bucket("1:checkout:split", "anna") < 0.5
    assert [(one["value"], one["variant"], one["reason"]) for one in found] == [
        (True, "on", "STATIC"),
        ("Hello, pro", "pro", "TARGETING_MATCH"),
        (1, "one", "STATIC"),
        ({"title": "Hello", "n": 2}, "only", "STATIC"),
        (["a", "b"], "ab", "STATIC"),
        (new, "new" if new else "old", "SPLIT"),
    ]
    assert all(one["flagMetadata"]["decisionId"] for one in found)


def test_errors_have_their_codes(server: Server, project: Project):
    found = resolved(
        server,
        project.keys.secret_key,
        ("Boolean", "nowhere", False, {"targetingKey": "anna"}),
        ("Boolean", "checkout", False, {}),
        ("Boolean", "limit", False, {"targetingKey": "anna"}),
    )
    assert [(one["value"], one["errorCode"]) for one in found] == [
        (False, "FLAG_NOT_FOUND"),
        (False, "TARGETING_KEY_MISSING"),
        (False, "TYPE_MISMATCH"),
    ]


def test_a_wrong_key_gives_the_default(server: Server):
    [one] = resolved(server, "sk_wrong", ("Boolean", "deep/er flag", False, {"targetingKey": "anna"}))
    assert (one["value"], one["errorCode"]) == (False, "GENERAL")
