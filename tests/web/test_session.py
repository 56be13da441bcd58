"""The console's log-in, without HTTP."""

from __future__ import annotations

import base64

import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.settings import Settings
from bespeak.engine.vault import Vault
from bespeak.errors import NotAllowed
from bespeak.web.session import ONCE_MINUTES, SESSION_HOURS, ConsoleLogin
from bespeak.web.tokens import make_token_key

MINUTE_MS = 60_000
START_MS = 1_750_000_000_000


@pytest.fixture
def desk(tmp_path):
    """(vault, settings, clock, secret key) of an open project."""
    keys = create(tmp_path / "my", token_key=make_token_key())
    clock = VirtualClock(START_MS)
    with Engine.open(tmp_path / "my", clock=clock) as engine:
        yield Vault(engine.core), engine.core.config.settings, clock, keys.secret_key


def login_of(desk, settings: Settings | None = None) -> ConsoleLogin:
    vault, own, clock, _ = desk
    return ConsoleLogin(vault, lambda: settings or own, clock)


def test_a_session_lasts_its_hours_and_no_longer(desk):
    login, clock = login_of(desk), desk[2]
    cookie = login.sign_in(desk[3])
    clock.advance(SESSION_HOURS * 60 * MINUTE_MS)
    assert login.session(cookie).key_name == "admin"
    clock.advance(1)
    with pytest.raises(NotAllowed, match="has ended"):
        login.session(cookie)


def test_every_process_of_a_project_knows_its_sessions(desk):
    assert login_of(desk).session(login_of(desk).sign_in(desk[3])).key_name == "admin"


def test_a_key_that_is_taken_away_ends_its_sessions(desk):
    cookie = login_of(desk).sign_in(desk[3])
    with pytest.raises(NotAllowed):
        login_of(desk, Settings()).session(cookie)


@pytest.mark.parametrize(
    "forged",
    [
        lambda cookie: "",
        lambda cookie: "no dot",
        lambda cookie: cookie[:-1] + ("0" if cookie[-1] != "0" else "1"),
        lambda cookie: cookie.partition(".")[0] + ".",
        lambda cookie: cookie.partition(".")[0] + ".é",
        lambda cookie: base64.urlsafe_b64encode(b'["admin",9999999999999,"x"]').decode()
        + "." + cookie.partition(".")[2],
    ],
)  # fmt: skip
def test_a_forged_cookie_signs_nobody_in(desk, forged):
    login = login_of(desk)
    with pytest.raises(NotAllowed):
        login.session(forged(login.sign_in(desk[3])))


def test_two_sessions_have_forms_of_their_own(desk):
    login = login_of(desk)
    one, other = (login.session(login.sign_in(desk[3])) for _ in range(2))
    login.check_form(one, one.csrf)
    with pytest.raises(NotAllowed):
        login.check_form(one, other.csrf)


def test_a_link_works_once_and_only_for_a_while(desk):
    login, clock = login_of(desk), desk[2]
    void, used = login.make_once(), login.make_once()
    with pytest.raises(NotAllowed):
        login.redeem_once(void)
    login.redeem_once(used)
    with pytest.raises(NotAllowed):
        login.redeem_once(used)
    late = login.make_once()
    clock.advance(ONCE_MINUTES * MINUTE_MS + 1)
    with pytest.raises(NotAllowed):
        login.redeem_once(late)


def test_a_project_without_a_secret_key_gives_out_no_link(desk):
    with pytest.raises(NotAllowed, match="no secret key"):
        login_of(desk, Settings()).make_once()
