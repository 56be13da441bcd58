"""The signals that predictions are learned from, as activity, purchases and subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bespeak.models.predictors.activity import Activity
from bespeak.models.predictors.renewals import NEVER, Subscriptions
from bespeak.models.predictors.repeat_purchases import Float64s, Int64s, PurchaseDays
from bespeak.profiles.settings import DAY_MS

_TOLD_BY = ("signal", "signal_class")
"""Whose role says what a row does; a signal's wins over its class's."""


class HeldSignals:
    """The usable rows: who, when, what.

    Args:
        table: signals in the order of the log.
        person: int64[rows], whose they are.
        roles: signal or class -> what a row does to orders or subscription; a signal's role wins over its class's.

    Attributes:
        person: int64[rows], positions; n_people: how many there are.
        day: int64[rows], since 1970 (UTC).
        first_day, last_day: the days that the rows tell of completely.
    """

    def __init__(self, table: pa.Table, person: Int64s, roles: Mapping[str, str]) -> None:
        people, self.person = np.unique(person, return_inverse=True)
        self.n_people = len(people)
        self.day: Int64s = table.column("time_ms").to_numpy() // DAY_MS
        # The newest day is hardly over, so nothing can be said of what was not done on it.
        self.first_day, self.last_day = int(self.day.min()), int(self.day.max()) - 1
        self._table = table
        self._roles = roles

    @cached_property
    def activity(self) -> Activity:
        """What everybody did, by class and day."""
        classes = self._table.column("signal_class").combine_chunks().dictionary_encode()
        names = classes.dictionary.to_pylist()
        order = np.argsort(names)
        place = np.empty(len(names), np.int64)
        place[order] = np.arange(len(names))
        code = place[classes.indices.to_numpy()]
        return Activity.of([names[i] for i in order], self.person, code, self.day, self.n_people)

    def bought(self) -> tuple[PurchaseDays, str]:
        """The days with an order, with money of the currency that most rows of orders name."""
        is_order = self._role == "order"
        spent, currency = self._money(is_order)
        rows = np.flatnonzero(is_order & (self.day <= self.last_day))
        return PurchaseDays.of(self.person[rows], self.day[rows], spent[rows]), currency

    def subscriptions(self, days_per_period: float, *, is_lapsing: bool) -> tuple[Subscriptions, Float64s, str]:
        """The subscriptions, what each pays for a period (float64[n], NaN where unknown), and the currency of it.

        Args:
            days_per_period: length of a period.
            is_lapsing: whether a subscription ends where a renewal is missed; else an event ends it.
        """
        is_on = self._role == "subscribe"
        spent, currency = self._money(is_on)
        is_told = (is_on | (self._role == "unsubscribe")) & (self.day <= self.last_day)
        rows = np.flatnonzero(is_told)
        rows = rows[np.lexsort((self._table.column("time_ms").to_numpy()[rows], self.person[rows]))]
        who, day, is_start = self.person[rows], self.day[rows], is_on[rows]
        on = rows[is_start]
        if is_lapsing:
            held = Subscriptions.of_payments(self.person[on], self.day[on], days_per_period)
        else:
            # A start is a first word, or one after an end; its end is the next word that is none.
            is_first = np.append(True, (who[1:] != who[:-1]) | ~is_start[:-1])[: len(who)]
            first, off = np.flatnonzero(is_start & is_first), np.flatnonzero(~is_start)
            after = np.append(off, len(who))[np.searchsorted(off, first)]
            is_theirs = np.append(who, -1)[after] == who[first]
            end = np.where(is_theirs, np.append(day, NEVER)[after], NEVER)
            held = Subscriptions.of_spans(who[first], day[first], end, days_per_period)
        return held, held.mean_paid(self.person[on], self.day[on], spent[on]), currency

    @cached_property
    def _role(self) -> npt.NDArray[np.object_]:
        """What each row does; None for most."""
        signal, signal_class = (self._table.column(name).combine_chunks().dictionary_encode() for name in _TOLD_BY)
        by_signal, by_class = (
            np.array([self._roles.get(name) for name in held.dictionary.to_pylist()], object)[held.indices.to_numpy()]
            for held in (signal, signal_class)
        )
        found: npt.NDArray[np.object_] = np.where(by_signal == None, by_class, by_signal)  # noqa: E711 - by element
        return found

    def _money(self, is_meant: npt.NDArray[np.bool_]) -> tuple[Float64s, str]:
        """float64[rows], minor units of the currency that most of the meant rows name, NaN for others; and which."""
        table = self._table
        priced = pc.and_(pc.is_valid(table.column("currency")), pc.greater(table.column("value_minor"), 0))
        counts = pc.value_counts(table.column("currency").filter(pc.and_(priced, pa.array(is_meant)))).to_pylist()
        most = min(counts, key=lambda one: (-one["counts"], one["values"]), default={"values": ""})
        currency = str(most["values"])
        is_ours = pc.fill_null(pc.equal(table.column("currency"), currency), False).to_numpy(zero_copy_only=False)
        value = table.column("value_minor").to_numpy()
        return np.where(is_ours & (value > 0), value.astype(np.float64), np.nan), currency
