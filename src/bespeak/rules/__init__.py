"""The rule language: SQL boolean expressions, checked once, evaluated in three ways that agree.

`price < 100 AND category IN ('audio', 'tv')` filters items, `orders_90d >= 2 AND affinity('category', 'audio') > 0.3
AND last_seen < now() - INTERVAL '30' DAY` is a segment. The way through the package:

    text -> tokens (whitelist, positions) -> parse + operands (types) -> nodes (the checked tree)
    nodes -> vectorised (columns)  |  single (one record, and when the answer flips)  |  sql (DuckDB)
          |  growthbook (conditions that GrowthBook's SDKs evaluate)
    values, vectors: what one and all rows hold, as rules expect it; unknown: rules before all columns are known

What the language has:

- comparisons `= <> != < <= > >=`, `AND OR NOT`, `IN`, `BETWEEN`, `LIKE` and `ILIKE` (% and _), `IS [NOT] NULL`,
  `IS [NOT] TRUE` and `FALSE`;
- `+ - * /` on numbers, division by zero is NULL; times take `+` and `-` with spans of time;
- `now()`, `INTERVAL '30' DAY` (SECOND, MINUTE, HOUR, DAY, WEEK), `TIMESTAMP '2026-01-31 12:00'`; a text constant beside
  a time is read as a time, in UTC unless it says otherwise;
- `lower upper length coalesce abs least greatest round floor`, and the schema's profile functions with constant
  arguments;
- lists of texts: `contains(tags, 'x')` and `'x' = ANY(tags)`; `tags = 'x'` and `tags IN ('x', 'y')` mean the same,
  "contains"; `length(tags)` counts.

Texts compare by code point and case; `lower`, `upper` and `ILIKE` change each character by itself. NULL is not true;
NaN is NULL.
"""

from bespeak.rules.columns import (
    MAX_TIME_MS,
    BooleanColumn,
    Column,
    Columns,
    ColumnType,
    NumberColumn,
    TextColumn,
    TextsColumn,
    TimestampColumn,
)
from bespeak.rules.rule import Rule, parse
from bespeak.rules.schema import (
    BUILT_INS,
    Argument,
    Call,
    CallResult,
    FunctionSignature,
    Parameter,
    Record,
    Schema,
    Value,
)
from bespeak.rules.single import Verdict
from bespeak.rules.sql import quoted

__all__ = [
    "BUILT_INS",
    "MAX_TIME_MS",
    "Argument",
    "BooleanColumn",
    "Call",
    "CallResult",
    "Column",
    "ColumnType",
    "Columns",
    "FunctionSignature",
    "NumberColumn",
    "Parameter",
    "Record",
    "Rule",
    "Schema",
    "TextColumn",
    "TextsColumn",
    "TimestampColumn",
    "Value",
    "Verdict",
    "parse",
    "quoted",
]
