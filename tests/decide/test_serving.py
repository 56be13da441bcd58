"""The serving form of every model answers as the model itself does."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.decide.serving import serving_of
from bespeak.models.base import History, Interactions, ItemContent, Model
from bespeak.models.blend import Blend
from bespeak.models.content import Content
from bespeak.models.ease import Ease
from bespeak.models.implicit_mf import ImplicitMf
from bespeak.models.item_neighbours import ItemNeighbours
from bespeak.models.popularity import Popularity
from bespeak.models.sequence_rules import SequenceRules

N_ITEMS = 60


def log() -> tuple[Interactions, ItemContent]:
    rng = np.random.default_rng(3)
    users, items = rng.integers(0, 80, 1500), np.minimum(rng.zipf(1.4, 1500), N_ITEMS) - 1
    data = Interactions.from_arrays(
        [f"u{i}" for i in range(80)],
        [f"i{i}" for i in range(N_ITEMS)],
        users,
        items,
        weights=rng.choice([1.0, 2.0, -1.0], 1500),
        times_ms=np.arange(1500),
    )
    tags = [[f"t{t}" for t in rng.integers(0, 9, 3)] for _ in range(N_ITEMS)]
    return data, ItemContent(
        data.item_ids, texts=[f"word{i % 7} common" for i in range(N_ITEMS)], attributes={"t": tags}
    )


DATA, CONTENT = log()
MODELS: list[Model] = [
    Ease(l2=5.0),
    Ease(l2=5.0, weighting="presence"),
    ItemNeighbours(shrinkage=1.0),
    SequenceRules(),
    Content(),
    ImplicitMf(factors=8, rounds=3, threads=1),
    Popularity(),
    Blend([{"name": "ease", "settings": {"l2": 5.0}}, {"name": "popularity"}, {"name": "content"}], [0.6, 0.3, 0.1]),
]
HISTORIES = {
    "likes": History.of([3, 1, 7, 3], [1.0, 2.0, 1.0, 1.0], [1, 2, 3, 4]),
    "likes and dislikes": History.of([3, 1, 7, 30, 2], [1.0, -2.0, 1.0, -1.0, 3.0], [1, 2, 3, 4, 5]),
    "dislikes alone": History.of([3, 1], [-1.0, -2.0], [1, 2]),
    "strangers": History.of([3, 99, -1, 5], [1.0, 1.0, 1.0, 2.0], [1, 2, 3, 4]),
    "what cancels out": History.of([3, 3, 4], [1.0, -1.0, 1.0], [1, 2, 3]),
    "many": History.of(list(range(40)), [1.0] * 40, list(range(40))),
    "nothing": History.empty(),
}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.name}-{getattr(model, 'weighting', '')}")
@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES.keys())
def test_scores_and_terms_are_those_of_the_model(model: Model, history: History) -> None:
    fitted = model.fit(DATA, CONTENT)
    serving = serving_of(fitted)
    expected = fitted.scores([history], 2_000)[0]
    assert serving.scores(history, 2_000) == pytest.approx(expected, abs=1e-5, rel=1e-4)
    if fitted.explains:
        targets = np.array([0, 3, 7, 50], np.int32)
        items, added = serving.terms(history, targets)
        for position, item in enumerate(targets.tolist()):
            explanation = fitted.explain(history, item)
            mine, theirs = np.zeros(N_ITEMS), np.zeros(N_ITEMS)
            mine[items] = added[:, position]
            theirs[explanation.items] = explanation.contributions
            assert mine == pytest.approx(theirs, abs=1e-5, rel=1e-4)


def test_arrays_mapped_from_a_file_stay_untouched() -> None:
    fitted = Ease(l2=5.0).fit(DATA)
    arrays = fitted.arrays()
    for array in arrays.values():
        array.setflags(write=False)
    before = arrays["weights"].copy()
    serving_of(Ease.from_arrays(fitted.settings(), fitted.item_ids, arrays)).scores(HISTORIES["likes and dislikes"], 0)
    assert (arrays["weights"] == before).all()
