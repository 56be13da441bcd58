"""Text operations as DuckDB defines them, so that all evaluators agree to the letter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property


def lower(text: str) -> str:
    """Lower-case each character by itself (one character stays one character, whatever stands beside it).

    Python's own `str.lower` looks at neighbours (final sigma) and may lengthen; SQL does neither.

    Example:
        >>> lower("ΑΣ"), lower("İ")
        ('ασ', 'i')
    """
    if text.isascii():
        return text.lower()
    return "".join(character.lower()[0] for character in text)


def upper(text: str) -> str:
    """Upper-case each character by itself; one without a single-character form takes its title form or stays.

    Example:
        >>> upper("straße"), upper("ﬁ")
        ('STRAẞE', 'ﬁ')
    """
    if text.isascii():
        return text.upper()
    return "".join(map(_upper_character, text))


def _upper_character(character: str) -> str:
    if character == "ß":
        return "ẞ"
    for form in (character.upper(), character.title()):
        if len(form) == 1:
            return form
    return character


@dataclass(frozen=True)
class Pattern:
    """A LIKE pattern: % is any text, _ any one character (code point), nothing escapes.

    Matching is linear in text times longest piece: the pieces between % have fixed lengths, so taking each at its
    first place is enough and nothing is ever tried twice. A hostile pattern cannot blow up as a backtracking regular
    expression would.

    Example:
        >>> Pattern("a%c_", ignores_case=False).matches("abcd"), Pattern("A%", ignores_case=True).matches("abc")
        (True, True)
    """

    pattern: str
    ignores_case: bool

    @cached_property
    def _pieces(self) -> tuple[re.Pattern[str], ...]:
        pattern = lower(self.pattern) if self.ignores_case else self.pattern
        return tuple(
            re.compile("".join("." if character == "_" else re.escape(character) for character in piece), re.DOTALL)
            for piece in pattern.split("%")
        )

    @cached_property
    def _tail_length(self) -> int:
        return len(self.pattern) - self.pattern.rfind("%") - 1

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        if self.ignores_case:
            text = lower(text)
        pieces = self._pieces
        if len(pieces) == 1:
            return pieces[0].fullmatch(text) is not None
        found = pieces[0].match(text)
        for piece in pieces[1:-1]:
            if found is None:
                return False
            found = piece.search(text, found.end())
        if found is None or found.end() > len(text) - self._tail_length:
            return False
        return pieces[-1].match(text, len(text) - self._tail_length) is not None
