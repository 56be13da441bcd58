"""From a live profile to what a decision may read of it: nothing of a withheld purpose passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bespeak.decide.person import PersonView
from bespeak.decide.reading import HOUR_MS
from bespeak.engine.runtime import Runtime
from bespeak.profiles.profile import Profile, Trait
from bespeak.profiles.view import ProfileView
from bespeak.signals.catalogue import TRAIT_CLASS, SignalCatalogue
from bespeak.signals.events import Context
from bespeak.storage.base import Session
from bespeak.storage.tables import records

MAX_SHOWN = 2_000
"""Of what a person was shown, the latest so many exposures count."""


def granted_purposes(runtime: Runtime, profile: Profile, context: Context, source: str = "") -> int:
    """Returns the mask of purposes that hold for reading a profile.

    The person's own word beats everything. Before it the source's default holds; a request that comes through no source
    (a secret key, the embedded engine) may read whatever some source's default let in. A consent statement in the
    request counts for the request.
    """
    rules = runtime.config.consent
    recorded = {purpose: word.is_granted for purpose, word in profile.consent.items()}
    if context.consent is not None:
        recorded |= rules.statement(context.consent)
    default = rules.default(source) if source else rules.widest_default()
    return rules.over(default, recorded, is_gpc=context.is_gpc)


def profile_view(runtime: Runtime, profile: Profile, granted: int, now_ms: int) -> ProfileView:
    """Returns the reading side of a profile under a mask of granted purposes."""
    observer = runtime.observer
    return ProfileView(
        profile,
        observer.fold_settings,
        now_ms,
        purposes=runtime.config.purposes.names(granted),
        predictors=observer.predictors(),
    )


def person_view(
    runtime: Runtime, person: int, profile: Profile, context: Context, now_ms: int, source: str = ""
) -> PersonView:
    """Returns what a decision may read of a person."""
    granted = granted_purposes(runtime, profile, context, source)
    view = profile_view(runtime, profile, granted, now_ms)
    return PersonView.of(view, person, granted, runtime.config.purposes, _readable_traits(runtime, view, granted))


def with_shown(session: Session, runtime: Runtime, person: PersonView, hours: float, now_ms: int) -> PersonView:
    """Returns the person with what they were shown in the last hours, as far as that was measured and may be read."""
    needed = runtime.config.purposes.measure | runtime.config.purposes.personalize
    if person.person is None or not person.can_personalize or person.purposes & needed != needed:
        return person
    since_ms = now_ms - int(hours * HOUR_MS)
    return replace(person, shown=records.shown_since(session, person.person, since_ms, MAX_SHOWN))


def trait_words(signals: SignalCatalogue, traits: Mapping[str, Trait]) -> dict[str, str]:
    """Returns the traits that models may read: those that the signal catalogue declares and that are words.

    Bands of age or income are words too; free texts and numbers speak of single people.
    """
    return {
        name: held.value
        for name, held in traits.items()
        if name in signals.trait_specs and isinstance(held.value, str) and held.value
    }


def _readable_traits(runtime: Runtime, view: ProfileView, granted: int) -> dict[str, tuple[str]]:
    signals = runtime.config.signals
    if not granted & runtime.config.purposes.bit(signals.classes[TRAIT_CLASS].purpose):
        return {}
    return {name: (word,) for name, word in trait_words(signals, view.traits()).items()}
