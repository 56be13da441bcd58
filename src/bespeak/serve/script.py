"""The browser script as it goes over the wire: without comments and indentation, and compressed."""

from __future__ import annotations

import gzip
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

_COMMENTS = re.compile(r"^\s*(?:/\*\*.*?\*/|//[^\n]*)\s*?\n", re.DOTALL | re.MULTILINE)


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
    """Returns JavaScript without blank lines, indentation and comments that stand on lines of their own.

    The first comment (`/*!`) stays: it holds the licence. Text over several lines must not stand in the source.

    Example:
        >>> compact("/*! mine */\\n  // why\\n  a();\\n\\n  /** how */\\n  b();  // what\\n")
        '/*! mine */\\na();\\nb();  // what\\n'
    """
    kept = (line.strip() for line in _COMMENTS.sub("", source).splitlines())
    return "".join(f"{line}\n" for line in kept if line)
