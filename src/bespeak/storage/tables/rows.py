"""Narrowing of store values to the type a column declares."""

from __future__ import annotations


def as_int(value: object) -> int:
    """Returns an integer column's value."""
    assert isinstance(value, int)
    return value


def as_bytes(value: object) -> bytes:
    """Returns a blob column's value."""
    assert isinstance(value, bytes)
    return value
