"""Money: integer minor units and ISO 4217 exponents.

Source: ISO 4217:2015, list one, column "minor unit"; every currency that is not named here has two decimals.
"""

from __future__ import annotations

import math
from typing import Any

_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENTS = {currency: decimals for decimals, names in _BY_EXPONENT.items() for currency in names.split()}
_FACTORS: dict[str, float] = {currency: 10.0**decimals for currency, decimals in _EXPONENTS.items()}
MAX_MINOR = 2**53


def exponent(currency: str) -> int:
    """Returns how many decimals the currency has.

    Example:
        >>> exponent("EUR"), exponent("JPY"), exponent("KWD"), exponent("")
        (2, 0, 3, 2)
    """
    return _EXPONENTS.get(currency, 2)


def number(value: Any) -> float | None:
    """Returns a finite number from a number or its decimal text, else None.

    Example:
        >>> number("9.90"), number(3), number("n/a"), number(True), number(float("inf"))
        (9.9, 3.0, None, None, None)
    """
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is str:
        try:
            found = float(value)
        except ValueError:
            return None
        return found if math.isfinite(found) else None
    if kind is int:
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def minor_units(amount: float, currency: str) -> int:
    """Returns an amount in major units as integer minor units, rounded to the nearest.

    An amount beyond 2**53 minor units cannot be kept exactly and is cut there.

    Example:
        >>> minor_units(19.99, "EUR"), minor_units(500, "JPY"), minor_units(1.2345, "KWD")
        (1999, 500, 1234)
    """
    scaled = amount * _FACTORS.get(currency, 100.0)
    if not -MAX_MINOR < scaled < MAX_MINOR:
        return MAX_MINOR if scaled > 0 else -MAX_MINOR
    return round(scaled)


def share_out(total: int, parts: list[int]) -> list[int]:
    """Splits `total` in proportion to `parts` so that the shares add up to it exactly (largest remainder).

    Parts that are all zero share equally.

    Example:
        >>> share_out(100, [1, 1, 1]), share_out(90, [60, 40])
        ([34, 33, 33], [54, 36])
    """
    whole = sum(parts)
    if whole == 0:
        parts = [1] * len(parts)
        whole = len(parts)
    shares = [total * part // whole for part in parts]
    rest = total - sum(shares)
    by_remainder = sorted(range(len(parts)), key=lambda i: (-(total * parts[i] % whole), i))
    for i in by_remainder[:rest]:
        shares[i] += 1
    return shares
