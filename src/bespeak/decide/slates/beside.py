"""What stands on the same page above a slate, and what that closes for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.slates.slate import Bools, Cap, Constraints, Values
from bespeak.decide.world import World

Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]


@dataclass(eq=False)
class Beside:
    """What stands on the page so far.

    Attributes:
        caps: attribute -> how many items of the page may share a value.
        items: bool[n], the items.
        groups: bool, by group code; None where groups may repeat.
        values: attribute -> (int32[n, width] codes, n_values, int64[n_values] how many items have each).
    """

    world: World
    caps: Mapping[str, int]
    items: Bools
    groups: Bools | None
    values: dict[str, tuple[Int32s, int, Int64s]] = field(default_factory=dict)

    @classmethod
    def nothing(cls, world: World, caps: Mapping[str, int], *, one_per_group: bool) -> Self:
        """An empty page with these rules."""
        catalogue = world.catalogue
        n_groups = int(catalogue.groups.max()) + 1 if len(catalogue) else 0
        groups = np.zeros(n_groups, np.bool_) if one_per_group else None
        found = cls(world, caps, np.zeros(len(catalogue), np.bool_), groups)
        for name in caps:
            column = catalogue.values_of(name)
            if column is not None:
                n_values = len(column.vocabulary)
                found.values[name] = column.codes, n_values, np.zeros(n_values, np.int64)
        return found

    def constraints(self, own: Constraints, rows: Int32s) -> Constraints:
        """The constraints of a slate of the candidates `rows`, and those of the page given what stands on it."""
        taken = self.items[rows]
        if self.groups is not None:
            taken |= self.groups[self.world.catalogue.groups[rows]]
        caps = tuple(
            Cap(name, self.caps[name], Values(codes[rows], n_values), held=held)
            for name, (codes, n_values, held) in self.values.items()
        )
        groups = self.world.catalogue.groups[rows] if self.groups is not None else own.groups
        return replace(own, groups=groups, caps=(*own.caps, *caps), taken=taken)

    def add(self, rows: Iterable[int]) -> None:
        """Takes note of items that are shown, by their places in the catalogue."""
        shown = np.array(list(rows), np.int64)
        self.items[shown] = True
        if self.groups is not None:
            self.groups[self.world.catalogue.groups[shown]] = True
        for codes, n_values, held in self.values.values():
            for row in shown.tolist():
                own = np.unique(codes[row])
                held[own[own < n_values]] += 1
