"""Money in minor units."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bespeak.signals.money import MAX_MINOR, minor_units, number, share_out


def test_amounts_are_rounded_to_the_currencys_smallest_unit() -> None:
    assert [minor_units(19.99, "EUR"), minor_units(0.29, "USD"), minor_units(1234, "JPY")] == [1999, 29, 1234]
    assert minor_units(1.5, "KWD") == 1500


def test_an_absurd_amount_is_cut_and_never_an_error() -> None:
    assert [minor_units(1e300, "EUR"), minor_units(-1e300, "EUR")] == [MAX_MINOR, -MAX_MINOR]


def test_only_finite_numbers_count() -> None:
    assert [number(value) for value in ("1e999", "nan", 10**400, None, [], "12,5")] == [None] * 6


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_shares_add_up_exactly_and_are_near_their_proportion(total: int, parts: list[int]) -> None:
    shares = share_out(total, parts)
    assert sum(shares) == total
    whole = sum(parts)
    if whole:
        assert all(abs(share - total * part / whole) <= 1 + 1e-3 for share, part in zip(shares, parts, strict=True))
