"""What a decision may read of a person: nothing that a withheld purpose covers is in here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from bespeak.profiles.decay import Decayed
from bespeak.profiles.profile import Progress, Step
from bespeak.profiles.view import ProfileView, Typical
from bespeak.signals.ids import PROFILE_ID, USER_ID
from bespeak.signals.purposes import Purposes

_IDENTIFYING = (USER_ID, PROFILE_ID)


def _no_counts(_facet: str, _value: str) -> Mapping[str, int]:
    return {}


@dataclass(frozen=True, eq=False)
class PersonView:
    """One person as a decision sees them.

    Attributes:
        person: surrogate id, or None when nobody is stored under the ids of the request.
        is_identified: known under a user id, not only under a device's anonymous id.
        can_personalize: the purpose `personalize` is granted and nothing objects. When false, nothing else is read.
        purposes: bit mask of the granted purposes.
        affinities: facet -> value -> weighted, decayed strength; negative for what they turn away from.
        counts_of: (facet, value) -> class -> signals, unfaded; read for the few values that a reason names.
        numbers: numeric facet -> what is typical.
        items: item id -> class -> decayed strength: everything they touched, as far as classes are allowed.
        recent: the latest steps, ascending in time.
        cart: item ids in the cart.
        history: (item ids, weights, times in ms) for the models, oldest first; negative weights are dislikes.
        traits: trait name -> values, what the person told of themselves, for the models.
        view: the profile as rules read it.
        progress: item id -> how much of it they played.
        shown: item id -> when they were shown it, ascending, in ms, as far back as a placement wants to know.
    """

    person: int | None
    is_identified: bool = False
    can_personalize: bool = True
    purposes: int = 0
    affinities: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    counts_of: Callable[[str, str], Mapping[str, int]] = _no_counts
    numbers: Mapping[str, Typical] = field(default_factory=dict)
    items: Mapping[str, Mapping[str, Decayed]] = field(default_factory=dict)
    recent: Sequence[Step] = ()
    cart: Sequence[str] = ()
    history: tuple[Sequence[str], Sequence[float], Sequence[int]] = ((), (), ())
    traits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    view: ProfileView | None = None
    progress: Mapping[str, Progress] = field(default_factory=dict)
    shown: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        view: ProfileView,
        person: int,
        granted: int,
        purposes: Purposes,
        traits: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> PersonView:
        """Reads a profile's view. Without the purpose `personalize` nothing of the profile is touched.

        Args:
            view: the profile through the granted purposes, at the moment of the decision.
            person: surrogate id.
            granted: bit mask of the granted purposes; the same that `view` was made with.
            purposes: the project's purposes.
            traits: those that models may read.
        """
        if not granted & purposes.personalize:
            return cls.refused(granted, person)
        profile = view.profile
        numbers = {name: typical for name in profile.numbers if (typical := view.numeric(name)) is not None}
        return cls(
            person=person,
            is_identified=any(profile.identities.get(kind) for kind in _IDENTIFYING),
            purposes=granted,
            affinities={name: view.affinities_at(name, view.now_ms) for name in view.facets()},
            counts_of=view.counts,
            numbers=numbers,
            items=view.items(),
            recent=view.recent(),
            cart=tuple(view.cart()),
            history=view.history(),
            traits=traits,
            view=view,
            progress=view.progress(),
        )

    @classmethod
    def refused(cls, granted: int = 0, person: int | None = None) -> PersonView:
        """A person (or a device without one) whose profile must not be read."""
        return cls(person=person, can_personalize=False, purposes=granted)

    @property
    def is_unknown(self) -> bool:
        """True when nothing that a decision could use is known."""
        return not (self.has_acted or self.traits)

    @property
    def has_acted(self) -> bool:
        """True when something that they did is known."""
        return bool(self.items or self.affinities or self.recent or self.cart)
