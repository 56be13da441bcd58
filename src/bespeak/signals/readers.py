"""Compiled entries of the signal catalogue: plain closures, because every event runs through them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bespeak.signals.money import minor_units, number, share_out
from bespeak.signals.paths import Getter, ItemPaths, compile_getter, first_of
from bespeak.signals.signal import Signal
from bespeak.signals.specs import ConditionSpec, SignalSpec, StrengthSpec

Properties = Mapping[str, Any]
FacetValue = list[str] | float
MAX_FACET_VALUES = 50
MAX_FACET_CHARS = 200


def compile_strength(spec: float | StrengthSpec) -> Callable[[Properties], float] | None:
    """Returns a function that reads the strength from properties, or None for a constant."""
    if not isinstance(spec, StrengthSpec):
        return None
    default, low, high = spec.default, spec.min, spec.max
    if spec.fraction is not None:
        read_fraction = _compile_fraction(spec.fraction)

        def fraction(properties: Properties) -> float:
            found = read_fraction(properties)
            return default if found is None else found

        return fraction
    if spec.rating:
        middle, half = (spec.scale[0] + spec.scale[1]) / 2, (spec.scale[1] - spec.scale[0]) / 2
        read_rating = compile_getter(spec.rating)

        def rating(properties: Properties) -> float:
            found = number(read_rating(properties))
            return default if found is None else max(-1.0, min(1.0, (found - middle) / half))

        return rating
    read_number, divide_by = compile_getter(spec.property or spec.quantity), spec.divide_by

    def plain(properties: Properties) -> float:
        found = number(read_number(properties))
        if found is None:
            return default
        found /= divide_by
        if low is not None and found < low:
            return low
        return high if high is not None and found > high else found

    return plain


def _compile_fraction(paths: tuple[str, str]) -> Callable[[Properties], float | None]:
    read_part, read_whole = compile_getter(paths[0]), compile_getter(paths[1])

    def fraction(properties: Properties) -> float | None:
        part, whole = number(read_part(properties)), number(read_whole(properties))
        if part is None or whole is None or whole <= 0:
            return None
        return max(0.0, min(1.0, part / whole))

    return fraction


def compile_condition(spec: ConditionSpec | None) -> Callable[[Properties], bool] | None:
    """Returns a function that tells whether an entry applies, or None when it always does."""
    if spec is None:
        return None
    read: Callable[[Properties], Any]
    read = _compile_fraction(spec.fraction) if spec.fraction is not None else compile_getter(spec.property)

    def holds(properties: Properties) -> bool:
        value = read(properties)
        if value is None:
            return spec.default
        if spec.equals is not None:
            return bool(value == spec.equals)
        found = number(value)
        if found is None:
            return spec.default
        return (spec.at_least is None or found >= spec.at_least) and (spec.below is None or found < spec.below)

    return holds


def facet_value(value: Any) -> FacetValue | None:
    """Returns an attribute as a list of text or a number; None for what is neither (objects, empty text)."""
    kind = type(value)
    if kind is str:
        return [value[:MAX_FACET_CHARS]] if value else None
    if kind is bool:
        return ["true" if value else "false"]
    if kind is float or kind is int:
        return number(value)
    if kind is list:
        found = [part[:MAX_FACET_CHARS] for part in value[:MAX_FACET_VALUES] if type(part) is str and part]
        return found or None
    return None


class Reader:
    """One compiled entry: reads an event's properties into signals, and into what it says about its items."""

    __slots__ = (
        "_condition",
        "_constant",
        "_currency",
        "_facets",
        "_items",
        "_price",
        "_quantity",
        "_strength",
        "_totals",
        "name",
        "spec",
    )

    def __init__(self, name: str, spec: SignalSpec, items: ItemPaths, facets: Mapping[str, Getter]) -> None:
        self.name = name
        self.spec = spec
        self._items = items
        self._facets = tuple(facets.items())
        self._condition = compile_condition(spec.when)
        self._strength = compile_strength(spec.strength)
        self._constant = spec.strength if isinstance(spec.strength, float) else 1.0
        self._price = compile_getter(spec.price)
        self._quantity = compile_getter(spec.quantity)
        self._currency = compile_getter(spec.currency)
        self._totals = first_of(spec.total) if spec.total else None

    def applies(self, properties: Properties) -> bool:
        """True when the entry's condition holds."""
        return self._condition is None or self._condition(properties)

    def items(self, properties: Properties) -> list[tuple[str, Mapping[str, Any]]]:
        """Returns the items the event names, with the object that carries each."""
        return self._items.read(properties)

    def signals(self, properties: Properties, into: list[Signal]) -> None:
        """Appends what the event says; nothing when the condition does not hold or a needed item is missing."""
        if self._condition is not None and not self._condition(properties):
            return
        found = self._items.read(properties)
        if not found:
            if self.spec.needs_item:
                return
            found = [("", properties)]
        currency = self._currency(properties) or self._currency(found[0][1])
        currency = currency.upper() if type(currency) is str and len(currency) == 3 else ""
        signal_class = self.spec.signal_class
        if self._totals is not None:
            self._with_total(properties, found, currency, into)
            return
        for item_id, element in found:
            price = self._price(element)
            value, quantity = 0, 1.0
            read_quantity = number(self._quantity(element))
            if read_quantity is not None and read_quantity > 0:
                quantity = read_quantity
            if price is not None:
                amount = number(price)
                if amount is not None:
                    value = minor_units(amount * quantity, currency)
            strength = self._constant if self._strength is None else self._strength(element)
            into.append(Signal(self.name, signal_class, strength, item_id, value, currency, quantity))

    def _with_total(
        self, properties: Properties, found: list[tuple[str, Mapping[str, Any]]], currency: str, into: list[Signal]
    ) -> None:
        """Appends signals whose values add up to the event's own total, when it states one."""
        rows = []
        for item_id, element in found:
            quantity = number(self._quantity(element)) or 1.0
            quantity = quantity if quantity > 0 else 1.0
            amount = number(self._price(element)) or 0.0
            strength = self._constant if self._strength is None else self._strength(element)
            rows.append((strength, item_id, minor_units(amount * quantity, currency), quantity))
        values = [row[2] for row in rows]
        total = number(self._totals(properties)) if self._totals is not None else None
        if total is not None and total >= 0 and min(values) >= 0:
            values = share_out(minor_units(total, currency), values)
        name, signal_class = self.name, self.spec.signal_class
        for (strength, item_id, _, quantity), value in zip(rows, values, strict=True):
            into.append(Signal(name, signal_class, strength, item_id, value, currency, quantity))

    def facets(self, properties: Properties) -> dict[str, dict[str, FacetValue]]:
        """Returns item id -> attribute -> values; "" stands for the event itself where it names no item."""
        if not self._facets:
            return {}
        result: dict[str, dict[str, FacetValue]] = {}
        for item_id, element in self._items.read(properties) or [("", properties)]:
            facets: dict[str, FacetValue] = {}
            for name, getter in self._facets:
                value = facet_value(getter(element))
                if value is not None:
                    facets[name] = value
            if facets:
                result[item_id] = facets
        return result
