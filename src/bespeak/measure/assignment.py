"""Who gets which variant: a hash of the experiment's seed and the person, so every node gives the same answer.

The hash is version 2 of GrowthBook's (SDK specification, "hashing"): two rounds of 32-bit FNV-1a give a number from 0
to .9999, and each variant owns a range of it that is as wide as its weight. A ramp narrows every range from its end, so
people who are in stay where they are while it grows. Experiments of one namespace own disjoint ranges of a second hash:
nobody is in two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose

from bespeak.errors import InvalidInput

_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193
_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Namespace:
    """A share of people that experiments divide among themselves.

    Attributes:
        name: experiments that exclude one another name the same.
        start, end: this experiment's range, 0 <= start < end <= 1.
    """

    name: str
    start: float
    end: float

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= 1:
            raise InvalidInput(f"The namespace '{self.name}' has the range {self.start:g} to {self.end:g}.",
                               hint="Give a range within 0 to 1, its start before its end.")  # fmt: skip

    def holds(self, unit: str) -> bool:
        """Whether a unit falls into this experiment's range."""
        return self.start <= bucket(f"__{self.name}", unit) < self.end


@dataclass(frozen=True, slots=True)
class Experiment:
    """Variants and how people are spread over them.

    Attributes:
        name: as it stands in records and reports.
        variants: (name, weight); the weights add up to 1.
        seed: experiments with the same seed give the same person the same number; the name when left out.
        coverage: the share of people who take part: a percentage ramp.
        namespace: which people may take part; None for all.

    Example:
        >>> trial = Experiment("colour", (("control", 0.5), ("blue", 0.5)))
        >>> trial.variant_of("ann"), trial.variant_of("bob")
        ('blue', 'control')
        >>> Experiment("colour", trial.variants, coverage=0.0).variant_of("ann") is None
        True
    """

    name: str
    variants: Sequence[tuple[str, float]]
    seed: str = ""
    coverage: float = 1.0
    namespace: Namespace | None = None

    def __post_init__(self) -> None:
        names = [name for name, _ in self.variants]
        if not names or len(set(names)) < len(names):
            raise InvalidInput(f"The variants of '{self.name}' need names that differ; they are {', '.join(names)}.")
        if any(weight < 0 for _, weight in self.variants) or not isclose(sum(w for _, w in self.variants), 1.0):
            raise InvalidInput(f"The weights of the variants of '{self.name}' must add up to 1, none below 0.")
        if not 0 <= self.coverage <= 1:
            raise InvalidInput(f"The coverage of '{self.name}' is {self.coverage:g}; it is a share from 0 to 1.")

    def variant_of(self, unit: str) -> str | None:
        """The variant of a unit (an id), or None for one that takes no part."""
        if not unit or (self.namespace is not None and not self.namespace.holds(unit)):
            return None
        place = bucket(self.seed or self.name, unit)
        start = 0.0
        for name, weight in self.variants:
            if start <= place < start + self.coverage * weight:
                return name
            start += weight
        return None

    def expected(self) -> dict[str, float]:
        """Variant -> share of those who take part."""
        return dict(self.variants)


def bucket(seed: str, unit: str) -> float:
    """A number from 0 to .9999 that looks drawn at random, the same for the same seed and unit.

    Example:
        >>> bucket("seed", "a"), bucket("foo", "ab")
        (0.0505, 0.2575)
    """
    return _fnv1a(str(_fnv1a(seed + unit))) % _STEPS / _STEPS


def _fnv1a(text: str) -> int:
    """32-bit FNV-1a (Fowler, Noll, Vo) over UTF-16 units, as GrowthBook's clients take it; of ASCII that is bytes."""
    value = _FNV_OFFSET
    for unit in text.encode() if text.isascii() else _utf16_units(text):
        value = (value ^ unit) * _FNV_PRIME & 0xFFFFFFFF
    return value


def _utf16_units(text: str) -> list[int]:
    raw = text.encode("utf-16-le", "surrogatepass")
    return [low | high << 8 for low, high in zip(raw[::2], raw[1::2], strict=True)]
