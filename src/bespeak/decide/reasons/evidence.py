"""What stands behind a person's terms: their own items, counted by class, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bespeak.decide.situation import Situation
from bespeak.signals.signal import SignalClass

MAX_CLASSES_SAID = 2


@dataclass(frozen=True)
class Said:
    """What the person did, by class, the weightiest first.

    Attributes:
        items: (verb, how many distinct items).
        signals: (verb, how many signals), where no item of the catalogue stands behind them.
    """

    items: tuple[tuple[str, int], ...]
    signals: tuple[tuple[str, int], ...] = ()

    def sentence(self, where: str, value: str) -> str:
        """The sentence.

        Example:
            >>> Said((("bought", 1), ("viewed", 5))).sentence("in audio", "audio")
            'you bought 1 and viewed 5 items in audio'
            >>> Said((), (("searched for", 2),)).sentence("in audio", "audio")
            'you searched for audio 2 times'
        """
        if self.items:
            noun = "item" if self.items[-1][1] == 1 else "items"
            return f"you {' and '.join(f'{verb} {n}' for verb, n in self.items)} {noun} {where}"
        if self.signals:
            verb, n = self.signals[0]
            return f"you {verb} {value}" if n == 1 else f"you {verb} {value} {n} times"
        return f"you showed an interest {where}"


class Evidence:
    """Counts a person's items for the sentences of one decision."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation

    def counts(self, facet: str, code: int, value: str, *, is_positive: bool) -> Said:
        """Distinct items with this facet value that the person touched, by class, over the whole profile."""
        column = self._situation.world.catalogue.facets[facet]
        touched = self._situation.touched
        holding = touched.classes[(column.codes[touched.rows] == code).any(axis=1)]
        counts = np.bincount(holding, minlength=len(touched.names)).tolist()
        items = self._ranked(dict(zip(touched.names, counts, strict=True)), is_positive)
        person = self._situation.person
        liking = person.counts_of(facet, value) if person is not None and not items else {}
        return Said(items, self._ranked(liking, is_positive))

    def session_counts(self, facet: str, code: int, *, is_positive: bool) -> Said:
        """As `counts`, over the latest steps, those that the session features are made of."""
        items: dict[str, set[int]] = {}
        for item, signal_class, codes in self._steps(facet):
            if code in codes:
                items.setdefault(signal_class, set()).add(item)
        return Said(self._ranked({name: len(found) for name, found in items.items()}, is_positive))

    def _steps(self, facet: str) -> Sequence[tuple[int, str, list[int]]]:
        """(item, class, codes of the facet) of the latest steps; read once for all values of the facet."""
        return self._situation.reading.once(("steps", facet), lambda: self._read_steps(facet))

    def _read_steps(self, facet: str) -> Sequence[tuple[int, str, list[int]]]:
        known = self._situation.known
        codes = self._situation.world.catalogue.facets[facet].codes[known.session].tolist()
        return list(zip(known.session.tolist(), known.session_classes, codes, strict=True))

    def repeat(self, index: int) -> str:
        """How often the person came across this very item."""
        touched = self._situation.touched
        n = int(touched.counts[touched.rows == index].sum())
        return "you came across this before" if n == 1 else f"you came across this {n} times before"

    def shown(self, index: int) -> str:
        """How often the person was shown this very item."""
        touched = self._situation.touched
        is_shown = np.array([name == "exposure" for name in touched.names], np.bool_)[touched.classes]
        n = int(touched.counts[(touched.rows == index) & is_shown].sum())
        return "you were shown this before" if n == 1 else f"you were shown this {n} times before"

    def n_of(self, signal_class: str, index: int) -> int:
        """How many signals of a class the person gave about an item."""
        person = self._situation.person
        touches = person.items.get(self._situation.world.catalogue.item_ids[index]) if person is not None else None
        return touches[signal_class].count if touches is not None and signal_class in touches else 0

    def verb_for(self, index: int) -> str:
        """What the person did with an item, by the weightiest class."""
        return self._situation.reading.once(("verb", index), lambda: self._read_verb(index))

    def _read_verb(self, index: int) -> str:
        person = self._situation.person
        touched = person.items.get(self._situation.world.catalogue.item_ids[index]) if person is not None else None
        ranked = self._ranked({name: touch.count for name, touch in (touched or {}).items()}, True)
        return ranked[0][0] if ranked else "chose"

    def _ranked(self, counts: Mapping[str, int], is_positive: bool) -> tuple[tuple[str, int], ...]:
        """(verb, count) of the classes on this side of 0, the largest weight times count first; each verb once.

        Two classes may share a verb: a rating is a use and an opinion, and is still one rating.
        """
        said = [
            (abs(signal_class.prior_weight) * n, _verb(signal_class), n)
            for name, n in counts.items()
            if n > 0
            and (signal_class := self._situation.world.classes.get(name)) is not None
            and signal_class.prior_weight
            and (signal_class.prior_weight > 0) == is_positive
        ]
        said.sort(key=lambda entry: (-entry[0], entry[1]))
        merged: dict[str, int] = {}
        for _, verb, n in said:
            merged[verb] = max(n, merged.get(verb, 0))
        return tuple(merged.items())[:MAX_CLASSES_SAID]


def _verb(signal_class: SignalClass) -> str:
    return signal_class.verb or "used"
