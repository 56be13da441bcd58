"""Checking a rule before all of its columns are known.

A filter over items stands in the configuration before the items are imported, and their attributes are its columns. So
a name that is not known yet may turn out to be of any type; whatever else is wrong is wrong now.
"""

from __future__ import annotations

from itertools import product

from sqlglot import TokenType

from bespeak.errors import RuleError
from bespeak.rules.columns import ColumnType
from bespeak.rules.parse import tree_of
from bespeak.rules.schema import Schema
from bespeak.rules.tokens import tokens_of

MAX_TYPED = 4
"""Of rules with more unknown names only the words are checked: the types could be chosen in too many ways."""

_TYPES = (ColumnType.NUMBER, ColumnType.TEXT, ColumnType.BOOLEAN, ColumnType.TEXTS)


def unknown_columns(text: str, schema: Schema) -> tuple[str, ...]:
    """Returns the names in a rule that the schema does not have, in order.

    Raises:
        RuleError: it is not readable, or no choice of types for these names makes sense of it; with the position.

    Example:
        >>> unknown_columns("price < 9 AND watts > 5 AND colour = 'red'", Schema({"price": ColumnType.NUMBER}))
        ('watts', 'colour')
    """
    words = tokens_of(text, Schema(schema.columns, schema.functions, ColumnType.TEXT, schema.context))
    named = dict.fromkeys(word.text for word in words if word.token_type is TokenType.IDENTIFIER)
    names = tuple(name for name in named if not schema.knows(name))
    if len(names) > MAX_TYPED:
        return names
    furthest: RuleError | None = None
    for types in product(_TYPES, repeat=len(names)):
        columns = {**schema.columns, **dict(zip(names, types, strict=True))}
        try:
            tree_of(text, Schema(columns, schema.functions, None, schema.context))
        except RuleError as error:
            if furthest is None or error.position > furthest.position:
                furthest = error
        else:
            return names
    assert furthest is not None
    raise furthest
