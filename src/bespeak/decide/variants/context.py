"""The context that a bandit learns by: declared features as named numbers, and these as a vector of fixed length.

`features` of a placement names what is read; each becomes one or several named numbers:

    device os browser language country       1 for `device=mobile`, of the request
    referrer campaign                        1 for `referrer=search`, `campaign=spring`
    hour day_part weekday weekend            1 for `hour=20`, `day_part=evening`, `weekday=5`, `weekend=yes`
    context.KEY                              1 for `context.mood=calm`; a number or a yes keeps its value
    stage                                    1 for `stage=active`: where the person's journey stands
    segment.NAME                             1 for a member
    traits.NAME                              1 for `traits.plan=pro`
    affinity.FACET                           the shares of the five strongest values: `affinity.category=audio` .4

What is unknown, and all of the person where nothing of them may be read, gives no number.

The vector has the length that the placement declares. Entry 0 is always 1; every name has one of the other entries, by
a hash: names that share an entry are added up, so a length well above the number of names keeps them apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from math import isfinite
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from bespeak.decide.person import PersonView
from bespeak.errors import ConfigError
from bespeak.profiles.record import ProfileRecord
from bespeak.segments.definitions import Segment
from bespeak.segments.membership import evaluate
from bespeak.signals.events import Context

N_VALUES = 5
MAX_VALUE = 1e3
_PLAIN = re.compile(r"[A-Za-z_]\w*")
_DAY_PARTS = ("night", "morning", "afternoon", "evening")

_OF_REQUEST: Mapping[str, Callable[[Context], str]] = MappingProxyType(
    {
        "device": lambda context: context.device,
        "os": lambda context: context.os,
        "browser": lambda context: context.browser,
        "language": lambda context: context.language,
        "country": lambda context: context.country,
        "referrer": lambda context: context.referrer_class,
        "campaign": lambda context: context.campaign.get("name", ""),
        "hour": lambda context: str(context.local_hour) if context.local_hour >= 0 else "",
        "day_part": lambda context: _DAY_PARTS[context.local_hour // 6] if context.local_hour >= 0 else "",
        "weekday": lambda context: str(context.local_weekday) if context.local_weekday >= 0 else "",
        "weekend": lambda context: (
            ("yes" if context.local_weekday >= 5 else "no") if context.local_weekday >= 0 else ""
        ),
    }
)
_PREFIXES = ("context.", "segment.", "traits.", "affinity.")


def check_features(
    features: Iterable[str], key: str, *, segments: Collection[str], facets: Collection[str], declared: Collection[str]
) -> None:
    """Returns when all of these can be read; raises `ConfigError` with what is allowed."""
    known: Mapping[str, Collection[str]] = {"segment.": segments, "affinity.": facets, "context.": declared}
    for feature in features:
        if feature in _OF_REQUEST or feature == "stage":
            continue
        prefix = next((prefix for prefix in _PREFIXES if feature.startswith(prefix)), "")
        name = feature.removeprefix(prefix)
        if not prefix:
            allowed = ", ".join([*_OF_REQUEST, "stage", *(f"{prefix}NAME" for prefix in _PREFIXES)])
            raise ConfigError(f"there is no feature '{feature}'.", key=key, hint=f"Known: {allowed}.")
        if prefix in known and name not in known[prefix]:
            allowed = ", ".join(f"{prefix}{one}" for one in known[prefix]) or "none"
            raise ConfigError(f"there is no '{feature}'.", key=key, hint=f"Declared: {allowed}.")
        if not _PLAIN.fullmatch(name):
            raise ConfigError(f"'{feature}' is no feature.", key=key, hint=f"Write {prefix}NAME.")


def features_of(
    features: Sequence[str], person: PersonView | None, context: Context, segments: Sequence[Segment]
) -> dict[str, float]:
    """Returns the named numbers that are known; zeros are left out.

    Args:
        features: what to read.
        person: who it is for; None where nobody is known or may be read.
        context: of the request.
        segments: those that the features name, each after those that its rule names.
    """
    found: dict[str, float] = {}
    for feature in features:
        read = _OF_REQUEST.get(feature)
        if read is not None:
            value = read(context)
            if value:
                found[f"{feature}={value[:100]}"] = 1.0
        elif feature.startswith("context."):
            found |= _declared(feature, context)
    if person is None or person.view is None:
        return found
    verdicts = evaluate(segments, person.view) if segments else {}
    for feature in features:
        kind, _, name = feature.partition(".")
        if kind == "segment" and name in verdicts and verdicts[name].holds:
            found[feature] = 1.0
        elif feature == "stage":
            stage = ProfileRecord(person.view).get("stage")
            found |= {f"stage={stage}": 1.0} if stage else {}
        elif kind == "traits":
            found |= {f"{feature}={word[:100]}": 1.0 for word in person.traits.get(name, ())}
        elif kind == "affinity":
            found |= _shares(feature, person.affinities.get(name, {}))
    return found


def vector_of(features: Mapping[str, float], dimension: int) -> npt.NDArray[np.float64]:
    """float64[dimension]: 1, and every number at the entry of its name.

    Example:
        >>> vector_of({}, 4).tolist()
        [1.0, 0.0, 0.0, 0.0]
        >>> float(vector_of({"device=mobile": 1.0, "weekend=yes": 1.0}, 16).sum())
        3.0
    """
    vector = np.zeros(dimension)
    vector[0] = 1.0
    for name, value in features.items():
        vector[entry_of(name, dimension)] += value
    return vector


@lru_cache(maxsize=8192)
def entry_of(name: str, dimension: int) -> int:
    """The entry of a name, from 1."""
    return 1 + int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") % (dimension - 1)


def _declared(feature: str, context: Context) -> dict[str, float]:
    value = context.declared.get(feature.removeprefix("context."))
    if isinstance(value, bool | int | float):
        number = min(max(float(value), -MAX_VALUE), MAX_VALUE)
        return {feature: number} if number and isfinite(number) else {}
    return {f"{feature}={value[:100]}": 1.0} if isinstance(value, str) and value else {}


def _shares(feature: str, strengths: Mapping[str, float]) -> dict[str, float]:
    liked = sorted(((s, value) for value, s in strengths.items() if s > 0), reverse=True)
    total = sum(strength for strength, _ in liked)
    return {f"{feature}={value[:100]}": strength / total for strength, value in liked[:N_VALUES]}
