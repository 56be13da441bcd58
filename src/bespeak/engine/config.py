"""Reading, checking and writing `bespeak.toml`.

The active configuration is a versioned row in the store; the file is a proposal. A bad file is refused with file, key,
value and what is allowed; nothing half-applies.
"""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from bespeak.decide.scoring.crosses import CIRCUMSTANCES, DECLARED, PREDICTION, read_cross
from bespeak.decide.settings.pages import Page, pages_from
from bespeak.decide.settings.placements import BUILT_IN, Placement, placements_from
from bespeak.decide.trial import Trial
from bespeak.decide.variants.settings import VariantPlacement, variants_from
from bespeak.decide.variants.when import Names, read_line
from bespeak.engine.filters import check_filters
from bespeak.engine.settings import Section, Settings
from bespeak.engine.trials import arms_with_items, compile_trials
from bespeak.errors import BespeakError, ConfigError, UnknownName, in_words
from bespeak.measure.metrics import Metric, metrics_from
from bespeak.privacy.consent import ConsentRules
from bespeak.privacy.pseudonyms import key_digest
from bespeak.segments.definitions import Segment, compile_segments
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.purposes import Purposes

FILE_NAME = "bespeak.toml"
_PATH = re.compile(r" - at `\$?\.?([^`]*)`")
_TWICE = re.compile(r"Cannot declare \((.*)\) twice \(at line (\d+)")
_KEY = re.compile(r"unknown field `([^`]*)`")
_PREDICTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SECRET = (["sha256"], ["key_sha256"])
ED25519_BYTES = 32


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """A checked configuration: the settings and what they were compiled to."""

    text: str
    settings: Settings
    purposes: Purposes
    signals: SignalCatalogue
    consent: ConsentRules
    placements: dict[str, Placement]
    pages: dict[str, Page]
    variants: dict[str, VariantPlacement]
    segments: tuple[Segment, ...]
    names: Names
    metrics: dict[str, Metric]
    trials: dict[str, Trial]

    def digest(self) -> str:
        """Returns a hash of the text, which tells whether the file differs from what is active."""
        return digest(self.text)


def digest(text: str) -> str:
    """Returns the SHA-256 of a configuration text, line ends normalised."""
    return sha256(text.replace("\r\n", "\n").strip().encode()).hexdigest()


def read_file(path: Path) -> str:
    """Returns the text of a configuration file.

    Raises:
        ConfigError: there is no such file, or it is not UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except FileNotFoundError:
        raise ConfigError(
            "there is no such file.", file=path.name, hint="Make a project with: bespeak init DIR"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"is not UTF-8 text (byte {error.start}).", file=path.name, hint="Save it as UTF-8."
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}.", file=path.name) from None


def parse_config(text: str, file: str = FILE_NAME) -> Configuration:
    """Checks a configuration text completely.

    Raises:
        ConfigError: with file, key, value, and what is allowed.
    """
    settings = _settings(text, file)
    try:
        purposes = Purposes(settings.consent.purposes)
        _check_keys(settings)
        for name, source in settings.sources.items():
            _check_source(name, source.kind, source.key, source.key_sha256)
            for purpose in source.consent:
                _known_purpose(purposes, purpose, f"sources.{name}.consent")
        defaults = {name: source.consent for name, source in settings.sources.items()}
        signals = SignalCatalogue.built_in().with_overrides(settings.signals)
        _check_predictions(settings, signals)
        of_items, of_variants = _by_kind(settings.placements)
        placements = placements_from(of_items, settings.project.market)
        check_filters(placements)
        pages = pages_from(settings.pages, placements)
        segments = compile_segments(
            settings.segments,
            classes=signals.classes,
            purposes=purposes.all,
            facets=settings.profiles.facets,
            predictions=settings.predictions,
        )
        names = Names(
            classes=signals.classes,
            signals=signals.specs,
            purposes=purposes.all,
            facets=settings.profiles.facets,
            segments=segments,
            declared=settings.context.declared,
            predictions=settings.predictions,
        )
        _check_learning(placements, signals, _named(settings))
        _check_creatives(placements, names)
        variants = variants_from(of_variants, names)
        metrics = metrics_from(settings.metrics)
        trials = compile_trials(settings.experiments, {**placements, **variants}, metrics, names)
        check_filters(arms_with_items(trials))
        return Configuration(
            text=text,
            settings=settings,
            purposes=purposes,
            signals=signals,
            consent=ConsentRules(purposes, settings.consent.categories, defaults),
            placements=placements,
            variants=variants,
            pages=pages,
            segments=segments,
            names=names,
            metrics=metrics,
            trials=trials,
        )
    except ConfigError as error:
        if error.file:
            raise
        message = error.message.removeprefix(f"{error.key}: ")
        raise ConfigError(message, file=file, key=error.key, hint=error.hint) from None
    except BespeakError as error:
        raise ConfigError(error.message, file=file, hint=error.hint) from None


def _settings(text: str, file: str) -> Settings:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(error, file) from None
    try:
        return msgspec.convert(data, Settings, strict=True)
    except msgspec.ValidationError as error:
        raise _explain(str(error), data, file) from None


def _check_predictions(settings: Settings, signals: SignalCatalogue) -> None:
    for name, asked in settings.predictions.items():
        if not _PREDICTION_NAME.fullmatch(name):
            raise ConfigError(
                "is no name.", key=f"predictions.{name}", hint="Lower-case letters, digits and _, a letter first."
            )
        if asked.of and asked.kind not in ("churn", "propensity"):
            what = "orders are meant" if asked.kind == "lifetime_value" else "the subscription is meant"
            raise ConfigError(f"{what}.", key=f"predictions.{name}.of", hint="Leave it out.")
        if asked.of and asked.of not in signals.classes:
            known = UnknownName("signal class", asked.of, sorted(signals.classes), limit=40)
            raise ConfigError(known.message, key=f"predictions.{name}.of", hint=known.hint)


def _by_kind(sections: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the sections of placements with items, and of those with variants."""
    of_items: dict[str, Any] = {}
    of_variants: dict[str, Any] = {}
    for name, section in sections.items():
        kind = section.get("kind", "items")
        if kind in ("variant", "message"):
            if name in BUILT_IN:
                raise ConfigError("is built in and shows items.", key=f"placements.{name}", hint="Take another name.")
            of_variants[name] = section
        elif kind == "items":
            of_items[name] = {key: value for key, value in section.items() if key != "kind"}
        else:
            raise ConfigError(
                f"there is no kind {kind!r}.", key=f"placements.{name}.kind", hint="Allowed: items, variant, message."
            )
    return of_items, of_variants


def _not_toml(error: tomllib.TOMLDecodeError, file: str) -> ConfigError:
    twice = _TWICE.search(str(error))
    if twice is None:
        return ConfigError(f"is not valid TOML: {error}.", file=file)
    section = ".".join(re.findall(r"'([^']*)'", twice[1]))
    return ConfigError(
        f"the section [{section}] stands a second time in line {twice[2]}.",
        file=file,
        hint="Write its settings under the first one; a line there that starts with # is not set yet.",
    )


def _explain(message: str, data: dict[str, Any], file: str) -> ConfigError:
    """Turns a validation message into key, value and what is allowed."""
    at = _PATH.search(message)
    place = _located(at.group(1) if at else "", data)
    unknown = _KEY.search(message)
    if unknown:
        allowed = place.kind.__struct_encode_fields__ if _is_section(place.kind) else ()
        key = ".".join([*place.steps, unknown.group(1)])
        hint = UnknownName("setting", unknown.group(1), allowed, limit=len(allowed)).hint
        return ConfigError(
            "there is no such setting.", file=file, key=key, hint=hint.replace("Known:", "Allowed here:")
        )
    plain = in_words(_PATH.sub("", message))
    is_shown = (
        isinstance(place.value, str | int | float | bool)
        and place.steps[-1:] not in _SECRET
        and plain != f"cannot be {place.value!r}"
    )
    shown = f" (it is {place.value!r})" if is_shown else ""
    words = get_args(place.kind) if get_origin(place.kind) is Literal else ()
    hint = f"Allowed: {', '.join(map(str, words))}." if words else _meaning(place)
    return ConfigError(f"{plain[:1].lower()}{plain[1:]}{shown}.", file=file, key=".".join(place.steps), hint=hint)


def _meaning(place: _Place) -> str:
    """What a setting is, as the reference says it; "" where it says nothing."""
    section: Any = Settings
    for step in place.steps[:-1]:
        kind = get_type_hints(section).get(step) if _is_section(section) else None
        section = get_args(kind)[-1] if kind is not None and get_args(kind) else kind
    declared = get_type_hints(section, include_extras=True).get(place.steps[-1]) if _is_section(section) else None
    said = next((part.description for part in get_args(declared) if isinstance(part, msgspec.Meta)), None)
    return f"It is: {said}." if said else ""


class _Place(msgspec.Struct, frozen=True):
    """A place in the file: the names that lead there, the type it must have, and what stands there."""

    steps: list[str]
    kind: Any
    value: Any


def _located(path: str, data: Any) -> _Place:
    """Follows a validator's path; where it says only "some entry", to the first entry that is refused."""
    kind: Any = Settings
    steps: list[str] = []
    for step in (s for s in path.replace("[...]", ".*").replace("[", ".").replace("]", "").split(".") if s):
        if _is_section(kind):
            kind, data = get_type_hints(kind).get(step), data.get(step)
            steps.append(step)
        else:
            of = get_args(kind)[-1] if get_args(kind) else Any
            entries = data.items() if isinstance(data, dict) else enumerate(data)
            wanted = [(str(name), entry) for name, entry in entries if step in ("*", str(name))]
            name, data = next((found for found in wanted if _is_refused(found[1], of)), (step, None))
            kind = of
            steps.append(name)
    return _Place(steps, kind, data)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _is_refused(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return True
    return False


def _check_keys(settings: Settings) -> None:
    """A key says who is calling, so it stands once; a token key that cannot be read would refuse every person."""
    seen: dict[str, str] = {}
    given = [(f"sources.{name}.key", key_digest(s.key)) for name, s in settings.sources.items() if s.key]
    given += [(f"sources.{name}.key_sha256", s.key_sha256) for name, s in settings.sources.items() if s.key_sha256]
    given += [(f"keys.{name}.sha256", key.sha256) for name, key in settings.keys.items()]
    for place, hashed in given:
        if hashed in seen:
            raise ConfigError(f"is the same key as {seen[hashed]}.", key=place, hint="Give each its own key.")
        seen[hashed] = place
    try:
        is_key = len(base64.b64decode(settings.tokens.public_key, validate=True)) in (0, ED25519_BYTES)
    except ValueError:
        is_key = False
    if not is_key:
        raise ConfigError(
            f"is not an Ed25519 public key in base64 ({ED25519_BYTES} bytes).",
            key="tokens.public_key",
            hint="`bespeak init` makes one; leave it empty to refuse every token.",
        )


def _check_source(name: str, kind: str, key: str, key_sha256: str) -> None:
    if kind == "browser" and not key:
        raise ConfigError("a browser source needs its public write key.", key=f"sources.{name}.key")
    if kind == "server" and not key_sha256:
        raise ConfigError("a server source needs the SHA-256 of its key.", key=f"sources.{name}.key_sha256")
    if kind == "server" and key:
        raise ConfigError(
            "a server source's key must not stand in the file.",
            key=f"sources.{name}.key",
            hint="Put its SHA-256 into key_sha256 instead.",
        )


def _named(settings: Settings) -> frozenset[str]:
    """The circumstances that the file names itself."""
    declared = (f"{DECLARED}{key}" for key in settings.context.declared)
    return frozenset((*declared, *(f"{PREDICTION}{name}" for name in settings.predictions)))


def _check_learning(placements: Mapping[str, Placement], signals: SignalCatalogue, named: Collection[str]) -> None:
    """Objectives name signal classes, crosses known circumstances."""
    for name, placement in placements.items():
        for outcome in placement.objective:
            if outcome not in signals.classes:
                error = UnknownName("signal class", outcome, sorted(signals.classes), limit=60)
                raise ConfigError(error.message, key=f"placements.{name}.objective", hint=error.hint)
        for text in placement.crosses:
            cross = read_cross(text)
            if cross is None or (cross.when.startswith((DECLARED, PREDICTION)) and cross.when not in named):
                raise ConfigError(
                    f"{text!r} is no cross of a known circumstance.",
                    key=f"placements.{name}.crosses",
                    hint=f"Write WHEN * WHAT. WHEN: {', '.join(CIRCUMSTANCES)}, trait.NAME, declared.KEY of a key "
                    "under [context] declared, or prediction.NAME of one under [predictions].",
                )


def _check_creatives(placements: Mapping[str, Placement], names: Names) -> None:
    for name, placement in placements.items():
        key = f"placements.{name}.creatives"
        for place, text in enumerate(placement.creatives.when):
            read_line(text, names, f"{key}.when[{place}]")
        for outcome in placement.actions.success if placement.actions is not None else ():
            if outcome not in names.classes:
                error = UnknownName("signal class", outcome, sorted(names.classes), limit=60)
                raise ConfigError(error.message, key=f"placements.{name}.actions.success", hint=error.hint)
        for outcome in placement.creatives.reward:
            if outcome not in names.classes:
                error = UnknownName("signal class", outcome, sorted(names.classes), limit=60)
                raise ConfigError(error.message, key=f"{key}.reward", hint=error.hint)


def _known_purpose(purposes: Purposes, purpose: str, key: str) -> None:
    if purpose not in purposes.all:
        raise ConfigError(
            f"'{purpose}' is not a purpose.", key=key, hint=f"Allowed: {', '.join(p for p in purposes.all)}."
        )
