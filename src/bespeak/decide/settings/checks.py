"""What the parts of a placement must not say, beyond what their types already forbid.

Each check raises `ConfigError` with the key it was given; every part is checked by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from string import Formatter
from typing import Any

from bespeak.decide.rankers.forest import TREES
from bespeak.decide.rankers.score import PRIOR_WEIGHTS
from bespeak.decide.settings.parts import ActionSettings, BoostSettings, PinSettings, ShareSettings, SourceSettings
from bespeak.errors import ConfigError, UnknownName

SOURCE_NAMES = (
    "popular",
    "trending",
    "recent",
    "neighbours",
    "content",
    "affinity",
    "session",
    "alike",
    "cart",
    "value",
    "viewed",
    "bought",
    "started",
    "next",
    "models",
)
"""What `sources` may name, beside `model.NAME`; `match` (search) and the caller's list come with requests."""

ROUNDING = 1e-9
"""0.8 + 0.05 + 0.05 + 0.1 is 1.0000000000000002, and no more than everything."""

HEADING_WORDS = ("title", "value")

SIGNALS = (*(name for name in PRIOR_WEIGHTS if "." not in name), TREES)
SIGNAL_FAMILIES = tuple(sorted({name.partition(".")[0] for name in PRIOR_WEIGHTS if "." in name}))


def check_finite(value: Any, key: str) -> None:
    """No number anywhere in a plain value is infinite or none: TOML can write `inf` and `nan`."""
    if isinstance(value, float) and not isfinite(value):
        raise ConfigError(f"is {value}, which is no finite number.", key=key, hint="Give a number, or leave it out.")
    if isinstance(value, dict):
        for name, part in value.items():
            check_finite(part, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            check_finite(part, f"{key}[{place}]")


def check_signals(names: Iterable[str], key: str) -> None:
    """Every name is a signal, a signal of a family, or `FAMILY.*`, or `*` for all."""
    for name in names:
        family, dot, _ = name.partition(".")
        if name != "*" and (family not in SIGNAL_FAMILIES if dot else name not in SIGNALS):
            known = sorted((*SIGNALS, *(f"{one}.NAME" for one in SIGNAL_FAMILIES)))
            error = UnknownName("signal", name, known, limit=len(known))
            raise ConfigError(error.message, key=key, hint=error.hint)


def check_sources(sources: Sequence[SourceSettings], key: str) -> None:
    """Every source exists."""
    for source in sources:
        if source.name not in (*SOURCE_NAMES, "match") and not source.name.startswith("model."):
            names = ", ".join(SOURCE_NAMES)
            raise ConfigError(f"there is no source '{source.name}'.", key=key, hint=f"Known: {names}, model.NAME.")


def check_pins(pins: Sequence[PinSettings], key: str) -> None:
    """Every pin names an item or a filter, and neither a position nor an item stands twice."""
    for place, pin in enumerate(pins):
        if bool(pin.item) == bool(pin.filter):
            problem = f"the pin at position {pin.position} needs an item or a filter, and not both."
            raise ConfigError(problem, key=key, hint='Write { position = 1, item = "p0001" }.')
        for other in pins[:place]:
            if other.position == pin.position:
                raise ConfigError(f"position {pin.position} is pinned twice.", key=key, hint="Keep one.")
            if pin.item and other.item == pin.item:
                raise ConfigError(f"'{pin.item}' is pinned twice.", key=key, hint="Keep one.")


def check_shares(shares: Sequence[ShareSettings], key: str) -> None:
    """Every share has a name of its own and a filter, and together they leave room for each other."""
    _check_names(shares, key)
    for share in shares:
        if share.at_least > share.at_most:
            problem = f"'{share.name}' is to have at least {share.at_least:g} and at most {share.at_most:g}."
            raise ConfigError(problem, key=key, hint="Let `at_least` be no more than `at_most`.")
    if sum(share.at_least for share in shares) > 1 + ROUNDING:
        hint = "Lower some `at_least`, so that they add up to 1 at most."
        raise ConfigError("the least shares add up to more than all positions.", key=key, hint=hint)


def check_boosts(boosts: Sequence[BoostSettings], key: str) -> None:
    """Every boost has a name of its own and a filter, and adds a finite number."""
    _check_names(boosts, key)
    for boost in boosts:
        if not isfinite(boost.add):
            raise ConfigError(f"'{boost.name}' adds no finite number.", key=key, hint="Give a number.")


def _check_names(parts: Sequence[ShareSettings | BoostSettings], key: str) -> None:
    names: set[str] = set()
    for part in parts:
        if not part.filter:
            raise ConfigError(f"'{part.name}' has no filter.", key=key, hint="Say which items.")
        if part.name in names:
            raise ConfigError(f"'{part.name}' stands twice.", key=key, hint="Give each its own name.")
        names.add(part.name)


def check_heading(heading: str | dict[str, str], key: str) -> None:
    """Every text is a format string that names nothing but `HEADING_WORDS`."""
    for text in heading.values() if isinstance(heading, dict) else (heading,):
        try:
            words = [word for _, word, _, _ in Formatter().parse(text) if word is not None]
        except ValueError as error:
            raise ConfigError(f"{error}.", key=key, hint="Write { and } as {{ and }}.") from None
        unknown = [word for word in words if word not in HEADING_WORDS]
        if unknown:
            known = ", ".join(f"{{{word}}}" for word in HEADING_WORDS)
            raise ConfigError(f"'{{{unknown[0]}}}' stands for nothing.", key=key, hint=f"Known: {known}.")


def check_actions(actions: ActionSettings, key: str) -> None:
    """Returns when it can be learned what actions cause, or is not to be; raises `ConfigError` with what is wrong."""
    if actions.uplift == "stated":
        return
    if not actions.withhold:
        problem = "what an action causes is only known where nothing is done for some."
        raise ConfigError(problem, key=f"{key}.withhold", hint='Set it above 0, or `uplift = "stated"`.')
    if actions.explore + actions.withhold > 1 + ROUNDING:
        problem = f"together with `explore` it is {actions.explore + actions.withhold:g}."
        raise ConfigError(problem, key=f"{key}.withhold", hint="At most 1 together.")
