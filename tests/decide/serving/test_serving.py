"""The serving form of every model answers as the model itself does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bespeak.decide.serving.forms import serving_of, share
from bespeak.decide.serving.question import Question, Serving
from bespeak.models.base import History, Interactions, ItemContent, Model, PersonTraits
from bespeak.models.blend import Blend
from bespeak.models.content import Content
from bespeak.models.factors.attribute_factors import AttributeFactors
from bespeak.models.factors.implicit_mf import ImplicitMf
from bespeak.models.item_weights.ease import Ease
from bespeak.models.item_weights.graph_filter import GraphFilter
from bespeak.models.item_weights.slist import Slist
from bespeak.models.item_weights.sparse_inverse import SparseInverse
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.popular.popularity import Popularity
from bespeak.models.sequences.sequence_rules import SequenceRules
from bespeak.models.sequences.session_links import SessionLinks

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
    SequenceRules(window=3, weighting="log"),
    SessionLinks(gap_minutes=None),
    SessionLinks(gap_minutes=None, window=2),
    Slist(l2=5.0),
    SparseInverse(neighbours=8),
    GraphFilter(factors=6, neighbours=10),
    GraphFilter(factors=0),
    Content(),
    ImplicitMf(factors=8, rounds=3, threads=1),
    AttributeFactors(factors=8, rounds=3, min_people=2),
    Popularity(),
    Blend([{"name": "ease", "settings": {"l2": 5.0}}, {"name": "popularity"}, {"name": "content"}], [0.6, 0.3, 0.1]),
]
TRAITS = {"country": ["DE", "FR", "US"], "plan": ["free", "paid"]}
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
    assert serving.scores(Question(history, 2_000)) == pytest.approx(expected, abs=1e-5, rel=1e-4)
    if fitted.explains:
        targets = np.array([0, 3, 7, 50], np.int32)
        items, added = serving.terms(Question(history, 2_000), targets)
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
    mapped = Ease.from_arrays(fitted.settings(), fitted.item_ids, arrays)
    serving_of(mapped).scores(Question(HISTORIES["likes and dislikes"], 0))
    assert (arrays["weights"] == before).all()


class Counted(Serving):
    """Counts how often it is asked."""

    def __init__(self, inner: Serving) -> None:
        self.inner = inner
        self.n_scores = self.n_terms = 0

    def scores(self, question: Question) -> np.ndarray:
        self.n_scores += 1
        return self.inner.scores(question)

    def terms(self, question: Question, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.n_terms += 1
        return self.inner.terms(question, targets)


EASE = Ease(l2=5.0).fit(DATA)
CONTENT_MODEL = Content().fit(DATA, CONTENT)
BLEND = Blend.of([EASE, CONTENT_MODEL], [0.7, 0.3], DATA)
TARGETS = np.array([0, 3, 7, 50], np.int32)


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES.keys())
def test_a_folded_in_person_gets_the_models_numbers(history: History) -> None:
    fitted = ImplicitMf(factors=16, rounds=3, threads=1, weighting="linear").fit(DATA)
    expected = fitted.scores([history], 0)[0]
    assert serving_of(fitted).scores(Question(history, 0)) == pytest.approx(expected, abs=1e-6, rel=1e-6)


@pytest.mark.parametrize(
    "history", [HISTORIES["likes and dislikes"], HISTORIES["dislikes alone"], HISTORIES["nothing"]]
)
@pytest.mark.parametrize("traits", [{"country": ["DE"]}, {"country": ["FR"], "plan": ["free", "new"]}, {"x": ["y"]}])
def test_traits_move_a_person_as_in_the_model(history: History, traits: dict[str, list[str]]) -> None:
    rng = np.random.default_rng(5)
    columns = {name: [[v] for v in rng.choice(values, 80)] for name, values in TRAITS.items()}
    fitted = AttributeFactors(factors=8, rounds=3, min_people=2).fit(
        DATA.with_traits(PersonTraits(DATA.user_ids, columns)), CONTENT
    )
    told = replace(history, traits=traits)
    found = serving_of(fitted).scores(Question(told, 0))
    assert found == pytest.approx(fitted.scores([told], 0)[0], abs=1e-6, rel=1e-5)


@pytest.mark.parametrize("is_blend_first", [True, False])
def test_a_member_that_stands_alone_too_is_asked_once_in_a_request(is_blend_first: bool) -> None:
    history = HISTORIES["likes and dislikes"]
    alone, blend = Counted(serving_of(EASE)), serving_of(BLEND)
    servings: dict[Model, Serving] = {EASE: alone, BLEND: blend}
    share(servings)
    question = Question(history, 0)
    for serving in (blend, alone) if is_blend_first else (alone, blend):
        question.scores(serving)
        question.terms(serving, TARGETS)
        assert (alone.n_scores, alone.n_terms) == (1, 1)  # by the blend, or for it
    unshared = serving_of(BLEND)
    assert (question.scores(blend) == unshared.scores(Question(history, 0))).all()
    expected = unshared.terms(Question(history, 0), TARGETS)
    for mine, theirs in zip(question.terms(blend, TARGETS), expected, strict=True):
        assert (mine == theirs).all()


def test_terms_of_other_targets_are_asked_anew() -> None:
    serving, question = Counted(serving_of(EASE)), Question(HISTORIES["likes"], 0)
    question.terms(serving, TARGETS)
    _, added = question.terms(serving, TARGETS[:2])
    assert (serving.n_terms, added.shape[1]) == (2, 2)


def _other_numbers() -> Model:
    arrays = {name: array * 2 for name, array in EASE.arrays().items()}
    return Ease.from_arrays(EASE.settings(), EASE.item_ids, arrays)


@pytest.mark.parametrize(
    "other",
    [
        Ease.from_arrays({**EASE.settings(), "weighting": "presence"}, EASE.item_ids, EASE.arrays()),
        Ease.from_arrays(EASE.settings(), [f"other {item_id}" for item_id in EASE.item_ids], EASE.arrays()),
        _other_numbers(),
        ItemNeighbours().fit(DATA),
    ],
    ids=["settings", "items", "numbers", "family"],
)
def test_a_model_that_differs_from_the_member_is_not_taken_for_it(other: Model) -> None:
    blend, alone = serving_of(BLEND), Counted(serving_of(other))
    share({other: alone, BLEND: blend})
    expected = BLEND.scores([HISTORIES["likes"]], 0)[0]
    assert blend.scores(Question(HISTORIES["likes"], 0)) == pytest.approx(expected, abs=1e-5, rel=1e-4)
    assert alone.n_scores == 0


def test_a_member_that_is_the_same_for_everybody_stays_the_blends_own() -> None:
    popular = Popularity().fit(DATA)
    mixed = Blend.of([EASE, popular], [0.7, 0.3], DATA)
    blend, alone = serving_of(mixed), Counted(serving_of(popular))
    share({popular: alone, mixed: blend})
    blend.scores(Question(HISTORIES["likes"], 0))
    assert alone.n_scores == 0
