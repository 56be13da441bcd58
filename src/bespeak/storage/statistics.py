"""What a metric needs of the log, as data: which rows make which number of a unit, and which sums over units come back.

A unit is what was randomised, mostly a person; its clock starts when it was first assigned. Each wanted entry asks for
the sums of four numbers of a unit (value, denominator, and both from before its start) and of their products: enough
for means, ratios, lifts and adjustment by the past, and nothing of a single person. The lake answers all of them with
one query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Aggregate = Literal["any", "count", "events", "days", "sum"]
"""1 if there is such a row; rows; events (an order of three items is one); days with such a row; a column's sum."""

SummedColumn = Literal["value", "strength", "amount"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number made of the rows of a unit.

    Attributes:
        where: a condition in DuckDB's SQL over `signals`; a checked rule's text, never what somebody typed.
        aggregate: how the rows become a number.
        column: what `sum` adds; `value` is money in major units of the request's currency, rows of others count 0.
        from_ms, to_ms: rows at or after and before these times since the unit's start; None is open.
    """

    where: str
    aggregate: Aggregate
    column: SummedColumn = "value"
    from_ms: int = 0
    to_ms: int | None = None


@dataclass(frozen=True, slots=True)
class UnitValue:
    """A number of a unit: `of` less `less`, and 0 for a unit with any `unless`."""

    of: Figure
    less: Figure | None = None
    unless: Figure | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The sums of one metric.

    Attributes:
        value, per: value and denominator; each unit's denominator is 1 without `per`.
        before, before_per: the covariate and its denominator, from before the unit's start; None for none.
        open_ms: a unit counts once its start lies so long back.
        winsor_quantile: values above this quantile of those that are not 0, over all units, are lowered to it; 0 caps
            nothing.
    """

    name: str
    value: UnitValue
    per: UnitValue | None = None
    before: UnitValue | None = None
    before_per: UnitValue | None = None
    open_ms: int = 0
    winsor_quantile: float = 0.0


@dataclass(frozen=True, slots=True)
class SumsRequest:
    """Several metrics of the same units.

    Attributes:
        purposes: bits that each row must have.
        currency: ISO 4217 code that `value` is summed in; digits: its minor digits.
        end_ms: rows before this time count.
    """

    wanted: tuple[Wanted, ...]
    purposes: int
    currency: str
    digits: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Group:
    """Units that are summed together: those of one arm, of which `part` (a column of the units) has this value.

    The part is "" for all of the arm.
    """

    arm: int
    part: str = ""
    value: int = 0


@dataclass(frozen=True, slots=True)
class RawSums:
    """Plain sums of one metric over the units of a group.

    Attributes:
        n: units.
        totals: of value, denominator, covariate, covariate denominator.
        products: of each two of them.
        n_nonzero: units whose value is not 0.
    """

    n: int
    totals: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]
    n_nonzero: int
