"""The erasure ledger: what survives a crash, and what is refused."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bespeak.errors import StoreError
from bespeak.privacy.ledger import ErasureLedger
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey

U1, U2, DEVICE = IdKey(USER_ID, "u1"), IdKey(USER_ID, "u2"), IdKey(ANONYMOUS_ID, "u1")


def opened(root: Path) -> ErasureLedger:
    return ErasureLedger(root / "ledger", root / "keys")


def test_it_names_who_was_erased_by_kind_and_value_with_the_latest_time(tmp_path):
    ledger = opened(tmp_path)
    ledger.add([U1], 10)
    ledger.add([U1], 30)
    ledger.add([U1], 20)
    again = opened(tmp_path)
    assert again.erased_among([U1, U2, DEVICE], again.hashes()) == {U1: 30}


def test_no_id_stands_in_the_file(tmp_path):
    opened(tmp_path).add([IdKey(USER_ID, "margarete")], 10)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"margarete" in p.read_bytes()]


def test_a_torn_line_is_ignored_and_swallows_nothing_that_follows(tmp_path):
    ledger = opened(tmp_path)
    ledger.add([U1], 10)
    path = tmp_path / "ledger" / "erasures.ledger"
    path.write_bytes(path.read_bytes() + b"0123456789ab")
    assert ledger.erased_among([U1], ledger.hashes()) == {U1: 10}
    ledger.add([U2], 20)
    assert ledger.erased_among([U1, U2], ledger.hashes()) == {U1: 10, U2: 20}


def test_only_the_owner_reads_the_key(tmp_path):
    opened(tmp_path)
    assert stat.S_IMODE((tmp_path / "keys" / "ledger.key").stat().st_mode) == 0o600


def test_a_ledger_without_its_key_is_refused(tmp_path):
    opened(tmp_path).add([U1], 10)
    (tmp_path / "keys" / "ledger.key").unlink()
    with pytest.raises(StoreError, match=r"ledger\.key is missing"):
        opened(tmp_path)


def test_a_key_of_the_wrong_length_is_refused(tmp_path):
    opened(tmp_path)
    (tmp_path / "keys" / "ledger.key").write_bytes(b"short")
    with pytest.raises(StoreError, match="damaged"):
        opened(tmp_path)


def test_processes_that_start_together_agree_on_one_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        ledgers = list(pool.map(lambda _: opened(tmp_path), range(8)))
    ledgers[0].add([U1], 10)
    assert all(ledger.erased_among([U1], ledger.hashes()) == {U1: 10} for ledger in ledgers)
    assert [p.name for p in (tmp_path / "keys").iterdir()] == ["ledger.key"]
