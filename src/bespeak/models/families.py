"""The algorithms by name."""

from __future__ import annotations

from bespeak.errors import UnknownName
from bespeak.models.base import Model
from bespeak.models.blend import Blend
from bespeak.models.members import MEMBERS
from bespeak.models.neighbours.bought_together import BoughtTogether

FAMILIES: dict[str, type[Model]] = {**MEMBERS, BoughtTogether.name: BoughtTogether, Blend.name: Blend}


def model_class(name: str) -> type[Model]:
    """The class of an algorithm.

    Raises:
        UnknownName: there is none of that name.

    Example:
        >>> model_class("ease")(l2=50.0).settings()["l2"]
        50.0
    """
    if name not in FAMILIES:
        raise UnknownName("model", name, list(FAMILIES))
    return FAMILIES[name]
