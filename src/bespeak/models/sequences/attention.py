"""The layers of the transformer in NumPy: what serving computes. `transformer_training.state` is the same in torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from bespeak.models.interactions import Float32s, Int32s

NORM_EPSILON = 1e-5

Parts = Mapping[str, npt.NDArray[Any]]


def last_state(parts: Parts, likes: Int32s, heads: int) -> Float32s:
    """float32[width]: the state after the last of a sequence of likes (int32[n], at least one).

    Args:
        parts: `items` [n_items, width], `positions` [>= n, width], `last_norm` [width], and per layer `norms`
            [2, width], `attention` [width, 3 width], `attention_out`, `attention_gate`, `wide_gate` [width, width],
            `wide` [width, 2 hidden], `narrow` [hidden, width].
        likes: indices of items.
        heads: attention heads.
    """
    x = parts["items"][likes] * np.float32(input_scale(parts["items"].shape[1])) + parts["positions"][: len(likes)]
    n_layers = len(parts["norms"])
    for number in range(n_layers):
        layer = {name: array[number] for name, array in parts.items() if name not in _OUTSIDE_OF_LAYERS}
        x = _after_layer(layer, x, heads, asked=1 if number == n_layers - 1 else len(x))
    return np.asarray(_normed(x[-1:], parts["last_norm"])[0], np.float32)


_OUTSIDE_OF_LAYERS = {"items", "item_bias", "positions", "last_norm"}


def input_scale(width: int) -> float:
    """What items are multiplied by on the way in, so that they start about as large as a normalised state."""
    return 0.5 * math.sqrt(width)


def slopes(heads: int) -> Float32s:
    """float32[heads]: how much less a head attends per step back (ALiBi; Press et al., ICLR 2022).

    Example:
        >>> slopes(2).tolist()
        [0.5, 0.125]
    """
    return np.asarray(0.5 * 0.25 ** np.arange(heads), np.float32)


def _after_layer(parts: Parts, x: Float32s, heads: int, asked: int) -> Float32s:
    """float32[asked, width]: the last `asked` places after one layer. Of the last layer only one place is needed."""
    y = _normed(x, parts["norms"][0])
    x, last = x[-asked:], y[-asked:]
    attended = _attended(y, asked, parts["attention"], heads) @ parts["attention_out"]
    x = x + attended * expit(last @ parts["attention_gate"])
    y = _normed(x, parts["norms"][1])
    gate, wide = np.split(y @ parts["wide"], 2, axis=1)
    narrow = (gate * expit(gate) * wide) @ parts["narrow"]
    return np.asarray(x + narrow * expit(y @ parts["wide_gate"]), np.float32)


def _attended(y: Float32s, asked: int, attention: Float32s, heads: int) -> Float32s:
    """float32[asked, width]: what the last `asked` places gather from the places up to themselves."""
    n, width = y.shape
    size = width // heads
    for_queries, for_keys, for_values = np.split(attention, 3, axis=1)
    queries = (y[-asked:] @ for_queries).reshape(asked, heads, size).transpose(1, 0, 2)
    keys = (y @ for_keys).reshape(n, heads, size).transpose(1, 2, 0)
    values = (y @ for_values).reshape(n, heads, size).transpose(1, 0, 2)
    steps_back = np.arange(n - asked, n, dtype=np.float32)[:, None] - np.arange(n, dtype=np.float32)
    weights = queries @ keys / np.float32(size**0.5) - slopes(heads)[:, None, None] * steps_back
    weights[:, steps_back < 0] = -np.inf
    weights = np.exp(weights - weights.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    return np.asarray((weights @ values).transpose(1, 0, 2).reshape(asked, width), np.float32)


def _normed(x: Float32s, gain: Float32s) -> Float32s:
    """Layer normalisation of each row, without a shift."""
    centred = x - x.mean(axis=1, keepdims=True)
    return np.asarray(gain * centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + NORM_EPSILON), np.float32)
