"""An indexed model: the same best items as when all are scored, whatever may be shown, and nothing that may not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.serving import model_scores
from bespeak.decide.serving.best import best_of
from bespeak.decide.serving.model_scores import ModelScores
from bespeak.decide.serving.model_set import LoadedModel, MappedModel
from bespeak.decide.serving.question import Past
from bespeak.models.base import Interactions
from bespeak.models.factors.implicit_mf import ImplicitMf
from bespeak.models.item_weights.ease import Ease
from bespeak.models.new_items import LENDERS, NewItems
from bespeak.models.popular.popularity import Popularity
from bespeak.models.sequences.sequence_rules import SequenceRules
from bespeak.models.vector_index import VectorIndex
from bespeak.signals.items import Item

N_ITEMS, N_NEW, LIMIT = 60, 3, 5


def in_cells(vectors: np.ndarray, n_cells: int) -> VectorIndex:
    """An index made by hand: items dealt to cells in turn, so that what is looked into misses some of the best."""
    cell = np.arange(len(vectors)) % n_cells
    items = np.argsort(cell, kind="stable").astype(np.int32)
    starts = np.cumsum([0, 0, *np.bincount(cell, minlength=n_cells).tolist()])
    centres = np.stack([vectors[cell == c].mean(axis=0) for c in range(n_cells)])
    return VectorIndex(items, starts.astype(np.int64), vectors[items], centres.astype(np.float32))


def some_log() -> Interactions:
    rng = np.random.default_rng(2)
    users, items = rng.integers(0, 80, 900), rng.integers(0, N_ITEMS, 900)
    items = np.where(rng.random(900) < 0.7, (items // 6 * 6 + users % 6) % N_ITEMS, items)
    return Interactions.from_arrays([str(u) for u in range(80)], tuple(f"p{n}" for n in range(N_ITEMS)), users, items)


@cache
def models() -> tuple[MappedModel, MappedModel, MappedModel]:
    """The same factorization without an index, with one whose only cell holds all items, and with one of four cells."""
    model = ImplicitMf(factors=6, threads=1).fit(some_log())
    shown = [Item(id=f"p{n}", title="x") for n in range(4, N_ITEMS)]  # four have left the catalogue, three are new
    catalogue = CatalogueSnapshot.build([*shown, *(Item(id=f"new{n}", title="x") for n in range(N_NEW))], (), ())
    rows = np.array([catalogue.index[f"new{n}"] for n in range(N_NEW)], np.int32)
    new = NewItems(
        rows, np.tile(np.arange(LENDERS, dtype=np.int32), (N_NEW, 1)), np.full((N_NEW, LENDERS), 0.15, np.float32)
    )
    loaded = LoadedModel(model)
    vectors = np.asarray(model.arrays()["vectors"])
    forms = (loaded, replace(loaded, index=in_cells(vectors, 1)), replace(loaded, index=in_cells(vectors, 4)))
    return tuple(replace(MappedModel.of(form, catalogue), new_items=new) for form in forms)


def asked(model: MappedModel, past: Past) -> ModelScores:
    return ModelScores([model], past)


def past_of(touched: list[int], disliked: set[int]) -> Past:
    weights = [-1.0 if item in disliked else 1.0 for item in touched]
    return Past(np.array(touched, np.int32), np.array(weights, np.float32), np.zeros(len(touched), np.int64), 0)


histories = st.lists(st.integers(0, N_ITEMS - 5), min_size=1, max_size=8)
masks = st.lists(st.booleans(), min_size=N_ITEMS - 4 + N_NEW, max_size=N_ITEMS - 4 + N_NEW)


def best(scores: ModelScores, eligible: np.ndarray) -> np.ndarray:
    return scores.best(["implicit_mf"], eligible, LIMIT)[0]


@given(histories, st.sets(st.integers(0, N_ITEMS - 5), max_size=2), masks)
def test_nothing_is_proposed_that_may_not_be_shown_and_never_too_little(touched, disliked, mask):
    eligible = np.array(mask, bool)
    plain, _, cells = models()
    past = past_of(touched, disliked)
    found = best(asked(cells, past), eligible)
    everything = best_of(asked(plain, past)["implicit_mf"], eligible, LIMIT)
    assert eligible[found].all()
    assert len(found) == len(set(found.tolist())) == len(everything)


@given(histories, masks)
def test_an_index_that_looks_everywhere_finds_what_scoring_all_finds(touched, mask):
    eligible = np.array(mask, bool)
    plain, whole, _ = models()
    past = past_of(touched, set())
    scores = asked(plain, past)["implicit_mf"]
    found, expected = best(asked(whole, past), eligible), best_of(scores, eligible, LIMIT)
    np.testing.assert_allclose(scores[found], scores[expected], rtol=1e-4)


@given(histories, st.sets(st.integers(0, N_ITEMS - 5), max_size=2))
def test_scores_of_single_items_are_those_of_all_up_to_one_factor(touched, disliked):
    plain, whole, _ = models()
    past = past_of(touched, disliked)
    rows = np.arange(N_ITEMS - 4 + N_NEW, dtype=np.int32)
    scores, single = asked(plain, past)["implicit_mf"], asked(whole, past).at("implicit_mf", rows)
    if scores.max() > 0:
        np.testing.assert_allclose(single / single.max(), scores / scores.max(), atol=1e-4)


def test_all_scores_are_worked_out_only_when_the_best_do_not_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    _, whole, _ = models()
    past = past_of([3, 9, 15], set())
    asks: list[str] = []
    scores = MappedModel.scores
    monkeypatch.setattr(MappedModel, "scores", lambda self, past: asks.append("all") or scores(self, past))
    monkeypatch.setattr(model_scores, "N_BEST", 10)
    found = asked(whole, past)
    assert len(best(found, np.ones(N_ITEMS - 4 + N_NEW, bool))) == LIMIT
    found.at("implicit_mf", np.arange(4, dtype=np.int32))
    assert asks == []
    few = np.arange(N_ITEMS - 4 + N_NEW) < 3
    assert best(found, few).tolist() == best_of(found["implicit_mf"], few, LIMIT).tolist()
    assert asks == ["all"]


def test_models_asked_together_answer_as_alone() -> None:
    data, items = some_log(), N_ITEMS
    catalogue = CatalogueSnapshot.build([Item(id=f"p{n}", title="x") for n in range(items)], (), ())
    fitted = [ImplicitMf(factors=6, threads=1), SequenceRules(), Popularity(), Ease()]
    mapped = [MappedModel.of(LoadedModel(model.fit(data)), catalogue) for model in fitted]
    past = past_of([3, 9, 15], {9})
    together, names = ModelScores(mapped, past), [model.name for model in mapped]
    eligible, rows = np.arange(items) % 3 > 0, np.array([3, 4, 50], np.int32)
    for model, found, (name, column) in zip(
        mapped, together.best(names, eligible, LIMIT), together.columns(rows), strict=True
    ):
        scores = model.scores(past)
        assert found.tolist() == best_of(scores, eligible, LIMIT).tolist()
        assert (name, column.tolist()) == (model.name, scores[rows].tolist())
        assert (together.at(name, rows) == column).all()
    assert together.best(names[1:2], eligible, LIMIT)[0].tolist() == together.best(names, eligible, LIMIT)[1].tolist()
    assert ModelScores([], past).best([], eligible, LIMIT) == list(ModelScores([], past).columns(rows)) == []
