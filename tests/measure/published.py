"""Sums of published examples, and no code of theirs.

GrowthBook: packages/stats/tests/frequentist/test_tests.py (MIT). tea-tasting: the sums of `make_users_data(rng=42)` of
version 1.14, the example of its user guide (MIT). Cookie Cats: counts of the public A/B test of Tactile Entertainment.
Hillstrom: counts of the public e-mail test of 2008.
"""

from __future__ import annotations

from bespeak.measure.sums import Sums

REVENUE_A = Sums.from_totals(3407, [1396.87], [[52377.9767]])
REVENUE_A_SEQUENTIAL = Sums.from_totals(3000, [1396.87], [[52377.9767]])
REVENUE_B = Sums.from_totals(3461, [2422.7], [[134698.29]])


def rate(n: int, converted: int) -> Sums:
    return Sums.from_totals(n, [converted], [[converted]])


def with_covariate(n: int, y: float, yy: float, x: float, xx: float, xy: float) -> Sums:
    """Sums of a mean with a covariate: the denominator is 1 for each unit."""
    return Sums.from_totals(n, [y, n, x], [[yy, y, xy], [y, n, x], [xy, x, xx]])


GROWTHBOOK_CUPED = (
    with_covariate(3000, 1396.87, 52377.9767, 16.87, 527.9767, 1),
    with_covariate(3461, 2422.7, 134698.29, 22.7, 1348.29, 1),
)

GROWTHBOOK_RATIO_CUPED = (
    Sums.from_totals(
        100,
        [485.112236689623, 679.9093275844917, 192.59138069991536, 290.1398399750233],
        [
            [2715.484666118136, 3602.146836776702, 1113.6215759318352, 1559.2878434944676],
            [3602.146836776702, 4939.424001640236, 1460.3181079276983, 2130.9404074446747],
            [1113.6215759318352, 1460.3181079276983, 460.076026390857, 634.239482353647],
            [1559.2878434944676, 2130.9404074446747, 634.239482353647, 920.9461385038898],
        ],
    ),
    Sums.from_totals(
        100,
        [514.7757826608777, 705.4090874383759, 206.94157227402536, 302.54389139107326],
        [
            [2994.897482705013, 3918.1561431600717, 1237.0953021125997, 1701.0287270040265],
            [3918.1561431600717, 5291.36604146392, 1604.0759503266522, 2292.081739775257],
            [1237.0953021125997, 1604.0759503266522, 514.2903702246757, 698.4173425817908],
            [1701.0287270040265, 2292.081739775257, 698.4173425817908, 994.4506208125663],
        ],
    ),
)

_COLUMNS = ("orders", "sessions", "revenue", "orders_before", "sessions_before", "revenue_before")
_TEA = {
    "control": (
        2023,
        [1073.0, 4038.0, 10602.6, 1090.0, 4031.0, 10678.43],
        [
            [2073.0, 2648.0, 20072.84, 1691.0, 2692.0, 15935.28],
            [2648.0, 10098.0, 25951.34, 2715.0, 9932.0, 26133.11],
            [20072.84, 25951.34, 243736.4268, 16873.08, 26781.25, 193410.1949],
            [1691.0, 2715.0, 16873.08, 2720.0, 3701.0, 27023.46],
            [2692.0, 9932.0, 26781.25, 3701.0, 13779.0, 36858.7],
            [15935.28, 26133.11, 193410.1949, 27023.46, 36858.7, 405481.0443],
        ],
    ),
    "treatment": (
        1977,
        [1133.0, 3920.0, 11328.43, 1006.0, 3941.0, 9331.96],
        [
            [2121.0, 2730.0, 20982.39, 1551.0, 2721.0, 14061.75],
            [2730.0, 9698.0, 27030.29, 2407.0, 9738.0, 22648.43],
            [20982.39, 27030.29, 278029.8889, 14913.96, 26389.36, 172016.7183],
            [1551.0, 2407.0, 14913.96, 2380.0, 3324.0, 21130.28],
            [2721.0, 9738.0, 26389.36, 3324.0, 13579.0, 29792.5],
            [14061.75, 22648.43, 172016.7183, 21130.28, 29792.5, 284676.8592],
        ],
    ),
}


def tea_tasting(group: str, *columns: str | None) -> Sums:
    """Sums of some columns, in the order value, denominator, covariate, its denominator; None is constant 1."""
    n, sums, products = _TEA[group]
    places = [None if name is None else _COLUMNS.index(name) for name in columns]

    def total(place: int | None) -> float:
        return n if place is None else sums[place]

    def product(one: int | None, other: int | None) -> float:
        if one is None or other is None:
            return total(other if one is None else one)
        return products[one][other]

    return Sums.from_totals(n, [total(p) for p in places], [[product(p, q) for q in places] for p in places])


GATE_30, GATE_40 = 44_700, 45_489
RETENTION_1 = rate(GATE_30, 20_034), rate(GATE_40, 20_119)
RETENTION_7 = rate(GATE_30, 8_502), rate(GATE_40, 8_279)

ROUNDS = (
    Sums.from_totals(GATE_30, [2_344_795], [[3_068_811_771]]),
    Sums.from_totals(GATE_40, [2_333_530], [[605_052_202]]),
)
"""Rounds played; one player of gate_30 played 49,854."""

NO_MAIL, WOMENS_MAIL, MENS_MAIL = 21_306, 21_387, 21_307
VISITS = rate(NO_MAIL, 2_262), rate(WOMENS_MAIL, 3_238), rate(MENS_MAIL, 3_894)
CONVERSIONS = rate(NO_MAIL, 122), rate(WOMENS_MAIL, 189), rate(MENS_MAIL, 267)
