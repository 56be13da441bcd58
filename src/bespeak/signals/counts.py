"""Counts as people read them: one person, two people."""

from __future__ import annotations

_PLURALS = {"person": "people"}


def counted(n: int, one: str, many: str = "") -> str:
    """Returns a count and what is counted, with the verb where it is given too; `many` is `one` with an s.

    Example:
        >>> counted(1, "customer"), counted(1_200, "customer"), counted(0, "person")
        ('1 customer', '1,200 customers', '0 people')
        >>> counted(1, "row lacks", "rows lack")
        '1 row lacks'
    """
    return f"{n:,} {one if n == 1 else many or _PLURALS.get(one, f'{one}s')}"
