"""The subjects protocol: every place that holds personal data can say so, export it and erase it.

`engine` lists the holders; a test plants a marker everywhere and fails where a file holds it without a holder.
"""

from __future__ import annotations

from typing import Any, Protocol

from bespeak.signals.subjects import ReceiptLine, Subject


class Holder(Protocol):
    """A place that holds personal data."""

    name: str

    def holds(self, subject: Subject) -> int:
        """Returns how many records of the person it holds."""
        ...

    def export(self, subject: Subject) -> list[dict[str, Any]]:
        """Returns the person's records as plain JSON values, readable by them."""
        ...

    def erase(self, subject: Subject) -> ReceiptLine:
        """Removes the person's records; when it returns, none is left. Erasing twice removes nothing more."""
        ...
