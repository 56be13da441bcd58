"""Words and files -> the policy that a replay evaluates."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from bespeak.decide.settings.placements import Placement, placements_from
from bespeak.decide.variants.settings import VariantPlacement, variants_from
from bespeak.engine.config import Configuration, parse_config, read_file
from bespeak.engine.core import Core
from bespeak.engine.trying.policies import Versions
from bespeak.errors import ConfigError, InvalidInput, UnknownName

POPULAR = "popular"
LEARNED = "learned"
ALWAYS = "always:"
DEFAULT_PLACEMENT = "home"
_EXPLORING = ("temperature", "explore_new_days", "record_features")
_VERSION = re.compile(r"(?P<placement>[^@]+)@(?P<version>\d+)")


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy to evaluate.

    Attributes:
        name: as it was asked for.
        settings: of the placement.
        is_personal: whether it may use what is known of people.
        always: the variant, action or creative that it always takes; "" for none.
        is_greedy: it takes what is learned to be best, and tries nothing.
        of_creatives: it chooses the creatives of items, not the items.
    """

    name: str
    settings: Placement | VariantPlacement
    is_personal: bool = True
    always: str = ""
    is_greedy: bool = False
    of_creatives: bool = False

    @property
    def placement(self) -> Placement:
        """The settings of one that makes lists."""
        assert isinstance(self.settings, Placement)
        return self.settings

    @property
    def is_of_slates(self) -> bool:
        """Whether it makes lists of items; else single choices."""
        return isinstance(self.settings, Placement) and self.settings.actions is None and not self.of_creatives


def policy_of(core: Core, text: str, placement: str = "", *, of_creatives: bool = False) -> tuple[Policy, str]:
    """Returns the policy that a word or a file names, and the placement whose log it is evaluated on.

    Args:
        core: the open project.
        text: `popular`, the best slate without knowing anybody; `learned`, what is learned to earn most, without trying
            anything; `always:ID`, one variant, action or creative; a placement, as it stands in `bespeak.toml` now;
            PLACEMENT@VERSION, as it once was; or a TOML file with a `[placements.NAME]`, whose settings go on top of
            those in `bespeak.toml`.
        placement: whose log; else the one that the policy names, `home` for the first three.
        of_creatives: whether creatives of items are chosen, not items.

    Raises:
        UnknownName: no policy or placement of this name.
        ConfigError: the file cannot be read, or a setting is wrong.
        InvalidInput: the placement has no such kind of policy.
    """
    config = parse_config(read_file(core.folder.config_path))
    version = _VERSION.fullmatch(text)
    if text.endswith(".toml"):
        policy = _from_file(Path(text), config, placement)
    elif text in (POPULAR, LEARNED) or text.startswith(ALWAYS):
        policy = _by_word(text, _settings(config, placement or DEFAULT_PLACEMENT), of_creatives=of_creatives)
    elif version is not None:
        policy = _of_version(core, version["placement"], int(version["version"]))
    else:
        known = _known(config)
        if text not in known:
            words = [POPULAR, LEARNED, f"{ALWAYS}ID", "FILE.toml", "PLACEMENT@VERSION"]
            raise UnknownName("policy", text, [*words, *sorted(known)])
        policy = Policy(text, known[text])
    name = placement or policy.settings.name or text
    own = _settings(config, name)
    if _kind(own) != _kind(policy.settings):
        raise InvalidInput(f"'{policy.name}' shows {_kind(policy.settings)}, and '{name}' {_kind(own)}.")
    if of_creatives:
        if not isinstance(own, Placement) or own.actions is not None:
            raise InvalidInput(f"'{name}' shows {_kind(own)}: they have no creatives.", hint="Leave --creatives out.")
        policy = replace(policy, of_creatives=True)
    return policy, name


def _by_word(text: str, settings: Placement | VariantPlacement, *, of_creatives: bool) -> Policy:
    """`popular`, `learned` or `always:ID` at a placement."""
    is_slate = isinstance(settings, Placement) and settings.actions is None and not of_creatives
    if text == POPULAR:
        if not is_slate:
            raise InvalidInput(
                f"'{settings.name}' shows {_kind(settings)}: none is popular.", hint="Say always:ID, or learned."
            )
        assert isinstance(settings, Placement)
        bare = {"explore": 0.0, "temperature": 0.0, "explore_new_days": None, "record_features": None}
        return Policy(text, msgspec.structs.replace(settings, **bare), is_personal=False)
    if is_slate:
        raise InvalidInput(
            f"'{settings.name}' shows lists of items: '{text}' is for one thing out of a few.",
            hint="Give popular, a placement, PLACEMENT@VERSION or FILE.toml; or --creatives.",
        )
    arm = text.removeprefix(ALWAYS) if text.startswith(ALWAYS) else ""
    if text == ALWAYS:
        raise InvalidInput("'always:' names nothing.", hint="Say always:ID, without a space.")
    if arm and isinstance(settings, VariantPlacement) and arm not in settings.arms:
        raise UnknownName("variant", arm, settings.arms)
    return Policy(text, settings, always=arm, is_greedy=text == LEARNED)


def _of_version(core: Core, placement: str, version: int) -> Policy:
    with core.store.read() as session:
        held = Versions.read(session)
    if placement not in held.stored:
        raise UnknownName("placement", placement, sorted(held.stored))
    known = [str(stored.version) for stored in held.stored[placement]]
    if str(version) not in known:
        raise UnknownName(f"version of {placement}", str(version), known)
    settings = held.settings(placement, version, core.config.names)
    if settings is None:
        raise InvalidInput(f"The settings of {placement}@{version} cannot be used again.")
    return Policy(f"{placement}@{version}", settings)


def _kind(settings: Placement | VariantPlacement) -> str:
    if isinstance(settings, VariantPlacement):
        return "variants"
    return "items" if settings.actions is None else "actions"


def _settings(config: Configuration, name: str) -> Placement | VariantPlacement:
    known = _known(config)
    if name not in known:
        raise UnknownName("placement", name, sorted(known))
    return known[name]


def _known(config: Configuration) -> dict[str, Placement | VariantPlacement]:
    return {**config.placements, **config.variants}


def _from_file(path: Path, config: Configuration, placement: str) -> Policy:
    if not path.is_file():
        raise InvalidInput(f"There is no file {path.name}.", hint="It holds [placements.NAME] and what is to be other.")
    try:
        data = tomllib.loads(read_file(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}.", file=path.name) from None
    sections = data.get("placements")
    if not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values()):
        raise ConfigError("holds no placement.", file=path.name, hint="Begin it with [placements.home].")
    name = placement if placement in sections else next(iter(sections), "")
    if not name or (len(sections) > 1 and name != placement):
        raise InvalidInput(f"{path.name} holds several placements.", hint="Say which with --placement.")
    held = dict(config.settings.placements.get(name, {}))
    if sections[name].get("explore") == 0:  # then what goes with exploring falls too
        held = {setting: value for setting, value in held.items() if setting not in _EXPLORING}
    try:
        return Policy(path.name, _compiled(name, {**held, **sections[name]}, config))
    except ConfigError as error:
        message = error.message.removeprefix(f"{error.key}: ")
        raise ConfigError(message, file=path.name, key=error.key, hint=error.hint) from None


def _compiled(name: str, section: Mapping[str, Any], config: Configuration) -> Placement | VariantPlacement:
    if section.get("kind") in ("variant", "message"):
        return variants_from({name: section}, config.names)[name]
    own = {key: value for key, value in section.items() if key != "kind"}
    return placements_from({name: own}, config.settings.project.market)[name]
