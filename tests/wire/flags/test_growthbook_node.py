"""The unmodified GrowthBook SDK for JavaScript against a real server: it evaluates itself as the server does."""

from __future__ import annotations

from typing import Any

import pytest

from flag_fixtures import FLAGS
from node_fixtures import run_node
from server_fixtures import Project, Server

pytestmark = pytest.mark.outside

SCRIPT = """
const { GrowthBook } = require('@growthbook/growthbook')
const [, apiHost, visitors, options] = process.argv
async function main() {
  const found = []
  for (const attributes of JSON.parse(visitors)) {
    const told = {}
    const trackingCallback = (experiment, result) => (told[experiment.key] = [result.key, result.decisionId])
    const gb = new GrowthBook({ apiHost, clientKey: 'wk_flags', attributes, trackingCallback, ...JSON.parse(options) })
    await gb.init({ timeout: 20000, skipCache: true })
    const values = {}
    for (const key of Object.keys(gb.getFeatures())) values[key] = gb.getFeatureValue(key, null)
    found.push({ values, told })
    gb.destroy()
  }
  console.log(JSON.stringify(found))
}
main()
"""


def seen(server: Server, visitors: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    """What the client says to each visitor, and what it tells the site."""
    found: list[dict[str, Any]] = run_node(SCRIPT, server.url, visitors, options)
    return found


def ofrep(server: Server, context: dict[str, Any]) -> dict[str, Any]:
    """Flag -> its answer, as the server evaluates them for a device."""
    answer = server.client("wk_flags").post("/ofrep/v1/evaluate/flags", json={"context": context})
    return {flag["key"]: flag for flag in answer.json()["flags"]}


VISITORS: list[dict[str, Any]] = [
    {"id": f"visitor {number} äß€😀", **more}
    for number in range(6)
    for more in ({}, {"device": "mobile"}, {"plan": "pro"}, {"plan": True}, {"device": None})
]


def test_what_the_sdk_evaluates_itself_is_what_the_server_answers(server: Server):
    visitors = [{**one, "anonymousId": one["id"]} for one in VISITORS]
    for visitor, found in zip(visitors, seen(server, visitors), strict=True):
        context = {name: value for name, value in visitor.items() if name not in ("id", "anonymousId")}
        told = ofrep(server, {**context, "targetingKey": visitor["id"]})
        assert found["values"] == {key: told[key]["value"] for key in FLAGS if key != "loyal"}
        assert found["told"] == {key: [told[key]["variant"], None] for key in ("checkout", "by device")}


def test_remote_evaluation_gives_every_flag_and_tells_which_decision_it_was(server: Server, project: Project):
    event = {"type": "track", "event": "Product Viewed", "userId": "remote", "properties": {"product_id": "p0001"}}
    server.client(project.keys.server_key).post("/v1/batch", json={"batch": [event, event]}).raise_for_status()
    key = {"Authorization": f"Bearer {project.keys.secret_key}"}
    [found] = seen(server, [{"id": "remote", "anonymousId": "device", "plan": "pro"}],
                   remoteEval=True, apiHostRequestHeaders=key)  # fmt: skip
    answer = server.secret().post(
        "/ofrep/v1/evaluate/flags", json={"context": {"targetingKey": "remote", "anonymousId": "device", "plan": "pro"}}
    )
    told = {flag["key"]: flag for flag in answer.json()["flags"]}
    assert found["values"] == {key: told[key]["value"] for key in FLAGS}
    assert found["values"]["loyal"] is True
    for name in ("checkout", "by device"):
        assert found["told"][name] == [told[name]["variant"], told[name]["metadata"]["decisionId"]]
