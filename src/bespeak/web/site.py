"""One open project as HTTP sees it: its engine, and the keys and tokens of the active configuration."""

from __future__ import annotations

from bespeak.engine.engine import Engine
from bespeak.engine.vault import Vault
from bespeak.web.access import AccessKeys
from bespeak.web.tokens import PersonTokens


class Site:
    """Holds the engine; keys and tokens follow the active configuration."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._version = -1
        self._load()

    def _load(self) -> None:
        core = self.engine.core
        self._version = core.runtime.config_version
        self._keys = AccessKeys(core.config.settings)
        self._tokens = PersonTokens(core.config.settings.tokens.public_key)

    def _current(self) -> None:
        if self.engine.core.runtime.config_version != self._version:
            self._load()

    @property
    def keys(self) -> AccessKeys:
        """Returns what keys may do now."""
        self._current()
        return self._keys

    @property
    def tokens(self) -> PersonTokens:
        """Returns the check of person tokens."""
        self._current()
        return self._tokens

    def secret(self, name: str) -> bytes:
        """Returns 32 random bytes: the same ones for a name in every process of the project."""
        return Vault(self.engine.core).secret(name)

    def now_ms(self) -> int:
        """Returns the clock's time."""
        return self.engine.core.clock.now_ms()
