"""What can be said of the browser script without a browser: it stays small, and data never becomes markup."""

from __future__ import annotations

import re
from importlib.resources import files

from bespeak.serve.script import browser_script

SCRIPT = files("bespeak") / "serve" / "static" / "bespeak.js"


def test_the_script_is_under_five_kilobytes_on_the_wire() -> None:
    assert len(browser_script().zipped) < 5_000


def test_what_goes_over_the_wire_names_its_licence() -> None:
    assert browser_script().plain.startswith(b"/*! bespeak.js")
    assert b"Apache-2.0" in browser_script().plain[:100]


def test_no_text_in_the_source_spans_lines() -> None:
    assert all(line.count("`") % 2 == 0 for line in SCRIPT.read_text(encoding="utf-8").splitlines())


def test_data_never_becomes_markup_or_code() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|new Function)\b", source)


def test_the_device_is_written_in_one_place_and_cookies_never() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    assert source.count("localStorage.setItem") == 1
    assert not re.search(r"\b(cookie|sessionStorage|indexedDB)\b", source)
