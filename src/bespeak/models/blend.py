"""A blend: the weighted sum of a few models, each divided by the size its scores usually have.

score_j = sum over members m of weight_m * s_mj / scale_m

scale_m is the median, over training people, of the highest score that member m gives them. It is one number per member
and not per person, so a blend stays a sum (its explanations are exact), a dislike lifts nothing, and a person with a
short history, to whom personal members give low scores, gets more of what is popular.

A blend holds people when one of its members does; `forget` takes them out of every member. The scales are medians over
many people and stay.

Cost: that of its members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput, UnknownName
from bespeak.models.base import Arrays, Explanation, Model
from bespeak.models.fits import FitMemory
from bespeak.models.interactions import Float32s, History, Int32s, Interactions, ItemContent, Traits
from bespeak.models.members import MEMBERS

_SCALE_PEOPLE = 200


@dataclass(frozen=True, eq=False)
class Blend(Model):
    """A weighted sum of models.

    Args:
        members: one `{"name": ..., "settings": {...}}` per member.
        weights: one per member, not negative.

    Example:
        >>> data = Interactions.from_events(["a", "a", "b"], ["x", "y", "x"])
        >>> blend = Blend([{"name": "popularity"}, {"name": "ease", "settings": {"l2": 1.0}}], [0.5, 0.5])
        >>> blend.fit(data).recommend(["b"], 1).items(0)
        ['y']
    """

    name: ClassVar[str] = "blend"
    explains: ClassVar[bool] = True

    members: Sequence[Mapping[str, Any]]
    weights: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.members) != len(self.weights) or not self.members:
            raise InvalidInput(f"A blend of {len(self.members)} members has {len(self.weights)} weights.",
                               hint="Give one weight per member, at least one of each.")  # fmt: skip
        if not all(np.isfinite(weight) and weight >= 0 for weight in self.weights):
            raise InvalidInput("The weights of a blend must be numbers from 0 on.", hint="Leave unwanted members out.")
        for member in self.members:
            if member.get("name") not in MEMBERS:
                raise UnknownName("blend member", str(member.get("name")), list(MEMBERS))
        # Of a class these hold for all; of a blend they hang on the members, so they are set on the instance.
        families = [MEMBERS[member["name"]] for member in self.members]
        object.__setattr__(self, "holds_people", any(family.holds_people for family in families))
        object.__setattr__(self, "reads_traits", any(family.reads_traits for family in families))

    @classmethod
    def of(cls, fitted: Sequence[Model], weights: Sequence[float], interactions: Interactions) -> Self:
        """A fitted blend of models that were fitted on `interactions` already."""
        blend = cls([{"name": model.name, "settings": model.settings()} for model in fitted], list(weights))
        scales = np.array([usual_best_score(model, interactions) for model in fitted], np.float64)
        return blend._fitted(interactions.item_ids, _arrays_of(fitted) | {"scales": scales}, interactions)

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`: the fitted members, and the fit that takes most."""
        members = [member.fit_memory(n_people, n_items, n_events) for member in self.unfitted_members]
        kept = sum(member.kept_bytes for member in members)
        return FitMemory(kept + max(member.peak_bytes for member in members), kept)

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`: fits every member."""
        fitted = [member.fit(interactions, items) for member in self.unfitted_members]
        return self.of(fitted, self.weights, interactions)

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`. With members that are not personal, an empty history gets their scores."""
        total = np.zeros((len(histories), len(self.item_ids)), np.float32)
        for member, factor in zip(self.fitted_members, self._factors, strict=True):
            total += factor * member.scores(histories, now_ms)
        return total

    def similar(self, item_index: npt.ArrayLike, k: int) -> tuple[Int32s, Float32s]:
        """See `Model.similar`: the answer of the first member that knows similar items."""
        for member in self.fitted_members:
            if type(member).similar is not Model.similar:
                return member.similar(item_index, k)
        return super().similar(item_index, k)

    def explain(self, history: History, item: int) -> Explanation:
        """See `Model.explain`: the part of the score that comes from members whose scores are sums over the history."""
        contributions = np.zeros(len(self.item_ids), np.float64)
        items: set[int] = set()
        for member, factor in zip(self.fitted_members, self._factors, strict=True):
            if member.explains:
                part = member.explain(history, item)
                np.add.at(contributions, part.items, factor * part.contributions)
                items.update(part.items.tolist())
        known = np.array(sorted(items), np.int32)
        return Explanation(known, contributions[known].astype(np.float32))

    def leading_trait(self, traits: Traits, item: int) -> tuple[str, str] | None:
        """See `Model.leading_trait`: the answer of the first member that has one."""
        return next((found for member in self.fitted_members if (found := member.leading_trait(traits, item))), None)

    def forget(self, user_ids: Iterable[str]) -> Self:
        """See `Model.forget`: no member holds these people any more."""
        gone = frozenset(user_ids)
        members = [member.forget(gone) for member in self.fitted_members]
        return self._fitted(self.item_ids, _arrays_of(members) | {"scales": self._array("scales")})

    @cached_property
    def fitted_members(self) -> list[Model]:
        """The members as fitted models."""
        self._array("scales")
        members = []
        for position, member in enumerate(self.members):
            prefix = f"{position}."
            arrays: Arrays = {
                name.removeprefix(prefix): array for name, array in self._arrays.items() if name.startswith(prefix)
            }
            family = MEMBERS[member["name"]]
            members.append(family.from_arrays(member.get("settings", {}), self.item_ids, arrays))
        return members

    @property
    def _factors(self) -> Float32s:
        return np.asarray(np.asarray(self.weights) / self._array("scales"), np.float32)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the families that the blend is made of."""
        return tuple(member["name"] for member in self.members)

    @property
    def unfitted_members(self) -> list[Model]:
        """The members with their settings alone."""
        return [MEMBERS[member["name"]](**member.get("settings", {})) for member in self.members]


def made_of(model: Model, fit: Callable[[Model], Model], interactions: Interactions) -> Model:
    """A model fitted by `fit`, which for a blend is given one member after the other.

    Args:
        model: unfitted.
        fit: gives the fitted model.
        interactions: what `fit` fits on.
    """
    if isinstance(model, Blend):
        return Blend.of([fit(part) for part in model.unfitted_members], model.weights, interactions)
    return fit(model)


def _arrays_of(members: Sequence[Model]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of all members, each name behind the position of its member."""
    return {
        f"{position}.{name}": array for position, model in enumerate(members) for name, array in model.arrays().items()
    }


def usual_best_score(model: Model, interactions: Interactions) -> float:
    """The median of the highest score over at most 200 evenly chosen training people; 1 where that is not positive."""
    with_history = np.flatnonzero(np.diff(interactions.row_starts))
    if not len(with_history) or not interactions.n_items:
        return 1.0
    chosen = with_history[np.unique(np.linspace(0, len(with_history) - 1, _SCALE_PEOPLE).astype(np.int64))]
    step = model.block_rows()
    best = [
        model.scores(interactions.histories(chosen[start : start + step]), interactions.last_ms).max(axis=1)
        for start in range(0, len(chosen), step)
    ]
    usual = float(np.median(np.concatenate(best)))
    return usual if usual > 0 else 1.0
