"""What came of showing creatives: sums for each creative of each item, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import msgspec
import numpy as np

from bespeak.decide.variants.bandits import ArmSums, Posterior


@dataclass(frozen=True, eq=False)
class CreativeSums:
    """What came of showing creatives.

    Attributes:
        of_items: item id -> creative id -> (rows, sum of rewards, sum of their squares), each row by its weight.

    Example:
        >>> sums = CreativeSums.of([("p1", "c1", 1.0, 0.0), ("p1", "c2", 1.0, 1.0), ("p1", "c2", 0.5, 0.0)])
        >>> (sums + sums).of_items["p1"]
        {'c1': (2.0, 0.0, 0.0), 'c2': (3.0, 2.0, 2.0)}
    """

    of_items: Mapping[str, Mapping[str, tuple[float, float, float]]] = field(default_factory=dict)
    _posteriors: dict[tuple[str, tuple[str, ...]], Posterior] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, rows: Sequence[tuple[str, str, float, float]], shares: Sequence[float] | None = None) -> Self:
        """The sums of rows of (item id, creative id, weight, reward).

        Args:
            rows: see above.
            shares: of each row how much of it counts, where its reward may still come; 1 each when left out.
        """
        found: dict[str, dict[str, tuple[float, float, float]]] = {}
        counted = [1.0] * len(rows) if shares is None else shares
        for (item, creative, weight, reward), share in zip(rows, counted, strict=True):
            n, total, squares = found.setdefault(item, {}).get(creative, (0.0, 0.0, 0.0))
            found[item][creative] = n + weight * share, total + weight * reward, squares + weight * reward * reward
        return cls(found)

    def __add__(self, other: CreativeSums) -> CreativeSums:
        found = {item: dict(held) for item, held in self.of_items.items()}
        for item, held in other.of_items.items():
            own = found.setdefault(item, {})
            for creative, sums in held.items():
                n, total, squares = own.get(creative, (0.0, 0.0, 0.0))
                own[creative] = n + sums[0], total + sums[1], squares + sums[2]
        return CreativeSums(found)

    def times(self, factor: float) -> CreativeSums:
        """All weights times a factor."""
        found = {}
        for item, held in self.of_items.items():
            found[item] = {name: (n * factor, total * factor, sq * factor) for name, (n, total, sq) in held.items()}
        return CreativeSums(found)

    def posterior(self, item: str, creatives: Sequence[str], largest_reward: float) -> Posterior:
        """What is known of these creatives of an item, in this order."""
        key = item, tuple(creatives)
        found = self._posteriors.get(key)
        if found is None:
            held = self.of_items.get(item, {})
            table = np.array([held.get(creative, (0.0, 0.0, 0.0)) for creative in creatives])
            sums = ArmSums(table[:, 0].reshape(-1, 1, 1), table[:, 1].reshape(-1, 1), table[:, 2])
            found = self._posteriors[key] = Posterior(sums, largest_reward=largest_reward)
        return found

    def packed(self) -> bytes:
        """The sums as bytes."""
        return msgspec.msgpack.encode(self.of_items)

    @classmethod
    def read(cls, raw: bytes | None) -> Self:
        """What `packed` wrote; nothing for None."""
        if raw is None:
            return cls()
        return cls(msgspec.msgpack.decode(raw, type=dict[str, dict[str, tuple[float, float, float]]]))
