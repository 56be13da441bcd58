"""A variant placement: what its section of the file may say, and what that is compiled to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bespeak.decide.variants.bandits import ArmSums, Learner, Posterior
from bespeak.decide.variants.context import check_features
from bespeak.decide.variants.when import Line, Names, read_line
from bespeak.errors import ConfigError
from bespeak.measure.assignment import Experiment
from bespeak.segments.definitions import Segment

MAX_VARIANTS = 100
_OF_A_POLICY = ("default", "when", "split", "sticky", "learn", "explore", "width")
_BESIDE = ("rollout", "shadow")
_LEARNING = ("explore", "width", "features", "dimension", "reward", "conversion", "window_minutes", "half_life_days")
_ID = re.compile(r"\w[\w.:-]{0,99}", re.ASCII)

Share = Annotated[float, Meta(ge=0, le=1)]


class VariantSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place where one of declared variants is shown.

    Attributes:
        kind: `variant` makes it such a place; without it a placement shows items. `message` is one whose variants have
            a `subject` and a `body`, decided when it is sent; opening it is no reward.
        variants: id -> value, any JSON value: a layout's name, texts and links of a banner, a flag's true or false. A
            list of ids has the ids as values.
        default: the variant that is shown where nothing else decides, and when the store is away; the first when left
            out.
        when: lines `RULE show VARIANT`; the first whose rule holds decides.
        split: variant -> share of those whom no line decides about, from 0 to 1. What is left of 1 gets the default. A
            share that grows keeps whom it has.
        sticky: what a visitor's share goes by: the `person` (their user id, else their device), or the `device`.
        learn: learns from outcomes which variant earns most for whom no line decides about: `thompson` tries variants
            as often as they may be the best, `linucb` what may be the best by a wide margin, `epsilon` what was best.
            Needs `explore`.
        explore: share of the probability that is spread evenly over all variants while it learns. It
            costs that share of what the best variant earns above the average one; more of it lets other policies be
            judged by a shorter log.
        width: how wide the margin of error counts for `thompson` and `linucb`; less tries less.
        features: what it learns by: `device`, `os`, `browser`, `language`, `country`, `referrer`, `campaign`, `hour`,
            `day_part`, `weekday`, `weekend`, `stage`, `segment.NAME`, `affinity.FACET`, `traits.NAME`, `context.KEY`.
            Empty learns which variant is the best for all.
        dimension: numbers that the features are kept in; best well above how many values they have.
        reward: signal class (or name of a signal) -> what it is worth when an event of it names the decision. Each
            counts once.
        conversion: the same, of what it is worth when the person does it at all after the decision.
        window_minutes: an outcome counts this long after the decision, in minutes. It counts at once; a decision that
            nobody answered counts in full once this has passed.
        half_life_days: what happened this many days ago counts half; nothing fades when left out.
        launch: share of the people who may be measured that get the default, whatever else would decide, so that the
            lift can be told; 0 takes nobody out.
        holdout: that share once the launch has its answer.
        rollout: share of people who get these settings yet; the others stay on the version before.
        shadow: settings that decide beside, are recorded and never shown: `default`, `when`, `split`, `sticky`,
            `learn`, `explore`, `width`.
    """

    kind: Literal["variant", "message"]
    variants: dict[str, Any]
    default: str = ""
    when: tuple[str, ...] = ()
    split: dict[str, Share] = {}
    sticky: Literal["person", "device"] = "person"
    learn: Learner | None = None
    explore: Annotated[float, Meta(gt=0, le=1)] = 0.01
    width: Annotated[float, Meta(gt=0, le=10)] = 0.5
    features: tuple[str, ...] = ()
    dimension: Annotated[int, Meta(ge=2, le=128)] = 32
    reward: dict[str, Annotated[float, Meta(ge=-1e6, le=1e6)]] = msgspec.field(default_factory=lambda: {"click": 1.0})
    conversion: dict[str, Annotated[float, Meta(ge=-1e6, le=1e6)]] = {}
    window_minutes: Annotated[float, Meta(gt=0, le=129_600)] = 30.0
    half_life_days: Annotated[float, Meta(gt=0)] | None = None
    launch: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    holdout: Annotated[float, Meta(ge=0, le=0.5)] = 0.05
    rollout: Share = 1.0
    shadow: dict[str, Any] = {}


@dataclass(frozen=True, eq=False)
class VariantPlacement:
    """A checked variant placement.

    Attributes:
        settings: as they stand in the file, the default filled in.
        lines: `settings.when`, parsed.
        segments: those that the lines need, in the order in which they are decided.
        feature_segments: those that the features need.
    """

    name: str
    settings: VariantSettings
    lines: tuple[Line, ...] = ()
    segments: tuple[Segment, ...] = ()
    feature_segments: tuple[Segment, ...] = ()

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """The variants in the order in which they are learned."""
        return tuple(self.settings.variants)

    @cached_property
    def nothing_learned(self) -> Posterior:
        """What is known before any outcome."""
        return self.posterior(ArmSums.empty(len(self.arms), self.settings.dimension))

    def posterior(self, sums: ArmSums) -> Posterior:
        """What sums of outcomes say."""
        worth = [abs(value) for value in (*self.settings.reward.values(), *self.settings.conversion.values())]
        return Posterior(sums, largest_reward=sum(worth) or 1.0)

    @cached_property
    def learning_digest(self) -> str:
        """A hash of what decides how rows are made: sums under another one say nothing."""
        settings = self.settings
        read = (self.arms, settings.features, settings.dimension, settings.reward, settings.conversion,
                settings.window_minutes, settings.half_life_days)  # fmt: skip
        return blake2b(msgspec.json.encode(read, order="deterministic"), digest_size=16).hexdigest()

    @property
    def launch(self) -> float:
        """The share of people on the control of its launch."""
        return self.settings.launch

    @property
    def holdout(self) -> float:
        """That share after the launch."""
        return self.settings.holdout

    @property
    def rollout(self) -> float:
        """The share of people who get these settings yet."""
        return self.settings.rollout

    def experiment(self, seed: int) -> Experiment | None:
        """The split as shares of one hash, the default last with what is left; None without a split.

        Args:
            seed: of the project.

        Example:
            >>> flag = {"kind": "variant", "variants": {"off": False, "on": True}, "split": {"on": 0.2}}
            >>> variants_from({"flag": flag})["flag"].experiment(1).expected()
            {'on': 0.2, 'off': 0.8}
        """
        split = self.settings.split
        if not split:
            return None
        rest = max(0.0, 1.0 - sum(split.values()))
        shares = dict(split) if self.settings.default in split else {**split, self.settings.default: rest}
        return Experiment(self.name, tuple(shares.items()), seed=f"{seed}:{self.name}:split")

    def in_place_of(self, launch: float, holdout: float) -> VariantPlacement:
        """Returns these settings with what holds for the place whatever decides there."""
        return replace(self, settings=msgspec.structs.replace(self.settings, launch=launch, holdout=holdout))

    def digest(self) -> str:
        """Returns a hash of all settings that decide: a changed placement is a new version of its policy."""
        policy: dict[str, Any] = msgspec.to_builtins(self.settings)
        for setting in _BESIDE:
            del policy[setting]
        return blake2b(msgspec.json.encode(policy, order="deterministic"), digest_size=16).hexdigest()


def variants_from(sections: Mapping[str, Mapping[str, Any]], names: Names = Names()) -> dict[str, VariantPlacement]:  # noqa: B008 - frozen
    """Returns the variant placements of a project.

    Args:
        sections: placement name -> its settings as they stand in the file.
        names: what the rules of its lines may name.

    Raises:
        ConfigError: an unknown setting, a value out of range, a variant that is not declared, or a wrong line; with its
            key.
    """
    found = {name: _placement(name, dict(section), names) for name, section in sections.items()}
    for name, placement in found.items():
        if placement.settings.shadow:
            varied_variant(placement, placement.settings.shadow, names, f"placements.{name}.shadow")
    return found


def varied_variant(
    placement: VariantPlacement, settings: Mapping[str, Any], names: Names, key: str
) -> VariantPlacement:
    """Returns a placement with some settings changed: the policy of an arm of an experiment, or of a shadow.

    Raises:
        ConfigError: a setting that is not a policy's, or a wrong value; with its key.
    """
    for setting in settings:
        if setting not in _OF_A_POLICY:
            hint = f"Allowed where variants are shown: {', '.join(_OF_A_POLICY)}."
            raise ConfigError(f"'{setting}' is no setting of a policy.", key=key, hint=hint)
    section = {**msgspec.to_builtins(placement.settings), **settings, "shadow": {}, "rollout": 1.0}
    try:
        return _placement(placement.name, section, names)
    except ConfigError as error:
        message = error.message.removeprefix(f"{error.key}: ")
        place = error.key.replace(f"placements.{placement.name}", key)
        raise ConfigError(message, key=place, hint=error.hint) from None


def _placement(name: str, section: dict[str, Any], names: Names) -> VariantPlacement:
    key = f"placements.{name}"
    known = VariantSettings.__struct_encode_fields__
    for setting in section:
        if setting not in known:
            hint = f"Known where variants are shown: {', '.join(known)}."
            raise ConfigError(f"there is no setting '{setting}'.", key=key, hint=hint)
    if isinstance(section.get("variants"), list):
        section["variants"] = {str(variant): variant for variant in section["variants"]}
    try:
        settings = msgspec.convert(msgspec.to_builtins(section), VariantSettings)
    except (msgspec.ValidationError, TypeError) as error:
        raise ConfigError.of_value(error, key=key, hint="See the reference of placements.") from None
    _check_variants(settings.variants, key)
    if settings.kind == "message":
        _check_message(settings, key)
    if not settings.default:
        settings = msgspec.structs.replace(settings, default=next(iter(settings.variants)))
    lines = tuple(read_line(text, names, f"{key}.when[{place}]") for place, text in enumerate(settings.when))
    _check_named(settings, lines, key)
    _check_split(settings, key)
    _check_learning(settings, names, key)
    named = {feature.removeprefix("segment.") for feature in settings.features if feature.startswith("segment.")}
    return VariantPlacement(
        name, settings, lines, names.needed(line.rule for line in lines), names.with_those_named(named)
    )


def _check_learning(settings: VariantSettings, names: Names, key: str) -> None:
    if settings.learn is None:
        default = VariantSettings(kind="variant", variants={})
        for setting in _LEARNING:
            if getattr(settings, setting) != getattr(default, setting):
                raise ConfigError("it says how to learn, but `learn` is not set.", key=f"{key}.{setting}",
                                  hint="Set `learn` to thompson, linucb or epsilon, or leave this out.")  # fmt: skip
        return
    if settings.split:
        raise ConfigError("shares are given and learned.", key=f"{key}.split", hint="Set `split` or `learn`, not both.")
    segments = [segment.name for segment in names.segments]
    check_features(settings.features, f"{key}.features", segments=segments, facets=names.facets,
                   declared=names.declared)  # fmt: skip
    if not settings.reward and not settings.conversion:
        raise ConfigError("nothing is worth anything.", key=f"{key}.reward", hint="Set `reward` or `conversion`.")
    for setting in ("reward", "conversion"):
        for signal_class in getattr(settings, setting):
            if signal_class not in names.classes and signal_class not in names.signals:
                hint = f"Known: {', '.join(names.classes)}; or the name of a signal."
                raise ConfigError(f"there is no class '{signal_class}'.", key=f"{key}.{setting}", hint=hint)


def _check_message(settings: VariantSettings, key: str) -> None:
    """A message is learned by clicks: mail programs open messages that nobody reads, and hide who does."""
    for variant, value in settings.variants.items():
        if not isinstance(value, dict) or not all(isinstance(value.get(part), str) for part in ("subject", "body")):
            hint = 'Write { subject = "…", body = "…" }.'
            raise ConfigError("a message needs a subject and a body.", key=f"{key}.variants.{variant}", hint=hint)
    for outcome in ("email", "email_opened"):
        if settings.learn and (outcome in settings.reward or outcome in settings.conversion):
            hint = "Reward clicks: `email_clicked`, or `click`."
            raise ConfigError("opening a message is no reward.", key=f"{key}.reward", hint=hint)


def _check_variants(variants: Mapping[str, Any], key: str) -> None:
    if not 1 <= len(variants) <= MAX_VARIANTS:
        raise ConfigError(f"has {len(variants)} variants.", key=f"{key}.variants", hint=f"Give 1 to {MAX_VARIANTS}.")
    for variant in variants:
        if not _ID.fullmatch(variant):
            hint = "Letters, digits, `_`, `.`, `:` and `-`, at most 100, a letter, digit or `_` first."
            raise ConfigError(f"{variant!r} is no id of a variant.", key=f"{key}.variants", hint=hint)


def _check_named(settings: VariantSettings, lines: tuple[Line, ...], key: str) -> None:
    """Every variant that a setting names must be declared."""
    named = [("default", settings.default), *((f"split.{variant}", variant) for variant in settings.split)]
    named += [(f"when[{place}]", line.variant) for place, line in enumerate(lines)]
    for setting, variant in named:
        if variant not in settings.variants:
            hint = f"Declared: {', '.join(settings.variants)}."
            raise ConfigError(f"there is no variant '{variant}'.", key=f"{key}.{setting}", hint=hint)


def _check_split(settings: VariantSettings, key: str) -> None:
    total = sum(settings.split.values())
    if total > 1 + 1e-9:
        hint = "At most 1: what is left gets the default."
        raise ConfigError(f"the shares add up to {total:g}.", key=f"{key}.split", hint=hint)
    if settings.default in settings.split and total < 1 - 1e-9:
        hint = f"Leave '{settings.default}' out: it is the default and gets what is left."
        raise ConfigError(f"the shares add up to {total:g}.", key=f"{key}.split", hint=hint)
