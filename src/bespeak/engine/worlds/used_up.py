"""Which offers are used up: all their codes issued, or their budget spent."""

from __future__ import annotations

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.signals.items import Item
from bespeak.storage.base import Session
from bespeak.storage.tables import offers
from bespeak.storage.tables.offers import Pool

OFFERS = "offers"
"""Name of the version counter that tells of a change."""


def is_used_up(offer: Item, pool: Pool) -> bool:
    """Whether no code is left, or the next one would cost more than is left of the budget.

    Example:
        >>> offer = Item(id="o", attributes={"cost": 5.0, "budget": 12.0})
        >>> [is_used_up(offer, Pool(item_id="o", n_codes=9, n_issued=n)) for n in (1, 2)]
        [False, True]
    """
    if pool.n_issued >= pool.n_codes:
        return True
    cost, budget = _number(offer, "cost"), _number(offer, "budget")
    return budget is not None and cost is not None and cost * (pool.n_issued + 1) > budget


def used_up_offers(session: Session, catalogue: CatalogueSnapshot) -> frozenset[str]:
    """Returns the ids of the offers with codes that are used up."""
    return frozenset(
        pool.item_id
        for pool in offers.pools(session)
        if pool.item_id in catalogue.index and is_used_up(catalogue.items[catalogue.index[pool.item_id]], pool)
    )


def _number(offer: Item, name: str) -> float | None:
    value = offer.attributes.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
