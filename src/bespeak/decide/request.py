"""What a caller asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from bespeak.decide.settings.parts import MAX_COUNT
from bespeak.errors import InvalidInput
from bespeak.signals.events import Context
from bespeak.signals.ids import MAX_ID_BYTES, clean_id

MAX_LISTED = 1_000
MAX_EXCLUDED = 10_000
MAX_QUERY = 500
_TEXTS = ("placement", "query", "filter", "item", "value", "market")


class Listed(msgspec.Struct, frozen=True):
    """One item of a caller's own list, with its own relevance when there is one."""

    id: str
    relevance: float | None = None


class DecideRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One question for a slate.

    Attributes:
        placement: the place it is for.
        count: 1 to 100; None takes the placement's.
        items: rank these items instead of finding candidates.
        query: search for this text.
        filter: a rule expression that every item must fulfil, beside the placement's own.
        exclude: ids that must not be shown.
        context: the circumstances, parsed.
        item: the item that the placement is about.
        value: the value of a facet that the placement is about, such as a genre.
        market: market for price and availability, one that an item has; "" takes the placement's.
        explain: give every term of the score as a reason, not only the largest.
        near: (latitude, longitude) in degrees: items count more the nearer they are. It is rounded and never kept.
    """

    placement: str
    count: int | None = None
    items: tuple[Listed, ...] | None = None
    query: str = ""
    filter: str = ""
    exclude: tuple[str, ...] = ()
    context: Context = Context()
    item: str = ""
    value: str = ""
    market: str = ""
    explain: bool = False
    near: tuple[float, float] | None = None

    def checked(self) -> DecideRequest:
        """Returns the request.

        Raises:
            InvalidInput: a value out of bounds; the message names the field and the bound.
        """
        for name in _TEXTS:
            if type(getattr(self, name)) is not str:
                raise _refused(name, "is no text", "Give text, or leave it out.")
        if self.count is not None and type(self.count) is not int:
            raise _refused("count", "is no whole number", f"Ask for 1 to {MAX_COUNT} items.")
        if self.count is not None and not 1 <= self.count <= MAX_COUNT:
            raise _refused("count", f"is {self.count}", f"Ask for 1 to {MAX_COUNT} items.")
        if self.items is not None and not 1 <= len(self.items) <= MAX_LISTED:
            raise _refused("items", f"has {len(self.items)} entries", f"Give 1 to {MAX_LISTED}, or leave it out.")
        for listed in self.items or ():
            if listed.relevance is not None and listed.relevance - listed.relevance != 0:
                raise _refused("items", "holds a relevance that is not a finite number", "Leave the relevance out.")
        if self.near is not None and not (abs(self.near[0]) <= 90 and abs(self.near[1]) <= 180):
            raise _refused("near", "is no place on earth", "Give degrees: latitude -90 to 90, longitude -180 to 180.")
        if len(self.exclude) > MAX_EXCLUDED:
            raise _refused("exclude", f"has {len(self.exclude)} entries", f"At most {MAX_EXCLUDED} are allowed.")
        if len(self.query) > MAX_QUERY:
            raise _refused("query", f"has {len(self.query)} characters", f"At most {MAX_QUERY} are allowed.")
        for name in ("item", "value"):
            if len(getattr(self, name).encode("utf-8", "replace")) > MAX_ID_BYTES:
                raise _refused(name, "is too long", f"At most {MAX_ID_BYTES} bytes are allowed.")
        return self


def listed_items(entries: object) -> tuple[Listed, ...] | None:
    """Returns the caller's list from plain JSON values: ids, or objects with `id` and perhaps `relevance`.

    Raises:
        InvalidInput: it is no list of these.

    Example:
        >>> listed_items(["p1", {"id": "p2", "relevance": 0.5}])
        (Listed(id='p1', relevance=None), Listed(id='p2', relevance=0.5))
    """
    if entries is None:
        return None
    if not isinstance(entries, list | tuple):
        raise _refused("items", "is no list", 'Give ["p1", "p2"] or [{"id": "p1", "relevance": 0.5}].')
    found: list[Listed] = []
    for entry in entries:
        plain: Any = entry if isinstance(entry, Mapping) else {"id": entry}
        if isinstance(plain.get("id"), int) and not isinstance(plain["id"], bool):
            plain = {**plain, "id": str(plain["id"])}
        try:
            found.append(msgspec.convert(plain, Listed))
        except msgspec.ValidationError:
            raise _refused("items", "holds an entry without a text `id`", "Give ids, or objects with `id`.") from None
    return tuple(found)


def excluded_ids(entries: object) -> tuple[str, ...]:
    """Returns the ids never to show from plain values: text, or numbers, which become text.

    Raises:
        InvalidInput: it is no list of these.

    Example:
        >>> excluded_ids(["p1", 7])
        ('p1', '7')
    """
    if isinstance(entries, str | bytes | Mapping) or not isinstance(entries, Iterable):
        raise _refused("exclude", "is no list", 'Give ["p1", "p2"].')
    return tuple(clean_id(entry, "exclude") for entry in entries)


def context_record(context: Context) -> dict[str, Any]:
    """Returns the context as a decision keeps it: what was used, without page addresses, titles and consent."""
    kept = msgspec.structs.replace(context, page={}, consent=None)
    plain: dict[str, Any] = msgspec.to_builtins(kept)
    return plain


def _refused(field: str, problem: str, hint: str) -> InvalidInput:
    return InvalidInput(f"`{field}` {problem}.", hint=hint)
