"""Which offers are used up: all their codes issued, or their budget spent."""

from __future__ import annotations

from bespeak.catalogue.columns import as_number
from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.signals.items import Item
from bespeak.storage.base import Session
from bespeak.storage.tables import offers
from bespeak.storage.tables.offers import Pool

OFFERS = "offers"
"""Name of the version counter that tells of a change."""
ROUNDING = 1e-9
"""Three codes of .1 cost .30000000000000004, which is no more than a budget of .3."""


def is_used_up(offer: Item, pool: Pool) -> bool:
    """Whether no code is left, or the next one would cost more than is left of the budget.

    Example:
        >>> offer = Item(id="o", attributes={"cost": 5.0, "budget": 12.0})
        >>> [is_used_up(offer, Pool(item_id="o", n_codes=9, n_issued=n)) for n in (1, 2)]
        [False, True]
    """
    return pool.n_issued >= pool.n_codes or is_spent(offer, pool.n_issued)


def is_spent(offer: Item, n_issued: int) -> bool:
    """Whether one code more than these would cost more than the budget; an offer without one is never spent.

    Example:
        >>> offer = Item(id="o", attributes={"cost": 0.1, "budget": 0.3})
        >>> [is_spent(offer, n_issued) for n_issued in (2, 3)]
        [False, True]
    """
    cost, budget = cost_of(offer), budget_of(offer)
    if budget is None or cost is None:
        return False
    return cost * (n_issued + 1) > budget + ROUNDING * abs(budget)


def has_budget(offer: Item) -> bool:
    """Whether what was spent counts."""
    return budget_of(offer) is not None and cost_of(offer) is not None


def cost_of(offer: Item) -> float | None:
    """What one code costs, None where nothing is said."""
    return as_number(offer.attributes.get("cost"))


def budget_of(offer: Item) -> float | None:
    """How much may be spent in all, in the unit of the cost; None where nothing is said."""
    return as_number(offer.attributes.get("budget"))


def used_up_offers(session: Session, catalogue: CatalogueSnapshot) -> frozenset[str]:
    """Returns the ids of the offers with codes that are used up."""
    return frozenset(
        pool.item_id
        for pool in offers.pools(session)
        if pool.item_id in catalogue.index and is_used_up(catalogue.items[catalogue.index[pool.item_id]], pool)
    )
