"""Which column of a file means what: `user=customer,item=sku,event='Product Viewed'`.

Our field stands left, their column right; text in quotes is a constant for every row. A column whose name holds a comma
or a quote stands in backquotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from bespeak.errors import InvalidInput

What = Literal["events", "items", "users"]
WHAT: tuple[str, ...] = get_args(What)

EVENT_FIELDS = (
    *("user", "anonymous", "profile", "item", "event", "timestamp", "rating", "quantity", "price", "currency"),
    *("revenue", "order", "query", "title", "category", "brand", "genre", "position", "decision", "message_id"),
)
ITEM_FIELDS = (
    *("id", "kind", "group", "title", "description", "url", "image_url", "price", "currency", "available"),
    *("published_at", "expires_at", "category", "brand", "genre", "tags"),
)
USER_FIELDS = (
    *("user", "anonymous", "timestamp", "message_id", "email", "name", "age", "birthday", "gender", "country"),
    *("region", "city", "postal_code", "language", "profession", "education", "income"),
)
FIELDS: dict[str, tuple[str, ...]] = {"events": EVENT_FIELDS, "items": ITEM_FIELDS, "users": USER_FIELDS}
_SAYS_WHAT = frozenset(("item", "event", "query", "order", "revenue", "title", "category", "brand", "genre"))

_PART = re.compile(
    r"""\s*(?P<field>[A-Za-z_]+)\s*=\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|`(?P<quoted>[^`]+)`|(?P<column>[^,'"`][^,]*?))\s*(?:,|$)"""
)


class ColumnMapping(msgspec.Struct, frozen=True, kw_only=True):
    """What the columns of a file mean.

    Attributes:
        columns: our field -> their column.
        constants: our field -> the value of every row.
    """

    columns: dict[str, str] = {}
    constants: dict[str, str] = {}

    def check(self, there: Sequence[str], what: What) -> None:
        """Refuses a mapping that the file or the kind of record does not have.

        Raises:
            InvalidInput: `unknown_field` or `missing_column`; lists what there is.
        """
        for field in (*self.columns, *self.constants):
            if field not in FIELDS[what]:
                raise InvalidInput(
                    f"{what} have no field '{field}'.", hint=f"Fields: {', '.join(FIELDS[what])}.", code="unknown_field"
                )
        for field, column in self.columns.items():
            if column not in there:
                raise InvalidInput(
                    f"there is no column '{column}' (for {field}).",
                    hint=f"Columns: {', '.join(there)}.",
                    code="missing_column",
                )
        if what == "items":
            needed: tuple[str, ...] = ("id",)
            names = "id"
        else:
            needed = ("user", "anonymous")
            names = "user (or anonymous)"
        if not any(field in self.columns or field in self.constants for field in needed):
            raise InvalidInput(
                f"no column is known to hold {names}.",
                hint=f"Say which with --map {needed[0]}=COLUMN. Columns: {', '.join(there)}.",
                code="missing_column",
            )

        if what == "events" and not {*self.columns, *self.constants} & _SAYS_WHAT:
            raise InvalidInput(
                "no column is known to hold item or event: the rows would say who, and nothing of what they did.",
                hint=f"Say which with --map item=COLUMN or event='Signed Up'. Columns: {', '.join(there)}.",
                code="missing_column",
            )

    def text(self) -> str:
        """Returns the mapping as `parse_mapping` reads it."""
        parts = [f"{field}={_column_text(column)}" for field, column in self.columns.items()]
        return ",".join(parts + [f"{field}='{value}'" for field, value in self.constants.items()])


def parse_mapping(text: str) -> ColumnMapping:
    """Returns the mapping that a text declares.

    Raises:
        InvalidInput: the text cannot be read, or names a field twice; code `invalid_mapping`.

    Example:
        >>> parse_mapping("user=customer, item=sku, event='Product Viewed'")
        ColumnMapping(columns={'user': 'customer', 'item': 'sku'}, constants={'event': 'Product Viewed'})
    """
    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or part.end() == position:
            raise InvalidInput(
                f"the mapping cannot be read at position {position}.",
                hint="Write our_field=their_column, separated by commas; quotes make a constant.",
                code="invalid_mapping",
            )
        field, column = part["field"], part["column"] or part["quoted"]
        if field in columns or field in constants:
            raise InvalidInput(f"the mapping names '{field}' twice.", code="invalid_mapping")
        if column is not None:
            columns[field] = column
        else:
            constants[field] = part["single"] if part["single"] is not None else part["double"]
        position = part.end()
    return ColumnMapping(columns=columns, constants=constants)


def _column_text(column: str) -> str:
    """Returns a column's name as a mapping writes it: in backquotes where it could be read otherwise."""
    is_plain = "," not in column and column[:1] not in ("'", '"') and column == column.strip()
    return column if is_plain or "`" in column else f"`{column}`"
