"""What the settings of placements must not say, judged where a configuration is made active.

A number that is none, or a name that stands for nothing, is a slip of whoever writes the file: `apply` refuses it. A
configuration that is active already, because a release before took it in, goes on; `doctor` names what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bespeak.decide.settings.checks import check_finite, check_signals
from bespeak.decide.settings.placements import Placement
from bespeak.engine.config import FILE_NAME, Configuration
from bespeak.engine.trials import arms_with_items
from bespeak.engine.trying.policies import shadows_of
from bespeak.errors import ConfigError, UnknownName


def check_values(config: Configuration) -> None:
    """Returns when every number is finite and every signal, signal class and facet that placements name exists.

    Raises:
        ConfigError: with file, key, and what is allowed.
    """
    try:
        for name, placement in config.placements.items():
            _check(config, placement, f"placements.{name}")
        for shadow in shadows_of(config):
            if isinstance(shadow, Placement):
                _check(config, shadow, f"placements.{shadow.name}.shadow")
        for name, arm in arms_with_items(config.trials).items():
            _check(config, arm, f"placements.{name}")
        for name, variants in config.variants.items():
            check_finite(msgspec.to_builtins(variants.settings), f"placements.{name}")
    except ConfigError as error:
        message = error.message.removeprefix(f"{error.key}: ")
        raise ConfigError(message, file=FILE_NAME, key=error.key, hint=error.hint) from None


def _check(config: Configuration, placement: Placement, key: str) -> None:
    check_finite(msgspec.to_builtins(placement), key)
    check_signals(placement.weights, f"{key}.weights")
    check_signals(placement.signs, f"{key}.signs")
    for setting in ("hide_seen", "about_classes"):
        _check_known("signal class", getattr(placement, setting), sorted(config.signals.classes), f"{key}.{setting}")
    _check_known("facet", placement.facets, config.settings.profiles.facets, f"{key}.facets")


def _check_known(what: str, names: Sequence[str], known: Sequence[str], key: str) -> None:
    for name in names:
        if name not in known:
            error = UnknownName(what, name, known, limit=60)
            raise ConfigError(error.message, key=key, hint=error.hint)
