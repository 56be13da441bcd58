"""Placements: the settings of a place where a decision is shown.

A project's file overrides any setting of the built-in placements (`home`, `similar`, `search` and the rows of
`built_in_rows`) and adds its own, each starting from the built-in one it names as `like` (`home` when it names none).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bespeak.catalogue.columns import DEFAULT_MARKET
from bespeak.decide.settings.built_in_rows import FOREVER_DAYS, ROWS
from bespeak.decide.settings.checks import (
    check_actions,
    check_boosts,
    check_heading,
    check_pins,
    check_shares,
    check_sources,
)
from bespeak.decide.settings.parts import (
    MAX_COUNT,
    MAX_HOURS,
    ActionSettings,
    BoostSettings,
    CapSettings,
    CoolingSettings,
    CreativeSettings,
    PinSettings,
    RotationSettings,
    ShareSettings,
    SourceSettings,
)
from bespeak.errors import ConfigError, UnknownName

SEEN_ON_HOME: Mapping[str, float] = MappingProxyType(
    {
        "view": 30.0,
        "click": 30.0,
        "read": 30.0,
        "play": 30.0,
        "watch": 365.0,
        "purchase": 365.0,
        "rating": 3650.0,
        "dislike": FOREVER_DAYS,
        "hide": FOREVER_DAYS,
    }
)


class Placement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place where a decision is shown.

    Attributes:
        name: the word in requests.
        count: items when a request asks for no number.
        kinds: kinds of items that may stand here; empty allows all but `offer` and `action`, which must be named.
        filter: an expression of the rule language that every item must fulfil; empty allows all.
        sources: where candidates come from, see `SOURCE_NAMES`.
        weights: signal -> weight, over the defaults. A name may end in `.*`.
        hide_seen: signal class -> days: items that the person touched in this class so recently are never shown.
        exclude_cart: whether items in the person's cart are left out.
        caps: attribute -> how many items of one slate may share a value of it; or, as a table, of any positions in a
            row.
        shares: which part of the positions goes to which items, at least or at most.
        boosts: what is added to the score of which items.
        cooling_off: when items rest that the person was shown. Exposures must be tracked.
        rotation: how much less items count that the person was shown lately. Exposures must be tracked.
        min_stock: items of which the attribute `stock` says that there are fewer are left out.
        one_per_group: whether a slate shows one item of a group (variants, seasons).
        market: market for price and availability unless the request names one; the project's when left out.
        facets: facets that affinities are scored on; empty means all.
        min_score: items that score less are left out.
        pins: positions kept for items. A pin never breaks another rule: an item that may not be shown leaves its
            position to the others.
        diversity: how much less an item counts that is like those before it: 0 orders by score alone, 1 goes by
            unlikeness alone after the first. Likeness is the share of facets with a common value.
        explore: share of each position's probability that is spread evenly over all candidates that may stand there, so
            that what is never shown can be learned of; 0 always shows the best.
        temperature: of what is left of the probability, in units of the score: 0 gives it to the best, more lets scores
            that are as close as this take turns. Needs `explore`.
        explore_new_days: spreads `explore` only over items younger than this. Needs `explore`.
        record_features: share of the decisions that explore which keep all candidates with their features, so that
            another policy can be replayed on them (`bespeak replay`); a tenth unless given. Needs `explore`.
        needs_item: the placement is about one item: the request's, else the person's latest.
        needs_match: only items that match the request's query.
        learn: whether training may learn the weights from what was shown here and what came of it; `weights` then say
            where it starts.
        ranker: `linear` scores by the sum of the terms alone; `trees` also grows boosted trees on top of it, and uses
            them where they prove better. Growing needs the extra `trees`, using them does not.
        objective: what an exposure is worth by what came of it: signal class -> worth. The most that came counts, as a
            share of the largest worth declared; of `watch` the share that was watched, ranked among items as long.
            Empty: clicks, and where a site sends too few of them whatever turns to the item.
        attribution_days: how long after it was shown an outcome of the same person and item still counts.
        signs: signal (or `family.*`) -> the sign that its learned weight keeps: `positive`, `negative`, `free` for
            any, or `fixed` to leave the weight as it is. Else a weight keeps the sign that it has before learning.
        crosses: what counts only in some circumstances, as `WHEN * WHAT`, for weights to be learned of. WHEN: hour,
            daypart, weekday, day, device, os, locale, language, country, referrer, campaign, medium, stage, intent,
            `trait.NAME`, `declared.KEY`, `prediction.NAME` (low, medium or high among people); WHAT: a facet, an
            attribute, a numeric facet, or another signal.
        needs_cart: the placement is about what is in the cart; as a row of a page it is left out while that is empty.
        heading: what stands above the items: one text, or locale -> text. `{title}` is the item that the placement is
            about, `{value}` the value.
        about_classes: of the items that the person turned to in these classes, the placement is about the strongest.
        about_facets: the placement is about one value of the first of these facets that the catalogue has: the
            request's, else the one that the person likes most, else the most popular. Only items with it are shown.
        new_days: only items that came out within so many days.
        fill: whether popular items fill a slate for which the sources find too few.
        n_reasons: reasons given for an item when the request does not ask for all.
        creatives: with which of its creatives an item is shown.
        actions: makes it a placement for the next best action.
        launch: share of the people who may be measured that get the best slate without personalization, so that the
            lift can be told; 0 personalizes for everybody and tells none.
        holdout: that share once the launch has its answer.
        rollout: share of people who get these settings yet; the others stay on the version before.
        shadow: settings of a policy that decides beside this one, is recorded and never shown.
    """

    name: str = ""
    count: Annotated[int, Meta(ge=1, le=MAX_COUNT)] = 10
    kinds: tuple[str, ...] = ()
    filter: str = ""
    sources: tuple[SourceSettings, ...] = ()
    weights: dict[str, float] = {}
    hide_seen: dict[str, Annotated[float, Meta(ge=0)]] = {}
    exclude_cart: bool = False
    caps: dict[str, Annotated[int, Meta(ge=1)] | CapSettings] = {}
    shares: tuple[ShareSettings, ...] = ()
    boosts: tuple[BoostSettings, ...] = ()
    cooling_off: tuple[CoolingSettings, ...] = ()
    rotation: RotationSettings | None = None
    min_stock: Annotated[int, Meta(ge=0)] = 0
    one_per_group: bool = True
    market: str = DEFAULT_MARKET
    facets: tuple[str, ...] = ()
    min_score: float | None = None
    pins: tuple[PinSettings, ...] = ()
    diversity: Annotated[float, Meta(ge=0, le=1)] = 0.0
    explore: Annotated[float, Meta(ge=0, le=1)] = 0.0
    temperature: Annotated[float, Meta(ge=0)] = 0.0
    explore_new_days: Annotated[float, Meta(gt=0)] | None = None
    record_features: Annotated[float, Meta(ge=0, le=1)] | None = None
    needs_item: bool = False
    needs_match: bool = False
    learn: bool = True
    ranker: Literal["linear", "trees"] = "linear"
    objective: dict[str, Annotated[float, Meta(gt=0)]] = {}
    attribution_days: Annotated[float, Meta(gt=0, le=90)] = 1.0
    crosses: tuple[str, ...] = ()
    signs: dict[str, Literal["positive", "negative", "free", "fixed"]] = {}
    needs_cart: bool = False
    heading: str | dict[str, str] = ""
    about_classes: tuple[str, ...] = ()
    about_facets: tuple[str, ...] = ()
    new_days: Annotated[float, Meta(gt=0)] | None = None
    fill: bool = True
    n_reasons: Annotated[int, Meta(ge=0, le=20)] = 3
    creatives: CreativeSettings = CreativeSettings()
    actions: ActionSettings | None = None
    launch: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    holdout: Annotated[float, Meta(ge=0, le=0.5)] = 0.05
    rollout: Annotated[float, Meta(ge=0, le=1)] = 1.0
    shadow: dict[str, Any] = {}

    @property
    def has_subject(self) -> bool:
        """Whether it is about an item or a value, also where the request names none."""
        return self.needs_item or bool(self.about_classes or self.about_facets)

    @property
    def memory_hours(self) -> float:
        """How far back it must be known what the person was shown, in hours."""
        rotation = self.rotation.hours if self.rotation is not None and self.rotation.rate > 0 else 0.0
        acting = float(MAX_HOURS) if self.actions is not None else 0.0
        return max([rotation, acting, *(rule.hours for rule in self.cooling_off)])

    def filters(self) -> dict[str, str]:
        """Key -> every filter of the settings that is not empty, such as `pins[0].filter`."""
        found = {"filter": self.filter}
        parts: dict[str, tuple[PinSettings | ShareSettings | BoostSettings, ...]]
        parts = {"pins": self.pins, "shares": self.shares, "boosts": self.boosts}
        for key, entries in parts.items():
            found |= {f"{key}[{place}].filter": entry.filter for place, entry in enumerate(entries)}
        return {key: text for key, text in found.items() if text}

    def in_place_of(self, launch: float, holdout: float) -> Placement:
        """Returns these settings with what holds for the place whatever decides there."""
        return msgspec.structs.replace(self, launch=launch, holdout=holdout)

    def digest(self) -> str:
        """Returns a hash of all settings that decide: a changed placement is a new version of its policy."""
        policy: dict[str, Any] = msgspec.to_builtins(self)
        for setting in _BESIDE:
            del policy[setting]
        return blake2b(msgspec.json.encode(policy, order="deterministic"), digest_size=16).hexdigest()


_BESIDE = ("rollout", "shadow")
"""Settings that say who gets a policy and what decides beside it; they are no part of it."""

_OF_THE_PLACE = ("name", "like", "launch", "holdout", *_BESIDE)
"""Settings that hold for a placement whatever policy decides."""


def _sources(**limits: int) -> tuple[SourceSettings, ...]:
    return tuple(SourceSettings(name=name, limit=limit) for name, limit in limits.items())


HOME = Placement(
    name="home",
    heading={"en": "For you", "de": "Für dich"},
    sources=_sources(
        models=120, neighbours=60, content=60, affinity=80, session=80, popular=100, trending=40, recent=40
    ),
    hide_seen=dict(SEEN_ON_HOME),
    exclude_cart=True,
)
SIMILAR = Placement(
    name="similar",
    heading={"en": "Similar to {title}", "de": "Ähnlich wie {title}"},
    sources=_sources(neighbours=80, content=80, alike=60, popular=40),
    weights={
        "similar": 3.0,
        "alike": 1.0,
        "model.*": 0.2,
        "model.best": 0.4,
        "affinity.*": 0.2,
        "session.*": 0.2,
        "just_viewed": 0.0,
        "popular": 0.3,
    },
    hide_seen={"purchase": 365.0, "dislike": FOREVER_DAYS, "hide": FOREVER_DAYS},
    exclude_cart=True,
    needs_item=True,
)
SEARCH = Placement(
    name="search",
    sources=_sources(match=400),
    weights={"match": 4.0, "model.best": 0.6, "model.*": 0.2, "affinity.*": 0.4, "session.*": 0.4},
    needs_match=True,
)


def placements_from(sections: Mapping[str, Mapping[str, Any]], market: str = DEFAULT_MARKET) -> dict[str, Placement]:
    """Returns the built-in placements with a project's own settings on top, and the project's own placements.

    Args:
        sections: placement name -> its settings as they stand in the file.
        market: of the project; of placements that name none.

    Raises:
        ConfigError: an unknown setting, a value out of range, or a `like` that is no built-in placement; with its key.

    Example:
        >>> own = placements_from({"home": {"count": 6}, "basket": {"like": "similar", "caps": {"brand": 2}}})
        >>> own["home"].count, own["basket"].needs_item, own["basket"].caps
        (6, True, {'brand': 2})
    """
    built_in = {name: msgspec.structs.replace(placement, market=market) for name, placement in BUILT_IN.items()}
    own = {name: _placement(name, dict(section), built_in) for name, section in sections.items()}
    return {**built_in, **own}


def _placement(name: str, section: dict[str, Any], built_in: Mapping[str, Placement]) -> Placement:
    key = f"placements.{name}"
    base = built_in.get(name, built_in["home"])
    if "like" in section:
        like = section.pop("like")
        if like not in built_in:
            raise ConfigError(
                f"'{like}' is no built-in placement.", key=f"{key}.like", hint=f"Allowed: {', '.join(built_in)}."
            )
        base = built_in[like]
    known = [setting for setting in Placement.__struct_fields__ if setting != "name"]
    for setting in section:
        if setting not in known:
            hint = UnknownName("setting", setting, [*known, "like"], limit=len(known) + 1).hint
            raise ConfigError(f"there is no setting '{setting}'.", key=key, hint=hint)
    if "weights" in section and isinstance(section["weights"], Mapping):
        section["weights"] = {**base.weights, **section["weights"]}
    try:
        own = msgspec.convert(msgspec.to_builtins(section), dict[str, Any])
        placement = msgspec.convert({**msgspec.to_builtins(base), **own, "name": name}, Placement)
    except (msgspec.ValidationError, TypeError) as error:
        raise ConfigError.of_value(error, key=key, hint="See `bespeak init` for every setting with its unit.") from None
    _check(placement, key)
    varied(placement, placement.shadow, f"{key}.shadow")
    return placement


def varied(placement: Placement, settings: Mapping[str, Any], key: str) -> Placement:
    """Returns a placement with some settings changed: the policy of an arm of an experiment, or of a shadow.

    Args:
        placement: whose other settings hold.
        settings: as they would stand in the file; `weights` go on top of the placement's, and learned weights are then
            left aside.
        key: where they stand, for messages.

    Raises:
        ConfigError: an unknown setting, one that is not a policy's, or a value out of range; with its key.

    Example:
        >>> varied(HOME, {"diversity": 0.3, "weights": {"fresh": 1.0}}, "experiments.calm").weights
        {'fresh': 1.0}
    """
    known = [setting for setting in Placement.__struct_fields__ if setting not in _OF_THE_PLACE]
    for setting in settings:
        if setting not in known:
            raise ConfigError(f"'{setting}' is no setting of a policy.", key=key, hint=f"Allowed: {', '.join(known)}.")
    changed = dict(settings)
    if isinstance(changed.get("weights"), Mapping):
        changed["weights"] = {**placement.weights, **changed["weights"]}
    try:
        found = msgspec.convert({**msgspec.to_builtins(placement), **changed, "shadow": {}, "rollout": 1.0}, Placement)
    except (msgspec.ValidationError, TypeError) as error:
        raise ConfigError.of_value(error, key=key, hint="The settings are those of a placement.") from None
    if (found.actions is None) != (placement.actions is None):
        problem = "whether a placement shows actions or items is the same for all of its policies."
        raise ConfigError(problem, key=f"{key}.actions", hint="Take a placement of its own for actions.")
    _check(found, key)
    return found


def _check(placement: Placement, key: str) -> None:
    check_sources(placement.sources, f"{key}.sources")
    check_pins(placement.pins, f"{key}.pins")
    check_heading(placement.heading, f"{key}.heading")
    check_shares(placement.shares, f"{key}.shares")
    check_boosts(placement.boosts, f"{key}.boosts")
    if placement.actions is not None:
        check_actions(placement.actions, f"{key}.actions")
    if not placement.explore:
        for setting in ("temperature", "explore_new_days", "record_features"):
            if getattr(placement, setting):
                hint = "Set `explore` above 0, or leave this out."
                raise ConfigError("it goes with exploring, but `explore` is 0.", key=f"{key}.{setting}", hint=hint)


def _built_in() -> Mapping[str, Placement]:
    placements = {"home": HOME, "similar": SIMILAR, "search": SEARCH}
    for name, section in ROWS.items():
        placements[name] = _placement(name, dict(section), placements)
    return MappingProxyType(placements)


BUILT_IN: Mapping[str, Placement] = _built_in()
