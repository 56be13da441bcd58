"""Purposes a person consents to, kept as a bit mask on every log row.

Bits are positions in the project's list of purposes: the five built-in ones first, a project's own appended. The order
is part of the data, so a project may only append to its list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bespeak.errors import ConfigError, UnknownName

ESSENTIAL = "essential"
PERSONALIZE = "personalize"
MEASURE = "measure"
IMPROVE = "improve"
SHARE = "share"

BUILT_IN = (ESSENTIAL, PERSONALIZE, MEASURE, IMPROVE, SHARE)

PURPOSE_TEXTS = {
    ESSENTIAL: "running the service that was asked for",
    PERSONALIZE: "keeping a profile and choosing what to show from it",
    MEASURE: "measuring what works",
    IMPROVE: "training models for everybody",
    SHARE: "passing data to others",
}


class Purposes:
    """The purposes of one project, in the order of their bits.

    Example:
        >>> purposes = Purposes()
        >>> purposes.names(purposes.mask(["personalize", "essential"]))
        ('essential', 'personalize')
    """

    def __init__(self, own: Sequence[str] = ()) -> None:
        names = (*BUILT_IN, *own)
        if len(set(names)) != len(names):
            raise ConfigError(f"purposes must be unique: {', '.join(names)}.", key="consent.purposes")
        if len(names) > 62:
            raise ConfigError("at most 57 own purposes are possible.", key="consent.purposes")
        self.all = names
        self._bits = {name: 1 << position for position, name in enumerate(names)}
        self.essential = self._bits[ESSENTIAL]
        self.personalize = self._bits[PERSONALIZE]
        self.measure = self._bits[MEASURE]
        self.improve = self._bits[IMPROVE]
        self.share = self._bits[SHARE]
        self.everything = (1 << len(names)) - 1

    def bit(self, name: str) -> int:
        """Returns the bit of one purpose; raises `UnknownName` for a name the project does not have."""
        try:
            return self._bits[name]
        except KeyError:
            raise UnknownName("purpose", name, self.all) from None

    def mask(self, names: Iterable[str]) -> int:
        """Returns the bits of several purposes, or-ed."""
        mask = 0
        for name in names:
            mask |= self.bit(name)
        return mask

    def names(self, mask: int) -> tuple[str, ...]:
        """Returns the names whose bits are set, in bit order."""
        return tuple(name for name, bit in self._bits.items() if mask & bit)
