"""Where ids lead, kept between batches: the ids of those who are active now cost no read.

Only for a store with one writer at a time, which learns what others wrote before it writes itself. An id that is kept
led to a person when it was last looked at. It leads elsewhere since then if that person was joined into another, which
`absorbed` is told of, or if `people.edition` has risen: then everything is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bespeak.signals.ids import IdKey

MAX_KEPT = 200_000
"""Ids, of some 200 bytes each; with more all are forgotten."""


class KnownLinks:
    """Id -> root person, for ids that are linked and that nobody shares.

    Args:
        max_kept: of ids, and of persons who were absorbed.

    Example:
        >>> known, key = KnownLinks(), IdKey("user_id", "u1")
        >>> known.keep({key: 7})
        >>> known.of([key, IdKey("user_id", "u2")])
        {IdKey(kind='user_id', value='u1'): 7}
        >>> known.absorbed([7])
        >>> known.of([key])
        {}
    """

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        self._max_kept = max_kept
        self._links: dict[IdKey, int] = {}
        self._absorbed: set[int] = set()

    def of(self, ids: Iterable[IdKey]) -> dict[IdKey, int]:
        """Returns where those of the ids lead that are kept; the others are to be looked up."""
        links, absorbed = self._links, self._absorbed
        found = {key: links[key] for key in ids if key in links}
        if absorbed and not absorbed.isdisjoint(found.values()):
            return {key: person for key, person in found.items() if person not in absorbed}
        return found

    def keep(self, links: Mapping[IdKey, int]) -> None:
        """Notes where ids lead now."""
        self._links.update(links)
        if len(self._links) > self._max_kept:
            self.forget()

    def absorbed(self, persons: Iterable[int]) -> None:
        """Notes who was joined into somebody else: their ids lead there from now on."""
        self._absorbed.update(persons)
        if len(self._absorbed) > self._max_kept:
            self.forget()

    def forget(self) -> None:
        """Drops everything."""
        self._links.clear()
        self._absorbed.clear()
