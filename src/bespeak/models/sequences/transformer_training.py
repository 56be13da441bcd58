"""How the transformer learns: torch, imported only when a transformer is fitted.

Every place of every sequence is a case: tell the next like from `negatives` items drawn evenly for the whole batch.
The loss is the softmax over the right item and the drawn ones, each drawn one standing for n_items / negatives items
(sampled softmax with the logQ correction), so that logits come out calibrated and seen items can be masked when
ranking. Sequences are cut into stretches of `length` + 1 likes that overlap by one, and batched with others of
about the same size, so that little is padded. What a pass hangs on beside the settings and the log is its number, the
weights with their moments, and where the generator of random numbers stands: a fit that was stopped goes on from there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from bespeak.models.fits import Passes
from bespeak.models.interactions import Float32s, Int32s, Int64s, Interactions
from bespeak.models.sequences.attention import NORM_EPSILON, input_scale, slopes

if TYPE_CHECKING:
    from bespeak.models.sequences.transformer import Transformer

Tensors = dict[str, torch.Tensor]
Dropping = Callable[[torch.Tensor], torch.Tensor]
"""Leaves some of the numbers out."""


def trained(
    settings: Transformer, interactions: Interactions, passes: Passes | None = None
) -> dict[str, npt.NDArray[Any]]:
    """The fitted arrays of a transformer by name; with `passes`, gone on with where an earlier fit was stopped."""
    liked = interactions.select(interactions.weights > 0)
    rng = np.random.default_rng(settings.seed)
    arrays = initial(settings, liked, rng)
    stretches = _stretches(liked, settings.length)
    if not stretches or liked.n_items < 2:
        return arrays
    parts: Tensors = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    free = {"item_bias", "last_norm", "norms"}
    groups = [
        {"params": [part for name, part in parts.items() if name not in free], "weight_decay": settings.weight_decay},
        {"params": [parts[name] for name in sorted(free)], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98), fused=True)
    plan = [_batches(stretches, settings.batch_likes, rng) for _ in range(settings.epochs_for(len(liked)))]
    n_steps = sum(map(len, plan))
    dropped = dropping(settings.dropout_for(len(liked)), rng)
    held = passes.latest() if passes is not None else None
    done = _restore(held, parts, optimiser, rng) if held is not None else 0
    step = sum(map(len, plan[:done]))
    for epoch in range(done, len(plan)):
        for batch in plan[epoch]:
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * _schedule(step, n_steps)
            drawn = torch.from_numpy(rng.integers(0, liked.n_items, settings.negatives))
            optimiser.zero_grad()
            loss = _loss(settings, parts, _padded([stretches[s] for s in batch]), drawn, dropped)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parts.values(), 1.0)
            optimiser.step()
            step += 1
        if passes is not None:
            passes.passed((epoch + 1) / len(plan), _state_after(epoch + 1, parts, optimiser, rng))
    return {name: part.detach().numpy() for name, part in parts.items()}


def _state_after(
    epoch: int, parts: Tensors, optimiser: torch.optim.Optimizer, rng: np.random.Generator
) -> Callable[[], dict[str, npt.NDArray[Any]]]:
    """Gives everything that the passes after `epoch` of them hang on."""

    def state() -> dict[str, npt.NDArray[Any]]:
        arrays = {
            "epoch": np.array(epoch),
            "rng": np.frombuffer(json.dumps(rng.bit_generator.state).encode(), np.uint8),
        }
        for name, part in parts.items():
            arrays[f"part.{name}"] = part.detach().numpy()
            arrays |= {f"{moment}.{name}": tensor.numpy() for moment, tensor in optimiser.state[part].items()}
        return arrays

    return state


def _restore(
    held: Mapping[str, npt.NDArray[Any]], parts: Tensors, optimiser: torch.optim.Optimizer, rng: np.random.Generator
) -> int:
    """Puts everything back to where `_state_after` found it; returns how many passes were done."""
    for name, part in parts.items():
        with torch.no_grad():
            part.copy_(torch.from_numpy(held[f"part.{name}"].copy()))
        optimiser.state[part] = {
            moment: torch.from_numpy(held[f"{moment}.{name}"].copy()) for moment in ("step", "exp_avg", "exp_avg_sq")
        }
    rng.bit_generator.state = json.loads(held["rng"].tobytes())
    return int(held["epoch"])


def initial(settings: Transformer, liked: Interactions, rng: np.random.Generator) -> dict[str, Float32s]:
    """The arrays before training: small random matrices, norms of one, the logarithm of popularity for `item_bias`."""
    width, layers, n_items = settings.width, settings.layers, liked.n_items

    def random(*shape: int) -> Float32s:
        return (rng.standard_normal(shape) / math.sqrt(shape[-2])).astype(np.float32)

    popularity = np.log1p(np.bincount(liked.item_index, minlength=n_items))
    return {
        "items": (rng.standard_normal((n_items, width)) / math.sqrt(width)).astype(np.float32),
        "item_bias": (popularity - popularity.mean() if n_items else popularity).astype(np.float32),
        "positions": np.zeros((settings.length, width), np.float32),
        "last_norm": np.ones(width, np.float32),
        "norms": np.ones((layers, 2, width), np.float32),
        "attention": random(layers, width, 3 * width),
        "attention_out": random(layers, width, width),
        "attention_gate": random(layers, width, width),
        "wide": random(layers, width, 4 * width),
        "narrow": random(layers, 2 * width, width),
        "wide_gate": random(layers, width, width),
    }


def nothing_dropped(x: torch.Tensor) -> torch.Tensor:
    """Outside of training every number stays."""
    return x


def dropping(share: float, rng: np.random.Generator) -> Dropping:
    """Dropout: a share of the numbers, in steps of 1 / 256, becomes 0 and the others grow to make up for it.

    A byte a number from NumPy's generator takes a fourth of the time that torch's dropout takes on a CPU, where its own
    generator is most of it; and nothing is drawn from a state that torch shares with everybody.
    """
    if not share:
        return nothing_dropped
    least = min(255, round(256 * share))
    scale = 256 / (256 - least)

    def dropped(x: torch.Tensor) -> torch.Tensor:
        kept = torch.from_numpy(rng.integers(0, 256, tuple(x.shape), np.uint8)) >= least
        return x * (kept.to(x.dtype) * scale)

    return dropped


def state(
    settings: Transformer, parts: Tensors, items: torch.Tensor, dropped: Dropping = nothing_dropped
) -> torch.Tensor:
    """float32[batch, places, width] after all layers: the formula of `transformer`, in torch.

    Args:
        settings: of the model.
        parts: the arrays as tensors.
        items: int64[batch, places], padded at the end with anything.
        dropped: applied to what comes out of each step, in training.
    """
    n_rows, n_places = items.shape
    heads, size = settings.heads, settings.width // settings.heads
    places = torch.arange(n_places, dtype=torch.float32)
    steps = places[:, None] - places
    bias = -torch.from_numpy(slopes(heads))[:, None, None] * steps
    bias = bias.masked_fill(steps < 0, -math.inf).expand(n_rows, -1, -1, -1)

    def normed(x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(x, (settings.width,), gain, eps=NORM_EPSILON)

    x = dropped(
        functional.embedding(items, parts["items"]) * input_scale(settings.width) + parts["positions"][:n_places]
    )
    for layer in range(settings.layers):
        y = normed(x, parts["norms"][layer, 0])
        triple = (y @ parts["attention"][layer]).view(n_rows, n_places, 3, heads, size).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(triple[0], triple[1], triple[2], attn_mask=bias)
        attended = attended.transpose(1, 2).reshape(n_rows, n_places, -1) @ parts["attention_out"][layer]
        x = x + dropped(attended * torch.sigmoid(y @ parts["attention_gate"][layer]))
        y = normed(x, parts["norms"][layer, 1])
        gate, wide = (y @ parts["wide"][layer]).chunk(2, -1)
        narrow = dropped(functional.silu(gate) * wide) @ parts["narrow"][layer]
        x = x + dropped(narrow * torch.sigmoid(y @ parts["wide_gate"][layer]))
    return normed(x, parts["last_norm"])


def _loss(
    settings: Transformer, parts: Tensors, padded: Int64s, drawn: torch.Tensor, dropped: Dropping = nothing_dropped
) -> torch.Tensor:
    """The mean sampled softmax loss over the places of a batch."""
    items = torch.from_numpy(padded)
    real = items[:, 1:] >= 0
    wanted = items[:, 1:][real]
    states = state(settings, parts, items[:, :-1].clamp(min=0), dropped)[real]
    right = (states * functional.embedding(wanted, parts["items"])).sum(-1) + parts["item_bias"][wanted]
    bias = parts["item_bias"][drawn] + math.log(max(1, len(parts["items"]) - 1) / len(drawn))
    others = torch.addmm(bias, states, functional.embedding(drawn, parts["items"]).T)
    others.masked_fill_(wanted[:, None] == drawn, -math.inf)
    both = torch.cat([right[:, None], others], dim=1)
    return functional.cross_entropy(both, torch.zeros(len(both), dtype=torch.int64))


def _stretches(liked: Interactions, length: int) -> list[Int32s]:
    """Every sequence cut from its end into stretches of at most `length` + 1 likes that overlap by one."""
    found = []
    for start, stop in zip(liked.row_starts[:-1].tolist(), liked.row_starts[1:].tolist(), strict=True):
        end = stop
        while end - start > 1:
            begin = max(start, end - length - 1)
            found.append(liked.item_index[begin:end])
            end = begin + 1
    return found


def _batches(stretches: list[Int32s], batch_likes: int, rng: np.random.Generator) -> list[Int64s]:
    """Which stretches go together: of about the same size, `batch_likes` places with padding, in random order."""
    sizes = np.fromiter(map(len, stretches), np.int64, count=len(stretches))
    order = np.argsort(sizes * rng.uniform(0.95, 1.05, len(sizes)), kind="stable")
    batches, begin, widest = [], 0, 0
    for position, size in enumerate(sizes[order].tolist()):
        widest = max(widest, size)
        if position > begin and widest * (position - begin + 1) > batch_likes:
            batches.append(order[begin:position])
            begin, widest = position, size
    batches.append(order[begin:])
    return [batches[position] for position in rng.permutation(len(batches)).tolist()]


def _padded(stretches: list[Int32s]) -> Int64s:
    """int64[n, longest], -1 behind the end."""
    padded = np.full((len(stretches), max(map(len, stretches))), -1, np.int64)
    for row, stretch in enumerate(stretches):
        padded[row, : len(stretch)] = stretch
    return padded


def _schedule(step: int, n_steps: int) -> float:
    """Share of the learning rate: a linear rise over a twentieth of the steps, times a cosine fall to zero."""
    rise = min(1.0, 20 * (step + 1) / n_steps)
    return rise * 0.5 * (1 + math.cos(math.pi * step / n_steps))
