"""Offers: items with a pool of codes and a budget. A code is issued when somebody takes the offer up.

An offer is an item whose attributes may say what it is worth (`value`), what one code costs (`cost`) and how much may
be spent in all (`budget`), all in the same unit. Decisions show an offer until it has expired, its codes are all
issued, or the next one would cost more than the budget has left. Deciding writes nothing: the code comes with `issue`.
An offer with a rule `eligible`, as actions have it, is issued to whoever asks for themselves only where the rule holds:
a person knows the ids of other offers than those that they were shown. A site's backend vouches for whom it asks for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.choosing.actions import is_eligible
from bespeak.engine.core import Core
from bespeak.engine.deciding.flags import FindPerson
from bespeak.engine.worlds.used_up import OFFERS, has_budget, is_spent, used_up_offers
from bespeak.errors import InvalidInput, UnknownName
from bespeak.signals.events import Context
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey, clean_id
from bespeak.storage.tables import offers, people, records
from bespeak.storage.tables.offers import IssuedCode, Pool

MAX_CODES = 100_000
_CODE = re.compile("[!-~]{1,200}")


class Offers:
    """The offers of a project.

    Args:
        core: the open project.
        person: finds what may be read of whom ids belong to.
    """

    def __init__(self, core: Core, person: FindPerson) -> None:
        self._core = core
        self._person = person

    def add_codes(self, item_id: str, codes: Sequence[str]) -> int:
        """Adds codes to an offer's pool and returns how many were new.

        Raises:
            UnknownName: there is no such item.
            InvalidInput: a code is no ASCII text of 1 to 200 characters without spaces, or there are too many at once.
        """
        self._offer(item_id)
        if len(codes) > MAX_CODES:
            raise InvalidInput(f"{len(codes):,} codes are too many at once.", hint=f"Give at most {MAX_CODES:,}.")
        for code in codes:
            if not isinstance(code, str) or not _CODE.fullmatch(code):
                hint = "1 to 200 letters, digits or signs each, of ASCII and without spaces."
                raise InvalidInput("A code is empty, too long, or holds what codes may not.", hint=hint)
        with self._core.store.write() as tx:
            n_new = offers.add_codes(tx, item_id, codes)
            records.bump(tx, OFFERS)
        return n_new

    def issue(
        self, item_id: str, *, user_id: str = "", anonymous_id: str = "", for_themselves: Context | None = None
    ) -> IssuedCode:
        """Gives somebody a code of an offer; who holds one gets the same again. Each code is issued once.

        Args:
            item_id: of the offer.
            user_id, anonymous_id: whom it is for.
            for_themselves: the circumstances of somebody who asks for a code of their own; None where the site asks.

        Raises:
            UnknownName: there is no such item.
            InvalidInput: nobody is known by this id, the offer has expired or is used up, or it is not for them.
        """
        core = self._core
        place, catalogue = self._offer(item_id)
        now_ms, ids = core.clock.now_ms(), _keys(user_id, anonymous_id)
        may_have = for_themselves is None or is_eligible(
            catalogue.items[place], self._person(ids, for_themselves, now_ms, ""), core.world, for_themselves, now_ms
        )
        with core.store.write() as tx:
            person = next((found[0] for key in ids if (found := people.profile_of(tx, key))), None)
            if person is None:
                raise InvalidInput("Nobody is known by this id.", hint="Track an event of theirs first.")
            tx.lock_keys([f"person:{person}"])  # an erasure may have been first
            if person not in people.roots_of(tx, [person]):
                raise InvalidInput("Nobody is known by this id.", hint="Track an event of theirs first.")
            held = offers.code_of(tx, item_id, person)
            if held is not None:
                return held
            if not may_have:
                raise InvalidInput("The offer is not for this person.", hint="Its rule `eligible` does not hold.")
            if not _is_open(catalogue, place, now_ms):
                raise InvalidInput("The offer has expired or is not available.", hint="Offer another one.")
            tx.lock_keys([f"offer:{item_id}"])
            offer = catalogue.items[place]
            n_issued = offers.n_issued(tx, item_id) if has_budget(offer) else 0
            code = None if is_spent(offer, n_issued) else offers.issue(tx, item_id, person, now_ms)
            if code is None:
                raise InvalidInput("The offer is used up.", hint="Add codes, raise its budget, or offer another one.")
            if is_spent(offer, n_issued + 1) or not offers.has_code_left(tx, item_id):
                records.bump(tx, OFFERS)  # every node stops showing it
        return code

    def pools(self) -> list[Pool]:
        """Returns the pools of all offers that have codes, by item."""
        with self._core.store.read() as session:
            return offers.pools(session)

    def used_up(self) -> frozenset[str]:
        """Returns the offers that nobody is shown any more, because they are used up."""
        with self._core.store.read() as session:
            return used_up_offers(session, self._core.world.catalogue)

    def _offer(self, item_id: str) -> tuple[int, CatalogueSnapshot]:
        self._core.refresh_when_due()
        catalogue = self._core.world.catalogue
        place = catalogue.index.get(item_id)
        if place is None:
            self._core.refresh()
            catalogue = self._core.world.catalogue
            place = catalogue.index.get(item_id)
        if place is None:
            raise UnknownName("item", item_id, [])
        return place, catalogue


def _is_open(catalogue: CatalogueSnapshot, place: int, now_ms: int) -> bool:
    """Whether an offer may be shown in any market now: in which one it was is known to whoever showed it."""
    return any(catalogue.available(market, now_ms)[place] for market in catalogue.markets)


def _keys(user_id: str, anonymous_id: str) -> list[IdKey]:
    keys = [IdKey(USER_ID, clean_id(user_id, "userId"))] if user_id else []
    return [*keys, IdKey(ANONYMOUS_ID, clean_id(anonymous_id, "anonymousId"))] if anonymous_id else keys
