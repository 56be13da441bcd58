"""Serving, without torch. What needs torch is in test_transformer_training.py."""

import numpy as np
import pytest

from bespeak.errors import InvalidInput, MissingExtra
from bespeak.models import History, Interactions
from bespeak.models.sequences import transformer as module
from bespeak.models.sequences.transformer import Transformer

NO_LAYERS = {"layers": 1, "width": 2, "heads": 1, "length": 3}


def served(items: list[list[float]], bias: list[float] | None = None) -> Transformer:
    """A transformer whose layer adds nothing: its state is the direction of the last item, (1, -1) or (-1, 1)."""
    arrays = {
        "items": np.array(items, np.float32),
        "item_bias": np.array(bias or [0] * len(items), np.float32),
        "positions": np.zeros((3, 2), np.float32),
        "last_norm": np.ones(2, np.float32),
        "norms": np.ones((1, 2, 2), np.float32),
        "attention": np.zeros((1, 2, 6), np.float32),
        "attention_out": np.zeros((1, 2, 2), np.float32),
        "attention_gate": np.zeros((1, 2, 2), np.float32),
        "wide": np.zeros((1, 2, 8), np.float32),
        "narrow": np.zeros((1, 4, 2), np.float32),
        "wide_gate": np.zeros((1, 2, 2), np.float32),
    }
    return Transformer.from_arrays(NO_LAYERS, [str(i) for i in range(len(items))], arrays)


def test_a_score_is_the_log_of_one_plus_the_lift_by_hand() -> None:
    """State (1, -1), logits 1, -1 and log 2 - the odds e, 1 / e and 2, of mean m - so scores log(1 + odds / m)."""
    model = served([[1, 0], [0, 1], [0, 0]], bias=[0, 0, np.log(2)])
    odds = np.array([np.e, 1 / np.e, 2])
    np.testing.assert_allclose(model.scores([History.of([0])], 0)[0], np.log1p(odds / odds.mean()), rtol=1e-4)


def test_only_the_latest_likes_count_and_their_order_does() -> None:
    rng = np.random.default_rng(0)
    shapes = {"items": (3, 4), "item_bias": (3,), "positions": (3, 4), "last_norm": (4,), "norms": (1, 2, 4)}
    shapes |= {"attention": (1, 4, 12), "attention_out": (1, 4, 4), "attention_gate": (1, 4, 4)}
    shapes |= {"wide": (1, 4, 16), "narrow": (1, 8, 4), "wide_gate": (1, 4, 4)}
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    model = Transformer.from_arrays({**NO_LAYERS, "width": 4}, list("xyz"), arrays)
    long, short, other = model.scores([History.of([1, 1, 0, 2, 1]), History.of([0, 2, 1]), History.of([2, 0, 1])], 0)
    assert long.tolist() == short.tolist()
    assert not np.allclose(short, other)


def test_large_logits_stay_finite() -> None:
    scores = served([[400, 0], [0, 400], [0, 0]]).scores([History.of([0])], 0)
    np.testing.assert_allclose(scores, [[np.log(4), 0, 0]], atol=1e-6)


def test_a_dislike_takes_its_strength_from_the_item_and_its_cosine_from_what_is_alike() -> None:
    model = served([[1, 0], [1, 1], [-1, 0], [0, 1]])
    scores = model.scores([History.of([0], [-2.0])], 0)[0]
    np.testing.assert_allclose(scores, [-2, -2 / np.sqrt(2), 0, 0], atol=1e-6)


def test_without_torch_the_error_names_the_extra_and_what_it_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"'transformer'.*extra 'deep'.*bespeak\[deep\]"):
        Transformer().fit(Interactions.from_events(["a"], ["x"]))
    assert not Transformer.can_fit()


@pytest.mark.parametrize("settings", [{"heads": 3}, {"dropout": 1.0}, {"layers": 0}, {"negatives": 0}])
def test_settings_without_a_meaning_are_refused(settings) -> None:
    with pytest.raises(InvalidInput, match="width that its heads divide"):
        Transformer(**settings)
