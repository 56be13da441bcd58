"""Reading, checking and writing `bespeak.toml`.

The active configuration is a versioned row in the store; the file is a proposal. A bad file is refused with file, key,
value and what is allowed; nothing half-applies.
"""

from __future__ import annotations

import re
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from bespeak.decide.placements import Placement, placements_from
from bespeak.engine.settings import Section, Settings
from bespeak.errors import BespeakError, ConfigError
from bespeak.privacy.consent import ConsentRules
from bespeak.segments.definitions import Segment, compile_segments
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.purposes import Purposes

FILE_NAME = "bespeak.toml"
_PATH = re.compile(r" - at `\$?\.?([^`]*)`")
_KEY = re.compile(r"unknown field `([^`]*)`")


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """A checked configuration: the settings and what they were compiled to."""

    text: str
    settings: Settings
    purposes: Purposes
    signals: SignalCatalogue
    consent: ConsentRules
    placements: dict[str, Placement]
    segments: tuple[Segment, ...]

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
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            "there is no such file.", file=path.name, hint="Make a project with: bespeak init DIR"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}.", file=path.name) from None


def parse_config(text: str, file: str = FILE_NAME) -> Configuration:
    """Checks a configuration text completely.

    Raises:
        ConfigError: with file, key, value, and what is allowed.
    """
    settings = _settings(text, file)
    try:
        purposes = Purposes(settings.consent.purposes)
        for name, source in settings.sources.items():
            _check_source(name, source.kind, source.key, source.key_sha256)
            for purpose in source.consent:
                _known_purpose(purposes, purpose, f"sources.{name}.consent")
        defaults = {name: source.consent for name, source in settings.sources.items()}
        signals = SignalCatalogue.built_in().with_overrides(settings.signals)
        return Configuration(
            text=text,
            settings=settings,
            purposes=purposes,
            signals=signals,
            consent=ConsentRules(purposes, settings.consent.categories, defaults),
            placements=placements_from(settings.placements),
            segments=compile_segments(
                settings.segments,
                classes=signals.classes,
                purposes=purposes.all,
                facets=settings.profiles.facets,
            ),
        )
    except ConfigError as error:
        if error.file:
            raise
        raise ConfigError(error.message, file=file, hint=error.hint) from None
    except BespeakError as error:
        raise ConfigError(error.message, file=file, hint=error.hint) from None


def _settings(text: str, file: str) -> Settings:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}.", file=file) from None
    try:
        return msgspec.convert(data, Settings, strict=True)
    except msgspec.ValidationError as error:
        raise _explain(str(error), data, file) from None


def _explain(message: str, data: dict[str, Any], file: str) -> ConfigError:
    """Turns a validation message into key, value and what is allowed."""
    at = _PATH.search(message)
    path = at.group(1) if at else ""
    plain = _PATH.sub("", message)
    unknown = _KEY.search(message)
    if unknown:
        section = _section_at(path)
        allowed = ", ".join(section.__struct_encode_fields__) if section else ""
        key = ".".join(p for p in (_concrete(path, data), unknown.group(1)) if p)
        return ConfigError("there is no such setting.", file=file, key=key, hint=f"Allowed here: {allowed}.")
    value = _value_at(path, data)
    shown = f" (it is {value!r})" if isinstance(value, str | int | float | bool) else ""
    return ConfigError(f"{plain[:1].lower()}{plain[1:]}{shown}.", file=file, key=_concrete(path, data))


def _steps(path: str) -> list[str]:
    return [step for step in path.replace("[...]", ".*").replace("[", ".").replace("]", "").split(".") if step]


def _concrete(path: str, data: dict[str, Any]) -> str:
    """Names the first entry where the validator only says "some entry"."""
    del data
    return path.replace("[...]", ".<name>")


def _value_at(path: str, data: Any) -> Any:
    for step in _steps(path):
        if isinstance(data, dict) and step in data:
            data = data[step]
        elif isinstance(data, list) and step.isdigit() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


def _section_at(path: str) -> type[Section] | None:
    kind: Any = Settings
    for step in _steps(path):
        if step == "*":
            kind = _plain(get_args(kind)[1]) if get_origin(kind) is dict else None
        elif isinstance(kind, type) and issubclass(kind, Section):
            kind = _plain(get_type_hints(kind)[step]) if step in kind.__struct_fields__ else None
        else:
            return None
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _plain(kind: Any) -> Any:
    return kind


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


def _known_purpose(purposes: Purposes, purpose: str, key: str) -> None:
    if purpose not in purposes.all:
        raise ConfigError(
            f"'{purpose}' is not a purpose.", key=key, hint=f"Allowed: {', '.join(p for p in purposes.all)}."
        )
