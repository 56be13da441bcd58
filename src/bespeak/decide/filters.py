"""Which items the filters of a placement let pass."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.situation import Situation
from bespeak.decide.world import rule_of
from bespeak.errors import RuleError

Bools: TypeAlias = npt.NDArray[np.bool_]


def passing(text: str, situation: Situation) -> Bools:
    """bool[n]: the items that a filter of the placement lets pass.

    A column that no item has any more is no reason to fail a page: nothing passes, and `doctor` names it.
    """
    return situation.reading.once(("passing", text, situation.market), lambda: _passing(text, situation))


def _passing(text: str, situation: Situation) -> Bools:
    catalogue = situation.world.catalogue
    try:
        rule = rule_of(text, catalogue.schema)
    except RuleError:
        return np.zeros(len(catalogue), np.bool_)
    return rule.mask(catalogue.market(situation.market).columns, situation.now_ms)
