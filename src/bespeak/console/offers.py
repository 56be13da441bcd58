"""Offers: which there are, and how much of their codes and budgets is left."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from bespeak.console.answers import html
from bespeak.console.desk import Desk, Visit
from bespeak.engine.worlds.used_up import budget_of, cost_of

MAX_SHOWN = 200


def offers_page(desk: Desk, visit: Visit) -> Response:
    """Shows the offers of the catalogue with what became of their codes."""
    engine = desk.engine
    pools = {pool.item_id: pool for pool in engine.offers.pools()}
    used_up = engine.offers.used_up()
    rows: list[dict[str, Any]] = []
    for item in engine.core.world.catalogue.items:
        pool = pools.get(item.id)
        if item.kind != "offer" and pool is None:
            continue
        cost = cost_of(item)
        rows.append(
            {
                "item": item,
                "n_codes": pool.n_codes if pool else 0,
                "n_issued": pool.n_issued if pool else 0,
                "spent": cost * pool.n_issued if pool and cost is not None else None,
                "budget": budget_of(item),
                "is_used_up": item.id in used_up,
                "has_expired": item.expires_at is not None and item.expires_at <= desk.now_ms(),
            }
        )
    return html(
        desk.render(
            "console/offers.html", visit, page="offers", title="Offers", rows=rows[:MAX_SHOWN], n_rows=len(rows)
        )
    )
