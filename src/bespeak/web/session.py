"""The console's log-in: a secret key for a signed cookie, and a token that every form repeats.

The cookie holds the name of the key, an expiry and a random number, signed with a secret of the project and with the
digest of the key itself: a key that is taken out of the configuration ends its sessions at once. The browser never sees
the key again. Forms carry a token derived from the random number, which no other site can read (CSRF).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable, Mapping
from hashlib import sha256

import msgspec

from bespeak.engine.clock import Clock
from bespeak.engine.settings import Settings
from bespeak.engine.vault import Vault
from bespeak.errors import NotAllowed
from bespeak.web.access import AccessKeys

COOKIE = "bespeak_console"
SESSION_HOURS = 12
ONCE_MINUTES = 30
_SECRET = "console"  # noqa: S105 - the name of a secret
_ONCE = "console.once"
_CROSS_SITE = ("cross-site", "same-site")


class ConsoleSession(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is signed in.

    Attributes:
        key_name: name of the secret key they signed in with.
        expires_ms: when they have to sign in again.
        csrf: what their forms must carry.
    """

    key_name: str
    expires_ms: int
    csrf: str


class _Ticket(msgspec.Struct, frozen=True, array_like=True):
    key_name: str
    expires_ms: int
    nonce: str


class ConsoleLogin:
    """Signs people in to the console.

    Args:
        vault: where the signing secret and one-time links are kept, shared by every process of the project.
        settings: returns the active settings: its `keys` are who may sign in.
        clock: tells when a session ends.
    """

    def __init__(self, vault: Vault, settings: Callable[[], Settings], clock: Clock) -> None:
        self._vault = vault
        self._settings = settings
        self._clock = clock
        self._secret = vault.secret(_SECRET)

    def sign_in(self, key: str) -> str:
        """Returns the cookie for a secret key.

        Raises:
            NotAllowed: it is no secret key of this project.
        """
        access = AccessKeys(self._settings()).of(key.strip())
        if access.kind != "secret":
            raise NotAllowed(
                "This key is of a source and opens no console.", hint="Use the secret key that `bespeak init` printed."
            )
        self._vault.note(access.name, "console.sign_in")
        return self._cookie(access.name)

    def make_once(self) -> str:
        """Returns a token that signs in once, within `ONCE_MINUTES`, under the project's first secret key.

        The token before it is void from then on.

        Raises:
            NotAllowed: the project has no secret key.
        """
        name = next(iter(self._settings().keys), None)
        if name is None:
            raise NotAllowed("The project has no secret key.", hint="Add one under [keys] in bespeak.toml.")
        token = secrets.token_urlsafe(24)
        expires_ms = self._clock.now_ms() + ONCE_MINUTES * 60_000
        self._vault.keep(_ONCE, token, msgspec.json.encode(_Ticket(name, expires_ms, "")))
        return token

    def redeem_once(self, token: str) -> str:
        """Returns the cookie for a one-time token, which is used up by it.

        Raises:
            NotAllowed: it was never given out, was used, or is too old.
        """
        held = self._vault.redeem(_ONCE, token)
        ticket = msgspec.json.decode(held, type=_Ticket) if held is not None else None
        if ticket is None or ticket.expires_ms < self._clock.now_ms() or ticket.key_name not in self._settings().keys:
            raise NotAllowed("This sign-in link was used already or is too old.", hint="Sign in with a secret key.")
        self._vault.note(ticket.key_name, "console.sign_in", "one-time link")
        return self._cookie(ticket.key_name)

    def session(self, cookie: str) -> ConsoleSession:
        """Returns who a cookie signs in.

        Raises:
            NotAllowed: it is missing, forged, too old, or its key is gone.
        """
        body, _, signature = cookie.partition(".")
        try:
            ticket = msgspec.json.decode(base64.urlsafe_b64decode(body), type=_Ticket)
        except (msgspec.DecodeError, binascii.Error, ValueError):
            ticket = None
        if ticket is None or not hmac.compare_digest(
            signature.encode(), self._signature(ticket.key_name, body).encode()
        ):
            raise NotAllowed("You are not signed in.", hint="Sign in with a secret key.")
        if ticket.expires_ms < self._clock.now_ms():
            raise NotAllowed("Your session has ended.", hint="Sign in again.")
        csrf = hmac.new(self._secret, b"csrf" + ticket.nonce.encode(), sha256).hexdigest()
        return ConsoleSession(key_name=ticket.key_name, expires_ms=ticket.expires_ms, csrf=csrf)

    @staticmethod
    def check_form(session: ConsoleSession, token: str) -> None:
        """Raises `NotAllowed` for a form that does not come from the session's own pages."""
        if not hmac.compare_digest(session.csrf.encode(), token.encode()):
            raise NotAllowed("This form is not from your session.", hint="Reload the page and try again.")

    def _cookie(self, key_name: str) -> str:
        expires_ms = self._clock.now_ms() + SESSION_HOURS * 3_600_000
        ticket = _Ticket(key_name, expires_ms, secrets.token_hex(16))
        body = base64.urlsafe_b64encode(msgspec.json.encode(ticket)).decode()
        return f"{body}.{self._signature(key_name, body)}"

    def _signature(self, key_name: str, body: str) -> str:
        key = self._settings().keys.get(key_name)
        if key is None:
            return secrets.token_hex(32)  # nothing matches: a key that is gone signs nobody in
        return hmac.new(self._secret + key.sha256.encode(), body.encode(), sha256).hexdigest()


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Tells whether a browser says that another site sent the request.

    Example:
        >>> is_foreign({"sec-fetch-site": "cross-site"}), is_foreign({"sec-fetch-site": "same-origin"}), is_foreign({})
        (True, False, False)
    """
    return headers.get("sec-fetch-site", "") in _CROSS_SITE
