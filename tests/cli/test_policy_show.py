"""`policy show`: which version decides, and what learned weights were predicted to bring and have brought."""

from __future__ import annotations

from bespeak.engine.engine import Engine
from bespeak.engine.worlds.weights import Prediction, StoredWeights, put_weights

SAID = Prediction(
    worth={"click": 1.0}, window_ms=1, n_positions=3, n_decisions=400, value=0.5, interval=(0.4, 0.6), difference=0.1,
    difference_interval=(0.05, 0.15),
)  # fmt: skip


def test_a_placement_without_learned_weights_says_so(run, project):
    ran = run("policy", "show", "home")
    assert "home@1 decides" in ran.out
    assert "the default ones" in ran.out
    assert "Did you mean 'home'?" in run("policy", "show", "hom", expect=1).err


def test_the_prediction_stands_beside_what_came(run, project):
    with Engine.open(project) as engine, engine.core.store.write() as tx:
        weights = StoredWeights(version=0, created_ms=1, table={"fresh": 1.0}, intercept=0.0, slope=1.0)
        put_weights(tx, {"home": weights}, {})
        put_weights(tx, {"home": StoredWeights(**{**_fields(weights), "prediction": SAID})}, {})
    ran = run("policy", "show", "home")
    assert "0.5 a decision was predicted (0.4 to 0.6); no decision whose window is closed tells of it yet" in ran.out
    assert "so nothing was predicted" in ran.out
    (now, before) = run("policy", "show", "home", "--json").json["weights"]
    assert (now["is_in_use"], now["prediction"]["value"], now["n_decisions"], now["online"]) == (True, 0.5, 0, None)
    assert (before["is_in_use"], before["prediction"], before["is_off"]) == (False, None, False)
    assert run("report", "--json").json["weights"] == [now]


def _fields(weights: StoredWeights) -> dict[str, object]:
    return {name: getattr(weights, name) for name in weights.__struct_fields__}
