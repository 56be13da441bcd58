"""What can be said of the browser script without a browser: it stays small, and data never becomes markup."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files

SCRIPT = files("bespeak") / "serve" / "static" / "bespeak.js"


def test_the_script_is_under_five_kilobytes_on_the_wire() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), 9, mtime=0)) < 5_000


def test_data_never_becomes_markup_or_code() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|new Function)\b", source)


def test_the_device_is_written_in_one_place_and_cookies_never() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    assert source.count("localStorage.setItem") == 1
    assert not re.search(r"\b(cookie|sessionStorage|indexedDB)\b", source)
