"""Secrets and one-time marks of the program itself, kept in the store: every process of a project shares them."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

from bespeak.engine.core import Core
from bespeak.storage.tables import records

_PREFIX = "vault."


class Vault:
    """Named values that no person's data goes into."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def secret(self, name: str) -> bytes:
        """Returns 32 random bytes: the same ones for a name, made the first time."""
        with self._core.store.write() as tx:
            tx.lock_keys([f"setting:{_PREFIX}{name}"])
            held = records.setting(tx, _PREFIX + name)
            if held is None:
                held = secrets.token_bytes(32)
                records.put_setting(tx, _PREFIX + name, held)
        return held

    def keep(self, name: str, token: str, value: bytes) -> None:
        """Keeps a value for whoever brings the token; an older one of this name is void from then on."""
        with self._core.store.write() as tx:
            records.put_setting(tx, _PREFIX + name, _digest(token) + value)

    def redeem(self, name: str, token: str) -> bytes | None:
        """Returns the value kept for a token and forgets it: of several callers, exactly one gets it."""
        digest = _digest(token)
        with self._core.store.write() as tx:
            tx.lock_keys([f"setting:{_PREFIX}{name}"])
            held = records.setting(tx, _PREFIX + name)
            if held is None or not hmac.compare_digest(held[: len(digest)], digest):
                return None
            tx.run("DELETE FROM settings WHERE name = ?", (_PREFIX + name,))
        return held[len(digest) :]

    def note(self, actor: str, action: str, detail: str = "") -> None:
        """Appends to the audit log; `detail` names no person."""
        with self._core.store.write() as tx:
            records.add_audit(tx, self._core.clock.now_ms(), actor, action, detail)


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
