"""The unmodified GrowthBook SDK for Python against a real server: it evaluates itself as the server does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from growthbook import GrowthBook, InMemoryFeatureCache
from growthbook.growthbook import feature_repo

from flag_fixtures import FLAGS
from server_fixtures import Server

Make = Callable[..., GrowthBook]


@pytest.fixture
def make(server: Server) -> Iterator[Make]:
    """Makes clients with their features loaded; every one starts without anything cached."""
    made: list[GrowthBook] = []

    def maker(attributes: dict[str, Any], **options: Any) -> GrowthBook:
        feature_repo.set_cache(InMemoryFeatureCache())
        made.append(GrowthBook(api_host=server.url, client_key="wk_flags", attributes=attributes, **options))
        made[-1].load_features()
        return made[-1]

    yield maker
    for one in made:
        one.destroy()


class Told:
    """A site's tracking callback, which keeps the variation of each experiment."""

    def __init__(self) -> None:
        self.variations: dict[str, str] = {}

    def __call__(self, *, experiment: Any, result: Any, user_context: Any) -> None:
        self.variations[experiment.key] = result.key


def ofrep(server: Server, context: dict[str, Any]) -> dict[str, Any]:
    """Flag -> value, as the server evaluates them for a device."""
    answer = server.client("wk_flags").post("/ofrep/v1/evaluate/flags", json={"context": context})
    return {flag["key"]: flag["value"] for flag in answer.json()["flags"] if "value" in flag}


@pytest.mark.parametrize("attributes", [{}, {"device": "mobile"}, {"plan": "pro"}, {"plan": 3}, {"device": ""}])
def test_what_the_sdk_evaluates_itself_is_what_the_server_answers(attributes, make, server: Server):
    for number in range(8):
        visitor = {"id": f"visitor-{number}", "anonymousId": f"device-{number}", **attributes}
        client = make(visitor)
        context = {"targetingKey": f"visitor-{number}", **attributes}
        told = ofrep(server, {**context, "anonymousId": f"device-{number}"}) | {
            key: value for key, value in ofrep(server, context).items() if key == "checkout"
        }
        assert {key: client.get_feature_value(key, None) for key in told if key != "loyal"} == {
            key: value for key, value in told.items() if key != "loyal"
        }
    assert client.eval_feature("loyal").source == "unknownFeature"


def test_remote_evaluation_gives_every_flag_and_tells_of_what_was_drawn(make, server: Server):
    told = Told()
    client = make({"id": "remote", "plan": "team"}, remote_eval=True, on_experiment_viewed=told)
    shared = ("checkout", "by device")
    values = {key: client.get_feature_value(key, "unknown") for key in FLAGS}
    assert values == ofrep(server, {"targetingKey": "remote", "plan": "team"})
    assert told.variations == {
        key: next(n for n, v in FLAGS[key]["variants"].items() if v == values[key]) for key in shared
    }


def test_an_experiment_is_reported_with_the_names_that_were_declared(make):
    told = Told()
    value = make({"id": "seen"}, on_experiment_viewed=told).get_feature_value("checkout", None)
    assert told.variations == {"checkout": "new" if value else "old"}
