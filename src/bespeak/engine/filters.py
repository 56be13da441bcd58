"""Filters of placements, checked when the configuration is read and again when the items are known.

What the language does not have is refused at once. A column is an attribute of the items, so it can be judged only when
there are items: then `apply` refuses a name that none of them has. A column that disappears later is no reason to
refuse to start, nor to fail a page: `doctor` names it, and the filter lets nothing pass.
"""

from __future__ import annotations

from collections.abc import Mapping

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.settings.placements import Placement
from bespeak.errors import ConfigError, RuleError
from bespeak.rules import parse
from bespeak.rules.unknown import unknown_columns

_FIXED = CatalogueSnapshot.empty().schema


def check_filters(placements: Mapping[str, Placement], catalogue: CatalogueSnapshot | None = None) -> None:
    """Returns when every placement's filter, and that of each of its pins, shares and boosts, can be read.

    Args:
        catalogue: the items, where they are known; one that nobody has written any item to says nothing.

    Raises:
        ConfigError: with the key, the position in the filter, and what is allowed.
    """
    is_known = catalogue is not None and any(not item.is_stub for item in catalogue.items)
    for name, placement in placements.items():
        for key, text in placement.filters().items():
            try:
                if is_known:
                    assert catalogue is not None
                    parse(text, catalogue.schema)
                else:
                    unknown_columns(text, _FIXED)
            except RuleError as error:
                raise ConfigError(error.message, key=f"placements.{name}.{key}", hint=error.hint) from None
