import math

import numpy as np
import pytest

from bespeak.models.sequences.attention import input_scale, last_state, slopes


def random_parts(n_items: int, width: int, layers: int, length: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)

    def random(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32) / np.float32(2)

    return {
        "items": random(n_items, width),
        "item_bias": random(n_items),
        "positions": random(length, width),
        "last_norm": 1 + random(width),
        "norms": 1 + random(layers, 2, width),
        "attention": random(layers, width, 3 * width),
        "attention_out": random(layers, width, width),
        "attention_gate": random(layers, width, width),
        "wide": random(layers, width, 4 * width),
        "narrow": random(layers, 2 * width, width),
        "wide_gate": random(layers, width, width),
    }


def norm(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return gain * (x - x.mean()) / math.sqrt(x.var() + 1e-5)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def plain_state(parts: dict[str, np.ndarray], likes: list[int], heads: int) -> np.ndarray:
    """The formula of the docstring of `transformer`, place by place and head by head, in float64."""
    p = {name: array.astype(np.float64) for name, array in parts.items()}
    width = p["items"].shape[1]
    size = width // heads
    x = [0.5 * math.sqrt(width) * p["items"][item] + p["positions"][t] for t, item in enumerate(likes)]
    for layer in range(len(p["norms"])):
        y = [norm(place, p["norms"][layer, 0]) for place in x]
        queries, keys, values = (
            [place @ p["attention"][layer][:, part * width : (part + 1) * width] for place in y] for part in range(3)
        )
        after = []
        for t, place in enumerate(x):
            told = np.zeros(width)
            for head in range(heads):
                own = slice(head * size, (head + 1) * size)
                slope = 0.5 / 4**head
                logits = [queries[t][own] @ keys[s][own] / math.sqrt(size) - slope * (t - s) for s in range(t + 1)]
                shares = np.exp(logits) / np.exp(logits).sum()
                told[own] = sum(share * values[s][own] for s, share in enumerate(shares))
            seen = place + sigmoid(y[t] @ p["attention_gate"][layer]) * (told @ p["attention_out"][layer])
            z = norm(seen, p["norms"][layer, 1])
            gate, wide = np.split(z @ p["wide"][layer], 2)
            narrow = (gate * sigmoid(gate) * wide) @ p["narrow"][layer]
            after.append(seen + sigmoid(z @ p["wide_gate"][layer]) * narrow)
        x = after
    return norm(x[-1], p["last_norm"])


@pytest.mark.parametrize(("layers", "heads"), [(1, 1), (2, 2), (3, 4)])
@pytest.mark.parametrize("likes", [[3], [0, 5, 2, 5, 1]])
def test_the_state_is_that_of_the_plain_formula(layers, heads, likes) -> None:
    parts = random_parts(n_items=6, width=8, layers=layers, length=5)
    state = last_state(parts, np.array(likes, np.int32), heads)
    assert state.dtype == np.float32
    np.testing.assert_allclose(state, plain_state(parts, likes, heads), rtol=1e-4, atol=1e-5)


def test_without_any_layer_the_state_is_the_normalised_item() -> None:
    """Item [3, 1] times sqrt(2) / 2, less its mean, over its deviation: [1, -1]."""
    parts = random_parts(n_items=1, width=2, layers=0, length=1)
    parts |= {"items": np.array([[3, 1]], np.float32), "positions": np.zeros((1, 2)), "last_norm": np.ones(2)}
    np.testing.assert_allclose(last_state(parts, np.array([0], np.int32), 1), [1, -1], atol=1e-4)
    assert input_scale(2) == pytest.approx(math.sqrt(2) / 2)


def test_each_head_looks_further_back_than_the_one_before() -> None:
    assert slopes(4).tolist() == [0.5, 0.125, 0.03125, 0.0078125]
