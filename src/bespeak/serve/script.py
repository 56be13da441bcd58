"""The browser script as it goes over the wire: without comments and needless space, and compressed."""

from __future__ import annotations

import gzip
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

# What stands as it is: texts, patterns (they follow an opening bracket, a comma or an equals sign), the licence.
_KEPT = re.compile(
    r"""( "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `(?:\\.|[^`\\\n])*` | /\*!.*?\*/\n
        | (?<=[(,=])\ ?/(?![*/])(?:\\.|[^/\\\n])+/[gimsuy]* )""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT = re.compile(r"[ ]*(?:/\*.*?\*/|//[^\n]*)", re.DOTALL)
_MARKS = re.compile(r" ?([{}()\[\];,:?=*<>&|!]+) ?")
_SUM = re.compile(r"(?<![+-]) ?([+-]) ?(?![+-])")
_LINES = re.compile(r"(?<=[{;,(\[])\n|\n(?=[}\]).?:])")


class Script(NamedTuple):
    """The script, plain and with gzip."""

    plain: bytes
    zipped: bytes


@cache
def browser_script() -> Script:
    """Returns the script; it is read once."""
    source = (resources.files("bespeak.serve") / "static" / "bespeak.js").read_text(encoding="utf-8")
    plain = compact(source).encode()
    return Script(plain, gzip.compress(plain, 9, mtime=0))


def compact(source: str) -> str:
    """Returns JavaScript without comments and needless space.

    The first comment (`/*!`) stays: it holds the licence. Text over several lines must not stand in the source, every
    statement ends in `;` or `}`, and no comment holds a quotation mark without its partner.

    Example:
        >>> compact("/*! mine */\\n  // why\\n  a( 'b  c' );\\n\\n  if (d + 1) {\\n    e();  // what\\n  }\\n")
        "/*! mine */\\na('b  c');if(d+1){e();}\\n"
    """
    parts = _KEPT.split(_without_comment_lines(source))
    return "".join(part if place % 2 else _squeezed(part) for place, part in enumerate(parts))


def _without_comment_lines(source: str) -> str:
    """Comments on lines of their own may hold any mark, so they go before anything is read as a text."""
    without = re.sub(r"^[ \t]*(?:/\*\*.*?\*/|//[^\n]*)[ \t]*\n", "", source, flags=re.DOTALL | re.MULTILINE)
    return "".join(f"{line.strip()}\n" for line in without.splitlines() if line.strip())


def _squeezed(code: str) -> str:
    """Code without texts, on as few lines as are sure to mean the same."""
    code = _SUM.sub(r"\1", _MARKS.sub(r"\1", _COMMENT.sub("", code)))
    return _LINES.sub("", code)
