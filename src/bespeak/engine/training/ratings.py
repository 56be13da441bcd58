"""Ratings of a project: which signals are ratings, what the log holds of them, and what one profile tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bespeak.models.ratings.base import Ratings, RatingScale
from bespeak.profiles.view import ProfileView
from bespeak.signals.specs import SignalSpec, StrengthSpec


class PredictedRating(msgspec.Struct, frozen=True, kw_only=True):
    """What a person would give an item.

    Attributes:
        rating: within the project's scale.
        spread: standard deviation of what they give around it, their own whims included.
    """

    item_id: str
    rating: float
    spread: float


@dataclass(frozen=True, slots=True)
class RatingSource:
    """Where ratings come from.

    Attributes:
        classes: signal classes that hold ratings and nothing else, so a profile can tell them apart.
        scale: of the first declared entry. Ratings on another scale are carried over to it, ends to ends.
    """

    classes: frozenset[str]
    scale: RatingScale

    @classmethod
    def of(cls, specs: Mapping[str, SignalSpec]) -> RatingSource | None:
        """Reads the signal catalogue; None where no class holds ratings alone.

        Example:
            >>> from bespeak.signals.catalogue import SignalCatalogue
            >>> RatingSource.of(SignalCatalogue.built_in().specs)
            RatingSource(classes=frozenset({'rating'}), scale=RatingScale(low=1.0, high=5.0))
        """
        enabled = [spec for spec in specs.values() if spec.enabled]
        others = {spec.signal_class for spec in enabled if not _is_rating(spec)}
        rating = [spec for spec in enabled if _is_rating(spec) and spec.signal_class not in others]
        scales = [spec.strength.scale for spec in rating if isinstance(spec.strength, StrengthSpec)]
        return cls(frozenset(spec.signal_class for spec in rating), RatingScale(*scales[0])) if scales else None

    def in_log(
        self, table: pa.Table, person: np.ndarray[Any, Any], keep: np.ndarray[Any, Any], item_ids: Sequence[str]
    ) -> Ratings:
        """The ratings among rows of the lake.

        Args:
            table: signals, with their class, item, strength and time.
            person: int64[n], the root person of each row.
            keep: bool[n], rows that may be used.
            item_ids: the catalogue; rated items outside of it are known too.
        """
        is_rating = pc.is_in(table.column("signal_class"), value_set=pa.array(sorted(self.classes))).to_numpy()
        rows = np.flatnonzero(keep & is_rating)
        chosen = table.take(pa.array(rows))
        users, user_index = np.unique(person[rows], return_inverse=True)
        items = chosen.column("item_id").to_pylist()
        known = {item: place for place, item in enumerate(dict.fromkeys([*item_ids, *items]))}
        return Ratings.of(
            tuple(str(user) for user in users.tolist()),
            tuple(known),
            user_index,
            [known[item] for item in items],
            self._on_scale(chosen.column("strength").to_numpy()),
            chosen.column("time_ms").to_numpy(),
            scale=self.scale,
        )

    def in_profile(self, view: ProfileView, item_ids: Sequence[str]) -> Ratings:
        """What the person of a profile gave, as far as it may be read: one person, whose index is 0.

        A profile keeps the latest steps as they were and of older ones a sum that fades: an item that was rated again
        long ago counts by the mean of its ratings, the older ones faded.
        """
        given: dict[str, float] = {}
        for item, held in view.items().items():
            for name in self.classes & held.keys():
                given[item] = held[name].value / held[name].count
        given |= {step.item_id: step.strength for step in view.recent() if step.signal_class in self.classes}
        place = {item: index for index, item in enumerate(item_ids)}
        told = {place[item]: strength for item, strength in given.items() if item in place}
        values = self._on_scale(np.array(list(told.values()), np.float64))
        return Ratings.of(("",), item_ids, np.zeros(len(told), np.int32), list(told), values, scale=self.scale)

    def _on_scale(self, strengths: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return self.scale.from_centred(np.clip(strengths, -1.0, 1.0))


def _is_rating(spec: SignalSpec) -> bool:
    return isinstance(spec.strength, StrengthSpec) and bool(spec.strength.rating)
