"""Pages: which rows a whole page may show, and what holds across them.

A project's file overrides any setting of the built-in page `front` and adds its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bespeak.decide.settings.parts import MAX_COUNT, Part
from bespeak.decide.settings.placements import Placement
from bespeak.errors import ConfigError, UnknownName

MAX_ROWS = 30


class RowSettings(Part, frozen=True, kw_only=True):
    """A placement that may be a row of the page; its name alone will do.

    Attributes:
        placement: name of the placement.
        at_most: so many rows of it, where it is about something: one for each of the strongest items or values.
        count: items in the row; the page's number when left out.
        min_items: a row with fewer is left out; the page's number when left out.
        position: the row stands there if it stands at all; the first of `at_most`.
        value: what an item of this row counts beside one of another.
    """

    placement: str
    at_most: Annotated[int, Meta(ge=1, le=MAX_ROWS)] = 1
    count: Annotated[int, Meta(ge=1, le=MAX_COUNT)] | None = None
    min_items: Annotated[int, Meta(ge=1, le=MAX_COUNT)] | None = None
    position: Annotated[int, Meta(ge=1, le=MAX_ROWS)] | None = None
    value: Annotated[float, Meta(gt=0, le=1000)] = 1.0


class Page(Part, frozen=True, kw_only=True):
    """A whole page.

    Attributes:
        name: the word in requests.
        rows: what it may show.
        max_rows: so many rows are shown.
        count: items in a row that sets no number of its own.
        min_items: a row with fewer is left out, where the row sets no number of its own.
        caps: attribute -> how many items of the whole page may share a value of it.
        one_per_group: whether the whole page shows one item of a group (variants, seasons).
    """

    name: str = ""
    rows: tuple[RowSettings, ...] = ()
    max_rows: Annotated[int, Meta(ge=1, le=MAX_ROWS)] = 6
    count: Annotated[int, Meta(ge=1, le=MAX_COUNT)] = 10
    min_items: Annotated[int, Meta(ge=1, le=MAX_COUNT)] = 3
    caps: dict[str, Annotated[int, Meta(ge=1)]] = msgspec.field(default_factory=dict)
    one_per_group: bool = True


FRONT = Page(
    name="front",
    rows=(
        RowSettings(placement="continue_watching", position=1, min_items=1),
        RowSettings(placement="next_episode", position=2, min_items=1),
        RowSettings(placement="home", value=1.2),
        RowSettings(placement="complements"),
        RowSettings(placement="because_you_watched", at_most=2),
        RowSettings(placement="trending_for_you"),
        RowSettings(placement="new_for_you"),
        RowSettings(placement="genres", at_most=3),
        RowSettings(placement="buy_again", value=1.2),
        RowSettings(placement="recently_viewed"),
    ),
)
BUILT_IN_PAGES: Mapping[str, Page] = MappingProxyType({"front": FRONT})


def pages_from(sections: Mapping[str, Mapping[str, Any]], placements: Mapping[str, Placement]) -> dict[str, Page]:
    """Returns the built-in pages with a project's own settings on top, and the project's own pages.

    Args:
        sections: page name -> its settings as they stand in the file.
        placements: those of the project.

    Raises:
        ConfigError: an unknown setting, a value out of range, a row that no placement can be; with its key.

    Example:
        >>> from bespeak.decide.settings.placements import BUILT_IN
        >>> own = pages_from({"start": {"rows": ["home", {"placement": "genres", "at_most": 2}]}}, BUILT_IN)
        >>> [(row.placement, row.at_most) for row in own["start"].rows], own["start"].max_rows
        ([('home', 1), ('genres', 2)], 6)
    """
    return {**BUILT_IN_PAGES, **{name: _page(name, section, placements) for name, section in sections.items()}}


def _page(name: str, section: Mapping[str, Any], placements: Mapping[str, Placement]) -> Page:
    key = f"pages.{name}"
    known = [setting for setting in Page.__struct_fields__ if setting != "name"]
    for setting in section:
        if setting not in known:
            hint = UnknownName("setting", setting, known, limit=len(known)).hint
            raise ConfigError(f"there is no setting '{setting}'.", key=key, hint=hint)
    given: dict[str, Any] = msgspec.convert(msgspec.to_builtins(section), dict[str, Any])
    if isinstance(given.get("rows"), list):
        given["rows"] = [{"placement": row} if isinstance(row, str) else row for row in given["rows"]]
    base = msgspec.to_builtins(BUILT_IN_PAGES[name]) if name in BUILT_IN_PAGES else {}
    try:
        page = msgspec.convert({**base, **given, "name": name}, Page)
    except (msgspec.ValidationError, TypeError) as error:
        raise ConfigError.of_value(error, key=key, hint="See docs/reference/placements.md for every setting.") from None
    _check(page, placements, key)
    return page


def _check(page: Page, placements: Mapping[str, Placement], key: str) -> None:
    if not page.rows:
        raise ConfigError("a page needs rows.", key=f"{key}.rows", hint='Write rows = ["home", "recently_viewed"].')
    positions: set[int] = set()
    for row in page.rows:
        placement = placements.get(row.placement)
        if placement is None:
            hint = f"Known: {', '.join(sorted(placements))}."
            raise ConfigError(f"there is no placement '{row.placement}'.", key=f"{key}.rows", hint=hint)
        if placement.needs_match:
            message = f"'{row.placement}' needs a query, which a page has not."
            raise ConfigError(message, key=f"{key}.rows", hint="Leave it out.")
        if placement.actions is not None:
            message = f"'{row.placement}' shows the next best action, which is no row."
            raise ConfigError(message, key=f"{key}.rows", hint="Leave it out, and ask for it with POST /api/decide.")
        if row.at_most > 1 and not placement.has_subject:
            message = f"'{row.placement}' is about nothing in particular, so there is one row of it."
            hint = "Leave `at_most` out, or set `about_facets` or `about_classes` of the placement."
            raise ConfigError(message, key=f"{key}.rows", hint=hint)
        if row.position is not None and (row.position > page.max_rows or row.position in positions):
            message = f"row {row.position} is taken twice, or lies below `max_rows`."
            raise ConfigError(message, key=f"{key}.rows", hint="Give each row a position of its own, or none.")
        positions |= {row.position} if row.position is not None else set()
