"""Sums over units in one query: what `storage.statistics` asks for, compiled to DuckDB's SQL over the lake.

Rows of the lake meet the table of units once; each wanted number is one aggregate with its own condition; caps,
products and groups follow. Nothing of a single person leaves the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bespeak.storage.lake.lake import Lake
from bespeak.storage.statistics import Figure, Group, RawSums, SumsRequest, UnitValue, Wanted

MEMBERS = pa.schema(
    [
        pa.field("person_id", pa.int64()),
        pa.field("unit", pa.int64()),
        pa.field("start_ms", pa.int64()),
    ]
)
"""Whose rows count for which unit: every person that was joined into it, itself included."""

_PAIRS = tuple(combinations_with_replacement(range(4), 2))
_DAY_MS = 86_400_000


def unit_sums(
    lake: Lake, request: SumsRequest, members: pa.Table, units: pa.Table, parts: Sequence[str] = ()
) -> dict[Group, dict[str, RawSums]]:
    """Returns group -> metric -> sums, for each arm and for each value of each part within it.

    Args:
        lake: where the rows lie.
        request: the metrics.
        members: see `MEMBERS`.
        units: `unit`, `start_ms`, `arm` and an integer column for each part; a part's negative values are left out.
        parts: names of those columns.

    Raises:
        StoreError: the lake cannot be read.
    """
    earliest_ms = int(pc.min(units.column("start_ms")).as_py() or 0)
    reach_ms = min((figure.from_ms for figure in _figures(request.wanted)), default=0)
    found = lake.query(
        _sql(request, parts),
        tables={"unit_members": members, "units": units},
        start_ms=earliest_ms + min(reach_ms, 0),
        end_ms=request.end_ms,
    )
    groups: dict[Group, dict[str, RawSums]] = {}
    for row in found.to_pylist():
        group = _group(row, parts)
        if group is not None:
            sums = {w.name: _raw(row, place) for place, w in enumerate(request.wanted)}
            groups[group] = {name: raw for name, raw in sums.items() if raw.n}
    return groups


def _group(row: dict[str, Any], parts: Sequence[str]) -> Group | None:
    for part in parts:
        if row[f"by_{part}"] == 0:  # grouped by this part
            value = row[part]
            return None if value is None or value < 0 else Group(row["arm"], part, value)
    return Group(row["arm"])


def _raw(row: dict[str, Any], place: int) -> RawSums:
    totals = tuple(float(row[f"m{place}_t{a}"] or 0) for a in range(4))
    products = [[0.0] * 4 for _ in range(4)]
    for a, b in _PAIRS:
        products[a][b] = products[b][a] = float(row[f"m{place}_p{a}{b}"] or 0)
    return RawSums(int(row[f"m{place}_n"]), totals, tuple(map(tuple, products)), int(row[f"m{place}_z"]))


def _figures(wanted: Sequence[Wanted]) -> dict[Figure, str]:
    """Each figure once, with its name in the query."""
    found: dict[Figure, str] = {}
    for one in wanted:
        for value in (one.value, one.per, one.before, one.before_per):
            for figure in () if value is None else (value.of, value.less, value.unless):
                if figure is not None:
                    found.setdefault(figure, f"f{len(found)}")
    return found


def _sql(request: SumsRequest, parts: Sequence[str]) -> str:
    names = _figures(request.wanted)
    first = min((figure.from_ms for figure in names), default=0)
    filled = ", ".join(f"coalesce({name}, 0) AS {name}" for name in names.values())
    columns = ["u.arm", *(f"u.{part}" for part in parts)]
    values, caps, capped, sums = [], [], [], []
    for place, one in enumerate(request.wanted):
        four = (one.value, one.per, one.before, one.before_per)
        values += [f"{_value(v, names, default)} AS m{place}_{a}"
                   for a, (v, default) in enumerate(zip(four, (0, 1, 0, 1), strict=True))]  # fmt: skip
        values.append(f"start_ms <= {request.end_ms - one.open_ms} AS m{place}_in")
        if one.winsor_quantile:
            caps.append(f"quantile_cont(m{place}_0, {one.winsor_quantile!r}) FILTER (m{place}_0 <> 0) AS cap{place}")
            capped.append(f"least(m{place}_0, coalesce(cap{place}, m{place}_0)) AS m{place}_0")
        sums += _sums_of(place)
    grouping = ", ".join(["(arm)", *(f"(arm, {part})" for part in parts)])
    by_parts = "".join(f", {part}, grouping({part}) AS by_{part}" for part in parts)
    about = " OR ".join(dict.fromkeys(f"({figure.where})" for figure in names))
    currency = request.currency.replace("'", "''")
    replaced = f" REPLACE ({', '.join(capped)})" if capped else ""
    return f"""
        WITH rows AS (
          SELECT m.unit, s.time_ms - m.start_ms AS since_ms, s.log_id, s.time_ms // {_DAY_MS} AS day, s.name, s.signal,
            s.signal_class, s.item_id, s.strength, s.amount, s.currency, s.decision_id,
            CASE WHEN s.currency = '{currency}' THEN s.value_minor / {10.0**request.digits!r} ELSE 0 END AS value
          FROM signals s JOIN unit_members m ON s.person_id = m.person_id
          WHERE (s.purposes & {request.purposes}) = {request.purposes} AND NOT s.is_bot
            AND s.time_ms < {request.end_ms} AND s.time_ms - m.start_ms >= {first} AND ({about})
        ),
        {_aggregates(names)},
        filled AS (
          SELECT {", ".join(columns)}, u.start_ms, {filled}
          FROM units u LEFT JOIN figures f ON f.unit = u.unit LEFT JOIN counted c ON c.unit = u.unit
        ),
        units_values AS (
          SELECT arm{"".join(f", {part}" for part in parts)}, {", ".join(values)} FROM filled
        ),
        caps AS (SELECT {f"{', '.join(caps)} FROM units_values" if caps else "0 AS none"}),
        final AS (SELECT units_values.*{replaced} FROM units_values, caps)
        SELECT arm{by_parts}, {", ".join(sums)} FROM final GROUP BY GROUPING SETS ({grouping})
    """  # noqa: S608 - rules are checked and written as SQL by `bespeak.rules`, all other parts are our own


def _aggregates(names: dict[Figure, str]) -> str:
    """The tables of what each unit did: `figures`, and `counted` for figures that count different things.

    These see only the rows that they are about, mostly few: to count different things among all rows, each row would
    have to be kept by what it is.
    """
    distinct = {figure: name for figure, name in names.items() if figure.aggregate in ("events", "days")}
    plain = {figure: name for figure, name in names.items() if figure not in distinct}
    about = " OR ".join(dict.fromkeys(f"({figure.where})" for figure in distinct)) or "FALSE"
    return f"""
        figures AS (SELECT {_columns(plain)} FROM rows GROUP BY unit),
        counted AS (SELECT {_columns(distinct)} FROM rows WHERE {about} GROUP BY unit)
    """  # noqa: S608 - see `_sql`


def _columns(names: dict[Figure, str]) -> str:
    return ", ".join(["unit", *(f"{_aggregate(figure)} AS {name}" for figure, name in names.items())])


def _sums_of(place: int) -> list[str]:
    counted = f"FILTER (m{place}_in)"
    found = [f"count(*) {counted} AS m{place}_n", f"count(*) FILTER (m{place}_in AND m{place}_0 <> 0) AS m{place}_z"]
    found += [f"sum(m{place}_{a}) {counted} AS m{place}_t{a}" for a in range(4)]
    return found + [f"sum(m{place}_{a} * m{place}_{b}) {counted} AS m{place}_p{a}{b}" for a, b in _PAIRS]


def _aggregate(figure: Figure) -> str:
    until = "" if figure.to_ms is None else f" AND since_ms < {figure.to_ms}"
    rows = f"FILTER (({figure.where}) AND since_ms >= {figure.from_ms}{until})"
    return {
        "any": f"CAST(count(*) {rows} > 0 AS DOUBLE)",
        "count": f"CAST(count(*) {rows} AS DOUBLE)",
        "events": f"CAST(count(DISTINCT log_id) {rows} AS DOUBLE)",
        "days": f"CAST(count(DISTINCT day) {rows} AS DOUBLE)",
        "sum": f"CAST(sum({figure.column}) {rows} AS DOUBLE)",
    }[figure.aggregate]


def _value(value: UnitValue | None, names: dict[Figure, str], default: int) -> str:
    if value is None:
        return f"{default}.0"
    text = names[value.of]
    if value.less is not None:
        text = f"({text} - {names[value.less]})"
    return text if value.unless is None else f"CASE WHEN {names[value.unless]} <> 0 THEN 0.0 ELSE {text} END"
