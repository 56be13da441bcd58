"""One exception tree. Every error says what is wrong, where, what is allowed and what to do next.

    BespeakError
    ├── InvalidInput            the caller's input is wrong; nothing was changed
    │   ├── EventRejected       one event cannot be taken in (a typed reason, kept as a reject)
    │   ├── RuleError           a rule-language expression is wrong (position and allowed names)
    │   ├── ConfigError         a setting is wrong (file, key, value, what is allowed)
    │   └── UnknownName         a placement, item, model or column that does not exist
    ├── NotAllowed              a key or token is missing, wrong or not enough
    ├── MissingExtra            an optional package would be needed
    ├── StoreError              the store refused or failed
    │   ├── StoreUnavailable    it cannot be reached now; retry later
    │   └── StoreTooNew         it was written by a newer release
    └── Overloaded              load is being shed; retry after a pause

A message never carries a person's data: ids, traits and bodies stay out of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
_EXPECTED = re.compile(r"Expected `([^`]*)`(?: matching regex .*)?(?:, got `([^`]*)`)?")


def in_words(said: str) -> str:
    """Returns what a validator says of a type in the words of whoever writes settings.

    Example:
        >>> in_words("Expected `int | str`, got `array`"), in_words("Expected `float` >= 0.0")
        ('must be a whole number or text, not a list', 'must be a number >= 0.0')
        >>> in_words("Expected `str` matching regex '^a$'"), in_words("Invalid enum value 'x'")
        ('is not written as it must be', "cannot be 'x'")
    """
    found = _EXPECTED.match(said)
    if found is None:
        return said.replace("Invalid enum value", "cannot be").replace("Object missing", "misses the")
    if " matching regex " in said:
        return "is not written as it must be"
    wanted, got = (" or ".join(_TYPES.get(one, one) for one in (kind or "").split(" | ")) for kind in found.groups())
    return f"must be {wanted}{f', not {got}' if got else ''}{said[found.end() :]}"


class BespeakError(Exception):
    """Anything Bespeak raises on purpose.

    Attributes:
        code: stable machine-readable word, the `code` of the HTTP error body.
        message: what is wrong, in the user's words.
        hint: what to do next, or an empty string.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(BespeakError):
    """The caller's input is wrong; nothing was changed."""

    code = "invalid_request"


class EventRejected(InvalidInput):
    """One event cannot be taken in; `code` is the typed reason it is kept under."""

    code = "invalid_event"


class RuleError(InvalidInput):
    """A rule-language expression is wrong.

    Attributes:
        position: zero-based character offset in the expression, or -1 when unknown.
    """

    code = "invalid_rule"

    def __init__(self, message: str, *, position: int = -1, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.position = position


class ConfigError(InvalidInput):
    """A setting is wrong: which file, which key, which value, what is allowed."""

    code = "invalid_config"

    def __init__(self, message: str, *, file: str = "", key: str = "", hint: str = "") -> None:
        where = ": ".join(part for part in (file, key) if part)
        super().__init__(f"{where}: {message}" if where else message, hint=hint)
        self.file = file
        self.key = key

    @classmethod
    def of_value(cls, error: Exception, *, key: str, hint: str = "") -> ConfigError:
        """Returns the refusal of a value that a type does not take, by its own key.

        Example:
            >>> error = TypeError("Expected `int`, got `str` - at `$.rows[0].count`")
            >>> print(ConfigError.of_value(error, key="pages.home"))
            pages.home.rows.0.count: must be a whole number, not text.
        """
        said, _, at = str(error).partition(" - at `$")
        steps = [step for step in re.split(r"[.\[\]`]+", at) if step]
        return cls(f"{in_words(said)}.", key=".".join([key, *steps]), hint=hint)


class UnknownName(InvalidInput):
    """A name that does not exist; the message lists what does, nearest first.

    Example:
        >>> str(UnknownName("placement", "hom", ["home", "search"]))
        "There is no placement 'hom'. Did you mean 'home'? Known: home, search."
    """

    code = "unknown_name"
    what = ""

    def __init__(self, what: str, name: str, known: Sequence[str], *, limit: int = 12) -> None:
        near = get_close_matches(name, known, n=1)
        guess = f"Did you mean '{near[0]}'? " if near else ""
        shown = ", ".join(known[:limit]) + (", …" if len(known) > limit else "")
        super().__init__(f"There is no {what} '{name}'.", hint=f"{guess}Known: {shown}." if known else "")
        self.what = what
        self.name = name


class NotAllowed(BespeakError):
    """A key or token is missing, wrong, or does not allow this."""

    code = "not_allowed"


class MissingExtra(BespeakError):
    """An optional package is not installed.

    Example:
        >>> str(MissingExtra("postgres", "a PostgreSQL store"))
        "a PostgreSQL store needs the extra 'postgres'. Install it with: pip install 'bespeak[postgres]'"
    """

    code = "missing_extra"

    def __init__(self, extra: str, adds: str) -> None:
        super().__init__(f"{adds} needs the extra '{extra}'.", hint=f"Install it with: pip install 'bespeak[{extra}]'")
        self.extra = extra


class StoreError(BespeakError):
    """The store refused or failed."""

    code = "store_error"


class StoreUnavailable(StoreError):
    """The store cannot be reached now; nothing was acknowledged, so a retry is safe."""

    code = "store_unavailable"


class StoreTooNew(StoreError):
    """The store was written by a newer release of Bespeak."""

    code = "store_too_new"


class Overloaded(BespeakError):
    """Load is being shed; retry after `retry_after_seconds`."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(message, hint=f"Retry after {retry_after_seconds} s.")
        self.retry_after_seconds = retry_after_seconds
