"""A decision as the answer of `POST /api/decide` and of `bespeak decide --json`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.signals.decisions import Decision


def reply(
    decision: Decision,
    catalogue: CatalogueSnapshot,
    locale: str = "",
    market: str = "default",
    values: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Returns the answer as plain JSON values.

    Args:
        decision: what was decided.
        catalogue: the snapshot that it was decided with, or a later one; an item that left it has no properties.
        locale: language of titles and descriptions.
        market: market of the price.
        values: variant -> value, of a placement that shows variants; one that it has no more has none.
    """
    answer: dict[str, Any] = {
        "decisionId": decision.decision_id,
        "placement": decision.placement,
        "mode": decision.mode,
        "policy": decision.policy,
    }
    if decision.heading:
        answer["heading"] = decision.heading
    if decision.about:
        answer["about"] = decision.about
    if decision.experiment is not None:
        answer["experiment"] = decision.experiment
    items = []
    for shown in decision.items:
        index = catalogue.index.get(shown.item_id) if decision.kind == "items" else None
        entry: dict[str, Any] = {
            "id": shown.item_id,
            "position": shown.position,
            "score": shown.score,
            "propensity": shown.propensity,
        }
        if shown.is_paid:
            entry["paid"] = True
        if shown.creative is not None:
            entry["creative"] = shown.creative
        if decision.kind == "variant":
            entry["value"] = values.get(shown.item_id)
        entry["properties"] = catalogue.properties(index, locale, market) if index is not None else {}
        if index is not None and shown.creative is not None:
            entry["properties"] |= catalogue.creative_properties(index, shown.creative["id"])
        entry["reasons"] = msgspec.to_builtins(shown.reasons)
        items.append(entry)
    answer["items"] = items
    if decision.notes:
        answer["notes"] = list(decision.notes)
    return answer
