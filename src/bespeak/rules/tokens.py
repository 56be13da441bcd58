"""From text to a whitelisted list of sqlglot tokens.

sqlglot reads far more SQL than a rule may hold, and its tree changes shape between releases. So the words are settled
here, where every one still has its exact position:

- anything that is not in the small vocabulary of rules is refused (statements, subqueries, comments, casts, ...);
- a dotted name becomes one identifier token, known to the schema, whatever SQL keyword it may contain;
- every function call, constant, `INTERVAL '30' DAY`, `TIMESTAMP '...'` and `ANY(...)` becomes a call of a plain
  unknown function (`call_now(`), so that the parser gives them all one shape, and a position.

What is left for sqlglot's parser is precedence and grouping.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from sqlglot import Dialect, Token, TokenType
from sqlglot.errors import SqlglotError

from bespeak.errors import RuleError
from bespeak.rules.schema import BUILT_INS, Schema

MAX_LENGTH = 4_096
MAX_NESTING = 20
MAX_SIGNS = 16

CALL_PREFIX = "call_"
"""Stands before the name of every function in the token list."""

_WORD = re.compile(r"[^\W\d]\w*", re.ASCII)
_KEYWORDS = {
    "and": TokenType.AND,
    "or": TokenType.OR,
    "not": TokenType.NOT,
    "in": TokenType.IN,
    "between": TokenType.BETWEEN,
    "is": TokenType.IS,
    "null": TokenType.NULL,
    "true": TokenType.TRUE,
    "false": TokenType.FALSE,
    "like": TokenType.LIKE,
    "ilike": TokenType.ILIKE,
}
_SYMBOLS = frozenset(
    {
        TokenType.EQ,
        TokenType.NEQ,
        TokenType.LT,
        TokenType.LTE,
        TokenType.GT,
        TokenType.GTE,
        TokenType.PLUS,
        TokenType.DASH,
        TokenType.STAR,
        TokenType.SLASH,
        TokenType.COMMA,
        TokenType.L_PAREN,
        TokenType.R_PAREN,
    }
)
_SIGNS = frozenset({TokenType.NOT, TokenType.DASH, TokenType.PLUS})
_CONSTANTS = frozenset({TokenType.NULL, TokenType.TRUE, TokenType.FALSE})
_OPERAND_STARTS = _CONSTANTS | {
    TokenType.IDENTIFIER,
    TokenType.NUMBER,
    TokenType.STRING,
    TokenType.VAR,
    TokenType.L_PAREN,
}
_NEGATABLE = frozenset({TokenType.IN, TokenType.BETWEEN, TokenType.LIKE, TokenType.ILIKE})
_INFIX = (
    _NEGATABLE
    | (_SYMBOLS - _SIGNS - {TokenType.L_PAREN, TokenType.R_PAREN})
    | {TokenType.AND, TokenType.OR, TokenType.IS}
)
_TAKES_LIST = frozenset({TokenType.VAR, TokenType.IN})
_OPERAND_ENDS = _CONSTANTS | {TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.STRING, TokenType.R_PAREN}


def tokens_of(text: str, schema: Schema) -> list[Token]:
    """Return the tokens of an expression, ready for sqlglot's parser.

    Raises:
        RuleError: too long, too deeply nested, not readable, or a word, name or sign that rules do not have.
    """
    if len(text) > MAX_LENGTH:
        raise RuleError(
            f"The rule has {len(text)} characters; at most {MAX_LENGTH} are allowed.",
            position=MAX_LENGTH,
            hint="Split it into several segments, or use IN (...) in place of many comparisons.",
        )
    for position, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise refusal("A character here is not valid text", position)
    raw = _raw_tokens(text)
    if not raw:
        raise RuleError("The rule is empty.", position=0, hint="Write TRUE for a rule that always holds.")
    tokens = _Rewriter(raw, text, schema).run()
    _check_shape(tokens, text)
    return tokens


def _raw_tokens(text: str) -> list[Token]:
    # Behind a parenthesis no word can be read as the command that the rest of the line belongs to (`call = 'x'`).
    try:
        opening, *raw = Dialect.get_or_raise("duckdb").tokenize(f"({text}")
    except SqlglotError as error:
        raise refusal("A quote is opened and never closed", _open_quote(text)) from error
    if any(token.comments for token in (opening, *raw)):
        first = next((token for token in raw if token.comments), None)
        raise refusal("Comments are not part of the rule language", _comment_position(text, first))
    return [
        Token(
            token.token_type,
            text=token.text,
            line=token.line,
            col=token.col - (token.line == 1),
            start=token.start - 1,
            end=token.end - 1,
        )
        for token in raw
    ]


def refusal(message: str, position: int, hint: str = "") -> RuleError:
    """Return the error for one place of the expression, its position in the message too."""
    return RuleError(f"{message} (at position {position}).", position=position, hint=hint)


def unknown(what: str, name: str, known: list[str], position: int) -> RuleError:
    """Return the error for a name that does not exist, with the nearest one and the allowed ones."""
    near = get_close_matches(name, known, n=1) or get_close_matches(name.lower(), known, n=1)
    guess = f"Did you mean '{near[0]}'? " if near else ""
    listed = ", ".join(sorted(known)[:20]) + (", …" if len(known) > 20 else "")
    return refusal(f"There is no {what} '{name}'", position, f"{guess}Allowed: {listed or 'none'}.")


class _Rewriter:
    """Walks the raw tokens once, from left to right."""

    def __init__(self, raw: list[Token], text: str, schema: Schema) -> None:
        self.raw = raw
        self.text = text
        self.schema = schema
        self.at = 0
        self.out: list[Token] = []

    def run(self) -> list[Token]:
        while self.at < len(self.raw):
            self._step(self.raw[self.at])
        return self.out

    def _step(self, token: Token) -> None:
        kind = token.token_type
        if kind in _SYMBOLS or kind in {TokenType.STRING, TokenType.NUMBER}:
            self._take(kind)
        elif kind is TokenType.DOT:
            self._fraction(token)
        elif kind is TokenType.IDENTIFIER:
            self._name()
        elif _WORD.fullmatch(self._source(token)):
            self._word(token, token.text.lower())
        else:
            raise refusal(f"'{_shown(self._source(token))}' is not part of the rule language", token.start)

    def _fraction(self, dot: Token) -> None:
        """Read `.5`, which the tokenizer leaves in two pieces."""
        digits = self._peek(1)
        if digits is None or digits.token_type is not TokenType.NUMBER or digits.start != dot.end + 1:
            raise refusal("A '.' stands here without a name or a number", dot.start)
        self._put(TokenType.NUMBER, f"0.{digits.text}", dot)
        self.at += 2

    def _word(self, token: Token, word: str) -> None:
        follows = self._peek(1)
        if word == "interval" and self._is(follows, TokenType.STRING, TokenType.NUMBER):
            self._interval(token)
        elif word in {"timestamp", "date"} and self._is(follows, TokenType.STRING):
            self._call("timestamp", token, [self.raw[self.at + 1]], n_used=2)
        elif self._is(follows, TokenType.L_PAREN) and word not in _KEYWORDS:
            self._function(token, word)
        elif word in _KEYWORDS and not self._is(follows, TokenType.DOT):
            self._keyword(token, word)
        else:
            self._name()

    def _keyword(self, token: Token, word: str) -> None:
        before = [put.token_type for put in self.out[-2:]]
        is_tested = before[-1:] == [TokenType.IS] or before == [TokenType.IS, TokenType.NOT]
        if _KEYWORDS[word] in _CONSTANTS and not is_tested:
            self._call(word, token, [], n_used=1)
        else:
            self._take(_KEYWORDS[word])

    def _function(self, token: Token, word: str) -> None:
        if word != "any" and word not in BUILT_INS and word not in self.schema.functions:
            raise unknown("function", token.text, [*BUILT_INS, *self.schema.functions], token.start)
        self._put(TokenType.VAR, CALL_PREFIX + word, token)
        self.at += 1

    def _interval(self, token: Token) -> None:
        amount, unit = self.raw[self.at + 1], self._peek(2)
        if unit is not None and _WORD.fullmatch(self._source(unit)) and unit.text.lower() not in _KEYWORDS:
            self._call("interval", token, [amount, unit], n_used=3)
        else:
            self._call("interval", token, [amount], n_used=2)

    def _name(self) -> None:
        first = self.raw[self.at]
        parts = [first.text]
        self.at += 1
        while self._is(self._peek(0), TokenType.DOT):
            part = self._peek(1)
            if part is None or not (part.token_type is TokenType.IDENTIFIER or _WORD.fullmatch(self._source(part))):
                raise refusal("A name must follow the dot", self.raw[self.at].start)
            parts.append(part.text)
            self.at += 2
        name = ".".join(parts)
        if not self.schema.knows(name):
            is_keyword = len(parts) == 1 and first.token_type not in {TokenType.IDENTIFIER, TokenType.VAR}
            if is_keyword:
                raise refusal(
                    f"'{_shown(name)}' is not part of the rule language",
                    first.start,
                    f'A column of this name is written in double quotes: "{_shown(name)}".',
                )
            if self.schema.open_as is None:
                raise unknown("column", _shown(name), self.schema.names, first.start)
        self._put(TokenType.IDENTIFIER, name, first)

    def _call(self, name: str, token: Token, args: list[Token], n_used: int) -> None:
        self._put(TokenType.VAR, CALL_PREFIX + name, token)
        self._put(TokenType.L_PAREN, "(", token)
        for index, arg in enumerate(args):
            if index:
                self._put(TokenType.COMMA, ",", arg)
            self._put(TokenType.STRING, arg.text, arg)
        self._put(TokenType.R_PAREN, ")", args[-1] if args else token)
        self.at += n_used

    def _take(self, kind: TokenType) -> None:
        self._put(kind, self.raw[self.at].text, self.raw[self.at])
        self.at += 1

    def _put(self, kind: TokenType, text: str, at: Token) -> None:
        self.out.append(Token(kind, text=text, line=at.line, col=at.col, start=at.start, end=at.end))

    def _peek(self, ahead: int) -> Token | None:
        place = self.at + ahead
        return self.raw[place] if place < len(self.raw) else None

    def _source(self, token: Token) -> str:
        return self.text[token.start : token.end + 1]

    @staticmethod
    def _is(token: Token | None, *kinds: TokenType) -> bool:
        return token is not None and token.token_type in kinds


def _check_shape(tokens: list[Token], text: str) -> None:
    """Refuse, exactly where it stands, what the parser would accept in its own way or place vaguely."""
    _check_nesting(tokens)
    for index, token in enumerate(tokens):
        kind, shown = token.token_type, _shown(text[token.start : token.end + 1])
        earlier, before = (tokens[index - ago].token_type if index >= ago else None for ago in (2, 1))
        if earlier in _OPERAND_ENDS and before is TokenType.NOT and kind not in _NEGATABLE:
            raise refusal("An operator such as AND is missing before 'NOT'", tokens[index - 1].start)
        if before in _OPERAND_ENDS:
            # SQL would read an alias into two operands side by side.
            if kind in _OPERAND_STARTS:
                raise refusal(f"An operator such as AND or = is missing before '{shown}'", token.start)
            continue
        is_negated = before is TokenType.NOT and kind in _NEGATABLE
        is_empty_call = kind is TokenType.R_PAREN and before is TokenType.L_PAREN and earlier in _TAKES_LIST
        if (kind in _INFIX or kind is TokenType.R_PAREN) and not is_negated and not is_empty_call:
            raise refusal(f"Something is missing before '{shown}'", token.start)
    if tokens[-1].token_type not in _OPERAND_ENDS:
        raise refusal("Something is missing at the end", len(text))


def _check_nesting(tokens: list[Token]) -> None:
    signs = 0
    opened: list[int] = []
    for token in tokens:
        kind = token.token_type
        signs = signs + 1 if kind in _SIGNS else 0
        if kind is TokenType.L_PAREN:
            opened.append(token.start)
        elif kind is TokenType.R_PAREN and not opened:
            raise refusal("This ')' closes nothing", token.start)
        elif kind is TokenType.R_PAREN:
            opened.pop()
        if len(opened) > MAX_NESTING or signs > MAX_SIGNS:
            raise refusal("The rule is nested too deeply", token.start, f"At most {MAX_NESTING} levels are allowed.")
    if opened:
        raise refusal("This '(' is never closed", opened[-1])


def _open_quote(text: str) -> int:
    """The offset of the quote that is still open at the end of the text."""
    # A doubled quote closes and opens again, so it leaves the text open where it began.
    open_at, quote, closed_at = -1, "", -2
    for position, character in enumerate(text):
        if quote and character == quote:
            quote, closed_at = "", position
        elif not quote and character in "'\"":
            is_doubled = closed_at == position - 1 and text[closed_at] == character
            open_at, quote = open_at if is_doubled else position, character
    return open_at if quote else len(text)


def _comment_position(text: str, token: Token | None) -> int:
    """Where the comment beside a token starts: the first comment sign after it, or else the first of all."""
    for begin in ([token.end] if token else []) + [0]:
        places = [place for sign in ("--", "/*", "#") if (place := text.find(sign, begin)) >= 0]
        if places:
            return min(places)
    return 0


def _shown(name: str) -> str:
    return name if len(name) <= 60 else name[:60] + "…"
