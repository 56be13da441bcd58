"""Secrets and one-time marks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.vault import Vault
from bespeak.web.tokens import make_token_key


@pytest.fixture
def vault(tmp_path):
    create(tmp_path / "my", token_key=make_token_key())
    with Engine.open(tmp_path / "my") as engine:
        yield Vault(engine.core)


def test_a_secret_stays_the_same_and_differs_by_name(vault):
    assert vault.secret("a") == vault.secret("a") != vault.secret("b")
    assert len(vault.secret("a")) == 32


def test_of_many_who_take_a_value_one_gets_it(vault):
    vault.keep("once", "token", b"x")
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: vault.redeem("once", "token"), range(8)))
    assert sorted(value or b"" for value in taken) == [b""] * 7 + [b"x"]


def test_a_wrong_token_takes_nothing_away(vault):
    vault.keep("once", "token", b"x")
    assert vault.redeem("once", "other") is None
    assert vault.redeem("other", "token") is None
    assert vault.redeem("once", "token") == b"x"
