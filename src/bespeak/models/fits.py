"""What a fit needs and what it leaves on its way: memory stated before it begins, passes that can be gone on with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bespeak.models.fitted import Arrays


@dataclass(frozen=True, slots=True)
class FitMemory:
    """An estimate of what a fit takes, the log and its matrices aside.

    Attributes:
        peak_bytes: at the top of the fit, what is kept included.
        kept_bytes: of the fitted arrays.
    """

    peak_bytes: float
    kept_bytes: float


class Passes(Protocol):
    """What watches a fit of many passes, so that one that was stopped can go on."""

    def latest(self) -> Arrays | None:
        """The state that an earlier fit with the same settings on the same log left, None without one."""

    def passed(self, share: float, state: Callable[[], Arrays]) -> None:
        """Told after each pass.

        Args:
            share: of the passes that are done.
            state: gives everything that the next pass hangs on.
        """


_LINK_BYTES = 12
"""Of a sparse entry on its way: float32 and mostly int64."""
_KEPT_BYTES = 8
"""Of a sparse entry that is kept: float32 and int32, see `packing.pack_csr`."""
_PAIR_BYTES = 24
_BLOCK_PAIRS = 10_000_000


def pairs_of(n_people: int, n_items: int, n_events: int) -> float:
    """How many pairs of items some person has both of: twice what there were if all had the same number of events."""
    return min(float(n_items) ** 2, 2.0 * float(n_events) ** 2 / max(1, n_people))


def link_memory(n_items: int, per_item: int, n_pairs: float, *, n_copies: float = 2.0) -> FitMemory:
    """Of a model of sparse links, which are made in blocks of pairs and cut to the strongest per item.

    Args:
        n_items: of the catalogue.
        per_item: links kept per item.
        n_pairs: that occur.
        n_copies: of the kept links that stand side by side when the blocks are put together.
    """
    n_kept = min(n_pairs, n_items * float(min(per_item, n_items)))
    peak = n_copies * _LINK_BYTES * n_kept + _PAIR_BYTES * min(n_pairs, _BLOCK_PAIRS)
    return FitMemory(peak, _KEPT_BYTES * n_kept)
