"""Case and patterns are DuckDB's, for every character there is."""

import re
from unicodedata import category

import duckdb
import pyarrow as pa

from bespeak.rules.text import Pattern, lower, upper


def test_case_is_duckdbs_for_every_character() -> None:
    # A character that this Python's Unicode tables do not know yet has no case here; newer ones come with Python.
    characters = [character for code in range(1, 0x110000) if category(character := chr(code)) not in {"Cs", "Cn"}]
    table = pa.table({"c": characters})
    with duckdb.connect() as connection:
        connection.register("characters", table)
        rows = connection.execute("SELECT c, lower(c), upper(c) FROM characters").fetchall()
    assert len(rows) == len(characters) > 200_000
    assert [(c, low, lower(c)) for c, low, _ in rows if low != lower(c)] == []
    assert [(c, up, upper(c)) for c, _, up in rows if up != upper(c)] == []


def test_characters_keep_their_case_whatever_stands_beside_them() -> None:
    assert lower("ΑΣ") == "ασ"
    assert upper("ﬁn") == "ﬁN"
    assert len(lower("İİ")) == 2


def test_a_pattern_says_what_its_regular_expression_says() -> None:
    texts = ["", "a", "b", "ab", "ba", "aab", "aba", "abab", "a.b", "a\nb", "abcabc", "%", "_", "a%b"]
    pieces = ["", "a", "b", "ab", "%", "_", "a%", "%a", "_%", "%_", "."]
    for pattern in {one + two + three for one in pieces for two in pieces for three in pieces}:
        expected = re.compile(
            "".join({"%": ".*", "_": "."}.get(character, re.escape(character)) for character in pattern), re.DOTALL
        )
        like = Pattern(pattern, ignores_case=False)
        for text in texts:
            assert like.matches(text) == bool(expected.fullmatch(text)), (pattern, text)


def test_a_hostile_pattern_ends_soon() -> None:
    # A backtracking matcher would need more steps here than there are atoms.
    assert not Pattern("%a" * 500 + "%b", ignores_case=False).matches("a" * 2_000)
