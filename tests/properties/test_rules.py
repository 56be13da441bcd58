"""Random rules: three evaluators give one answer, verdicts hold as long as they say, noise is refused."""

import random
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bespeak.errors import RuleError
from bespeak.rules import CallResult, Columns, ColumnType, FunctionSignature, Parameter, Schema, parse

NOW_MS = 1_772_366_400_000
TYPES = {
    "price": ColumnType.NUMBER,
    "qty": ColumnType.NUMBER,
    "brand": ColumnType.TEXT,
    "plan": ColumnType.TEXT,
    "tags": ColumnType.TEXTS,
    "live": ColumnType.BOOLEAN,
    "paid": ColumnType.BOOLEAN,
    "seen": ColumnType.TIMESTAMP,
    "due": ColumnType.TIMESTAMP,
}
RECENT = FunctionSignature((Parameter("window_ms", ColumnType.NUMBER),), is_time_dependent=True)
SCHEMA = Schema(TYPES, {"recent": RECENT})

TEXTS = ["", "a", "A", "ab", "Ab%", "b_", "é", "É", "ß", "ẞ", "İ", "Σ", "ς", "日本", "👍🏽", "it's", "a\nb", "a\0b"]
NUMBERS = [0.0, -0.0, 1, -1, 2, 0.5, 1.5, 2.5, -2.5, 0.1, 3, 100, 1e15, 1e308, -1e308, float("inf"), float("nan")]
OFFSETS_MS = [-1_000, -600, -500, -7, -1, 0, 1, 2, 250, 600, 1_000]
POOLS: dict[ColumnType, list[Any]] = {
    ColumnType.NUMBER: NUMBERS,
    ColumnType.TEXT: TEXTS,
    ColumnType.TEXTS: [[], ["a"], ["a", "ab"], [""], ["é", None], [None], ["日本", "it's", "a"]],
    ColumnType.BOOLEAN: [True, False],
    ColumnType.TIMESTAMP: [NOW_MS + offset for offset in OFFSETS_MS],
}


def some_rows(n_rows: int) -> list[dict[str, Any]]:
    draw = random.Random(5)
    return [
        {name: None if draw.random() < 0.15 else draw.choice(POOLS[kind]) for name, kind in TYPES.items()}
        for _ in range(n_rows)
    ]


ROWS = some_rows(80)
COLUMNS = Columns.from_values(TYPES, ROWS)


class Person:
    """A row, with a function that counts four events in a moving window."""

    events_ms = (NOW_MS - 900, NOW_MS - 400, NOW_MS - 399, NOW_MS + 10)

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row

    def get(self, column: str) -> Any:
        return self.row[column]

    def call(self, name: str, args: tuple[Any, ...], now_ms: int) -> CallResult:
        edges = [time for event in self.events_ms for time in (event, event + args[0]) if time > now_ms]
        inside = sum(event <= now_ms < event + args[0] for event in self.events_ms)
        return CallResult(inside, min(edges, default=None))


# -- the grammar: text of each type, smaller as it goes down


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def form(pattern: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda found: pattern.format(*found))


def numbers(depth: int, calls: bool = False) -> st.SearchStrategy[str]:
    plain = st.sampled_from(["price", "qty", "0", "1", "-1", "2.5", "0.1", "100", "1e308", "NULL"])
    if calls:
        plain |= st.sampled_from(["recent(500)", "recent(1000)"])
    if depth == 0:
        return plain
    less = numbers(depth - 1, calls)
    return st.one_of(
        plain,
        form("({} {} {})", less, st.sampled_from("+-*/"), less),
        form("-({})", less),
        form("{}({})", st.sampled_from(["abs", "floor", "round"]), less),
        form("round({}, {})", less, st.sampled_from(["1", "-1", "2", "15", "-15"])),
        form("{}({}, {})", st.sampled_from(["least", "greatest", "coalesce"]), less, less),
        form("length({})", texts(depth - 1)),
        st.just("length(tags)"),
    )


def texts(depth: int) -> st.SearchStrategy[str]:
    plain = st.sampled_from(["brand", "plan", "NULL", *(quoted(text) for text in TEXTS if "\0" not in text)])
    if depth == 0:
        return plain
    less = texts(depth - 1)
    return st.one_of(
        plain, form("{}({})", st.sampled_from(["lower", "upper"]), less), form("coalesce({}, {})", less, less)
    )


def times(depth: int) -> st.SearchStrategy[str]:
    plain = st.sampled_from(["seen", "due", "now()", "TIMESTAMP '2026-03-01 12:00:00.25'"])
    if depth == 0:
        return plain
    less = times(depth - 1)
    return st.one_of(
        plain,
        form("({} {} {})", less, st.sampled_from("+-"), spans(depth - 1)),
        form("{}({}, {})", st.sampled_from(["least", "greatest", "coalesce"]), less, less),
    )


def spans(depth: int) -> st.SearchStrategy[str]:
    plain = st.sampled_from(["INTERVAL '0' SECOND", "INTERVAL '1' SECOND", "(due - seen)", "(now() - seen)"])
    if depth == 0:
        return plain
    return plain | form("({} - {})", times(depth - 1), times(depth - 1))


COMPARISONS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
PATTERNS = st.lists(st.sampled_from(["%", "_", "a", "b", "É", "ß", "日"]), max_size=5).map("".join).map(quoted)


def atoms(depth: int, calls: bool = False) -> st.SearchStrategy[str]:
    number, text, time = numbers(depth, calls), texts(depth), times(depth)
    negated = st.sampled_from(["", "NOT "])
    tag = st.sampled_from(["'a'", "'ab'", "'é'", "''", "'zz'", "NULL"])
    items = st.lists(st.sampled_from(["1", "-1", "0", "2.5", "NULL"]), min_size=1, max_size=3).map(", ".join)
    words = st.lists(st.sampled_from(["'a'", "'É'", "''", "NULL"]), min_size=1, max_size=3).map(", ".join)
    return st.one_of(
        st.sampled_from(["live", "paid", "TRUE", "FALSE", "NULL"]),
        form("{} {} {}", number, COMPARISONS, number),
        form("{} {} {}", text, COMPARISONS, text),
        form("{} {} {}", time, COMPARISONS, time),
        form("{} {} {}", spans(depth), COMPARISONS, spans(depth)),
        form("{} {}BETWEEN {} AND {}", number, negated, number, number),
        form("{} {}BETWEEN {} AND {}", time, negated, time, time),
        form("{} {}IN ({})", number, negated, items),
        form("{} {}IN ({})", text, negated, words),
        form("{} {}{} {}", text, negated, st.sampled_from(["LIKE", "ILIKE"]), PATTERNS),
        form("contains(tags, {})", tag),
        form("tags {} {}", st.sampled_from(["=", "<>"]), tag),
        form("tags {}IN ({})", negated, words),
        form("{} IS {}NULL", st.one_of(number, text, time, st.just("tags")), negated),
    )


def conditions(depth: int, calls: bool = False) -> st.SearchStrategy[str]:
    atom = atoms(1, calls)
    if depth == 0:
        return atom
    less = conditions(depth - 1, calls)
    return st.one_of(
        atom,
        form("({} {} {})", less, st.sampled_from(["AND", "OR"]), less),
        form("{} {} {} {} {}", atom, st.sampled_from(["AND", "OR"]), atom, st.sampled_from(["AND", "OR"]), less),
        form("NOT ({})", less),
        form("({}) IS {}{}", less, st.sampled_from(["", "NOT "]), st.sampled_from(["TRUE", "FALSE", "NULL"])),
        form("({}) {} ({})", less, st.sampled_from(["=", "<>"]), less),
        form("coalesce({}, {})", less, less),
    )


RELAXED = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=300
)


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE rows (place INTEGER, price DOUBLE, qty DOUBLE, brand VARCHAR, plan VARCHAR, tags VARCHAR[],"
            " live BOOLEAN, paid BOOLEAN, seen BIGINT, due BIGINT)"
        )
        connection.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(place, *(row[name] for name in TYPES)) for place, row in enumerate(ROWS)],
        )
        yield connection


@RELAXED
@given(text=conditions(2))
def test_three_evaluators_give_one_answer(text: str, database: duckdb.DuckDBPyConnection) -> None:
    rule = parse(text, SCHEMA)
    mask = rule.mask(COLUMNS, NOW_MS).tolist()
    assert mask == [rule.test(Person(row), NOW_MS) for row in ROWS]
    sql = rule.sql()
    bound = {"now_ms": NOW_MS} if rule.uses_now else None
    assert mask == [holds for (holds,) in database.execute(f"SELECT {sql} FROM rows ORDER BY place", bound).fetchall()]


@RELAXED
@given(text=conditions(1, calls=True), row=st.sampled_from(ROWS))
def test_a_verdict_holds_until_it_says(text: str, row: dict[str, Any]) -> None:
    rule, person, last_ms = parse(text, SCHEMA), Person(row), NOW_MS + 2_100
    now_ms = NOW_MS
    while now_ms < last_ms:  # hop from flip to flip; between them nothing may change
        verdict = rule.verdict(person, now_ms)
        until = last_ms if verdict.flips_at_ms is None else verdict.flips_at_ms
        assert until > now_ms
        for time_ms in range(now_ms, min(until, last_ms), 1 if rule.is_time_dependent else 500):
            assert rule.test(person, time_ms) is verdict.holds, time_ms - NOW_MS
        now_ms = until


@RELAXED
@given(text=conditions(2), seed=st.integers(0, 2**32 - 1))
def test_a_damaged_rule_is_parsed_or_refused(text: str, seed: int) -> None:
    draw = random.Random(seed)
    damaged = list(text)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(damaged) + 1)
        match draw.randrange(3):
            case 0:
                del damaged[place : place + draw.randint(1, 3)]
            case 1:
                damaged.insert(place, draw.choice("()'\",.;-*/%<>=!@$#:?[]{}\\|&^~ \n\0ax1日"))
            case _:
                damaged.insert(
                    place, draw.choice([" NOT ", " IS ", " IN ", " SELECT ", " -- ", "/*", " AND ", " NULL "])
                )
    only_rule_errors("".join(damaged))


MUCH_OF_SQL = """
price brand tags live seen ( ) ( ) , . + - * / = <> < >= ' '' " AND OR NOT IN BETWEEN IS NULL TRUE LIKE ILIKE now()
INTERVAL '1' DAY TIMESTAMP '2026-01-01' ANY( lower( coalesce( contains( 1 2.5 .5 1e5 'a' SELECT FROM CASE WHEN THEN END
:: ; -- /* */ [ ] { } || -> => := ? $1 @x #1 ~ ^ & | ! % // ** DISTINCT CAST( EXISTS( ALL( SOME( DATE '1' X'0a' E'a'
B'1' $$a$$ N'a' COLLATE ESCAPE AT TIME ZONE OVER FILTER WITHIN GROUP ORDER BY LIMIT UNION VALUES WITH AS LATERAL PIVOT
SHOW EXECUTE BEGIN COMMIT SET USE PRAGMA ATTACH COPY INSERT ROW STRUCT MAP ARRAY DIV MOD XOR RLIKE GLOB REGEXP OVERLAPS
ISNULL NOTNULL PRIOR CONNECT_BY_ROOT lambda x : 日本 \\
"""


@RELAXED
@given(st.lists(st.sampled_from(MUCH_OF_SQL.split()), max_size=25).map(" ".join))
def test_words_of_sql_in_any_order_are_parsed_or_refused(text: str) -> None:
    only_rule_errors(text)


@RELAXED
@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    only_rule_errors(text)


def only_rule_errors(text: str) -> None:
    """Anything but a RuleError within the text fails the test by itself."""
    position, rule = 0, None
    try:
        rule = parse(text, SCHEMA)
    except RuleError as refused:
        position = refused.position
    assert 0 <= position <= len(text)
    if rule is not None:
        assert len(rule.mask(COLUMNS, NOW_MS)) == len(ROWS)
