"""The signal catalogue: which events say what about a person, as data.

The built-in entries lie in `signals/data/*.toml`; a project's `[signals]` section has the same shape and goes on top.
No other module names an event: what an event does (fills a cart, is an order, shows a recommendation) is its entry's
`role`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from bespeak.errors import ConfigError, UnknownName
from bespeak.signals.events import Event
from bespeak.signals.paths import Getter, ItemPaths, compile_getter, first_of
from bespeak.signals.readers import FacetValue, Reader
from bespeak.signals.signal import Signal, SignalClass
from bespeak.signals.specs import (
    ANY_NAME,
    SignalSpec,
    TraitSpec,
    check_class,
    check_strength,
    read_spec,
)
from bespeak.signals.traits import TYPES

SECTIONS = ("classes", "events", "traits", "paths", "facets", "words")
TRAIT_CLASS = "demographic"
TRAIT_SIGNAL = "trait_"
"""Begins the name of the signal that a typed trait gives."""
MAX_ORDER_ID = 100
"""Characters of an order id that count."""

_MAX_AMOUNT = 1e12
_NO_READERS: tuple[Reader, ...] = ()


class Shown(msgspec.Struct, frozen=True, gc=False):
    """One item of a decision that an event says was seen; positions count from 1."""

    decision_id: str
    item_id: str
    position: int


class SignalCatalogue:
    """Event -> signals, compiled.

    Attributes:
        classes: name -> class.
        specs: signal name -> entry as declared.
        trait_specs: trait name -> entry as declared.
        words: short word of a file -> event name, for example `purchase` -> `Order Completed`.

    Example:
        >>> catalogue = SignalCatalogue.built_in()
        >>> event = Event(message_id="m", type="track", time_ms=0, received_ms=0, name="product viewed",
        ...               properties={"product_id": 7, "price": 9.9, "currency": "EUR"})
        >>> [(s.signal_class, s.item_id, s.value_minor) for s in catalogue.signals_of(event)]
        [('view', '7', 990)]
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Compiles one mapping of the shape of the data files (`SECTIONS`); use `built_in` and `with_overrides`."""
        self._data = data
        self.classes: dict[str, SignalClass] = {}
        for name, raw in data.get("classes", {}).items():
            key = f"signals.classes.{name}"
            self.classes[name] = read_spec({**raw, "name": name}, SignalClass, key)
            check_class(self.classes[name], key)
        self.specs = {name: _read_event(name, raw, self.classes) for name, raw in data.get("events", {}).items()}
        self.trait_specs = {
            name: read_spec(raw, TraitSpec, f"signals.traits.{name}") for name, raw in data.get("traits", {}).items()
        }
        self.words: dict[str, str] = _read_words(data.get("words", {}))
        self._compile_events(data.get("paths", {}), data.get("facets", {}))
        self._compile_traits()

    @classmethod
    @cache
    def built_in(cls) -> SignalCatalogue:
        """Returns the catalogue that the package ships; it is compiled once, as no catalogue changes."""
        return cls(_built_in_data())

    def with_overrides(self, overrides: Mapping[str, Any]) -> SignalCatalogue:
        """Returns a catalogue with a project's `[signals]` section on top: fields replace fields, new names add.

        Raises:
            ConfigError: with the key (`signals.events.x.strength`), what is wrong and what is allowed.
        """
        if not overrides:
            return self
        data: dict[str, dict[str, Any]] = {section: dict(self._data.get(section, {})) for section in SECTIONS}
        for section, entries in overrides.items():
            if section not in data:
                raise ConfigError(
                    f"there is no part '{section}'.", key="signals", hint=f"Parts: {', '.join(SECTIONS)}."
                )
            if not isinstance(entries, Mapping):
                raise ConfigError("must be a table.", key=f"signals.{section}")
            for name, raw in entries.items():
                before = data[section].get(name)
                if isinstance(before, Mapping) and isinstance(raw, Mapping):
                    data[section][name] = {**before, **raw}
                else:
                    data[section][name] = raw
        return type(self)(data)

    def signals_of(self, event: Event) -> list[Signal]:
        """Returns everything the event says about the person, in the order of the catalogue; often one signal.

        A track whose name nobody mapped gives one signal of class `custom` (weight 0) where it names an item. An
        identify gives one signal of class `demographic` per typed trait it carries.
        """
        found: list[Signal] = []
        for reader in self._readers_of(event):
            reader.signals(event.properties, found)
        if event.traits and event.type == "identify":
            for name, value in self._typed_traits(event).items():
                if value is not None:
                    found.append(Signal(f"{TRAIT_SIGNAL}{name}", TRAIT_CLASS, 1.0))
        return found

    def event_facets(self, event: Event) -> dict[str, dict[str, FacetValue]]:
        """Returns the attributes that the event itself carries about its items: item id -> name -> values or number.

        Where an event names no item (a search, a followed topic), its own attributes stand under the id "".
        """
        result: dict[str, dict[str, FacetValue]] = {}
        for reader in self._readers_of(event):
            if reader.applies(event.properties):
                for item_id, facets in reader.facets(event.properties).items():
                    result.setdefault(item_id, {}).update(facets)
        return result

    def traits_of(self, event: Event) -> dict[str, Any]:
        """Returns what the event says about the person's traits: typed ones as bands and words, the rest as given.

        A trait that the client sent as null is None: it is to be unset.

        Read from the traits of an identify and from the hints other events carry; a group's traits are the group's. A
        survey's declared scales (interests, values, lifestyle, satisfaction) are traits too.
        """
        if event.type == "group":
            return {}
        result: dict[str, Any] = {}
        if event.traits:
            result = {key: value for key, value in event.traits.items() if key not in self._trait_keys}
            result.update(self._typed_traits(event))
        for reader in self._readers_of(event):
            if reader.spec.scales:
                result.update(_declared_scales(reader.spec, event.properties))
        return result

    def role_of(self, event: Event) -> str:
        """Returns what the event does besides being a signal (`order`, `cart_add`, `exposure`, …), or ""."""
        for reader in self._readers_of(event):
            if reader.spec.role and reader.applies(event.properties):
                return reader.spec.role
        return ""

    def decision_of(self, event: Event) -> str:
        """Returns the id of the decision the event belongs to, or ""."""
        value = self._decision(event.properties)
        return value if type(value) is str else ""

    def order_of(self, event: Event) -> str:
        """Returns the id of the order the event tells of, as text, or ""."""
        value = self._order(event.properties) if event.type == "track" else None
        if type(value) is int:
            return str(value)
        return value[:MAX_ORDER_ID] if type(value) is str else ""

    def exposures_of(self, event: Event) -> list[Shown]:
        """Returns the items that an exposure event says were seen; empty for every other event.

        A position that the event does not state is the place in its list. An event without items may name the variant
        of a placement that was seen: `variant`, or the variation of an experiment.
        """
        decision_id = self.decision_of(event)
        role = self.role_of(event) if decision_id else ""
        if role == "experiment":
            variation = event.properties.get("variation_id", event.properties.get("variationId"))
            return [Shown(decision_id, variation, 1)] if type(variation) is str and variation else []
        if role != "exposure":
            return []
        shown = []
        items = self._readers_of(event)[0].items(event.properties)
        variant = event.properties.get("variant")
        if not items and type(variant) is str and variant:
            return [Shown(decision_id, variant, 1)]
        for place, (item_id, element) in enumerate(items, start=1):
            # an event may state one position for the one item it names; a list of bare ids is in the order shown
            position = element.get("position") if element is not event.properties or len(items) == 1 else None
            shown.append(Shown(decision_id, item_id, position if type(position) is int and position > 0 else place))
        return shown

    def amount_of(self, signal_name: str, event: Event) -> float | None:
        """Returns the number that metrics may sum of one signal of an event (see `SignalSpec.amount`), or None.

        What is no number, or below zero, is None.
        """
        getter = self._amounts.get(signal_name)
        value = None if getter is None else getter(event.properties)
        if type(value) is not int and type(value) is not float:
            return None
        return float(value) if 0 <= value < _MAX_AMOUNT else None

    def signal_class(self, name: str) -> SignalClass:
        """Returns one class; raises `UnknownName` with the names there are."""
        try:
            return self.classes[name]
        except KeyError:
            raise UnknownName("signal class", name, sorted(self.classes)) from None

    def mapping(self) -> dict[str, Any]:
        """Returns what decides which signals, facets and traits an event gives, as plain values; weights are not in it.

        Two catalogues of one mapping read every event alike. Amounts reach metrics alone, so they are not in it either.
        """
        return {
            "events": {name: _without_amount(spec) for name, spec in self.specs.items()},
            "traits": {name: msgspec.to_builtins(spec) for name, spec in self.trait_specs.items()},
            "paths": self._data.get("paths", {}),
            "facets": self._data.get("facets", {}),
        }

    def describe(self) -> list[dict[str, Any]]:
        """Returns one row per signal, as the reference prints it: names, class, weight, half-life, purpose, role."""
        rows = []
        for name, spec in self.specs.items():
            signal_class = self.classes[spec.signal_class]
            rows.append(
                {
                    "signal": name,
                    "type": spec.type,
                    "events": list(spec.events),
                    "kind": spec.kind,
                    "origin": spec.origin,
                    "class": spec.signal_class,
                    "prior_weight": signal_class.prior_weight,
                    "half_life_days": signal_class.half_life_days,
                    "purpose": signal_class.purpose,
                    "strength": msgspec.to_builtins(spec.strength),
                    "role": spec.role,
                    "enabled": spec.enabled,
                }
            )
        return rows

    def _readers_of(self, event: Event) -> tuple[Reader, ...]:
        by_name = self._readers[event.type]
        found = by_name.get(event.name)
        if found is None:
            found = by_name.get(event.name.lower())
            if found is None:
                found = by_name.get(ANY_NAME, _NO_READERS)
        return found

    def _compile_events(self, paths: Mapping[str, Any], facet_sets: Mapping[str, Any]) -> None:
        readers: dict[str, dict[str, tuple[Reader, ...]]] = {
            kind: {} for kind in ("identify", "track", "page", "screen", "group", "alias")
        }
        for name, spec in self.specs.items():
            if not spec.enabled:
                continue
            key = f"signals.events.{name}"
            item_paths = _named(spec.items, paths, "paths", f"{key}.items")
            facets = _named(spec.facets, facet_sets, "facets", f"{key}.facets")
            reader = Reader(name, spec, ItemPaths(item_paths, f"{key}.items"), _compile_facets(facets))
            by_name = readers[spec.type]
            for event_name in spec.events:
                # the usual spelling is stored beside the lower-case one: most events then need one look-up
                for spelling in {event_name, event_name.lower()}:
                    by_name[spelling] = (*by_name.get(spelling, ()), reader)
        self._readers = readers
        self._amounts = {name: first_of(spec.amount) for name, spec in self.specs.items() if spec.amount}
        self._decision = first_of(paths.get("decision", ["decisionId"]))
        self._order = first_of(paths.get("order", ["order_id"]))

    def _compile_traits(self) -> None:
        self._traits = tuple(
            (name, spec.keys, tuple(compile_getter(key) for key in spec.keys), TYPES[spec.as_])
            for name, spec in self.trait_specs.items()
        )
        self._trait_keys = frozenset(key for spec in self.trait_specs.values() for key in spec.keys)

    def _typed_traits(self, event: Event) -> dict[str, Any]:
        result: dict[str, Any] = {}
        traits = event.traits
        has_null = None in traits.values()
        for name, keys, getters, convert in self._traits:
            if has_null and any(key in traits and traits[key] is None for key in keys):
                result[name] = None
            for getter in getters:
                value = getter(traits)
                if value is not None:
                    typed = convert(value, event.time_ms)
                    if typed is not None:
                        result[name] = typed
                        break
        return result


def _without_amount(spec: SignalSpec) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(spec)
    del plain["amount"]
    return plain


@cache
def _built_in_data() -> dict[str, dict[str, Any]]:
    data: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    folder = resources.files("bespeak.signals") / "data"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            for section, entries in tomllib.loads(file.read_text(encoding="utf-8")).items():
                data[section].update(entries)
    return data


def _read_event(name: str, raw: Any, classes: Mapping[str, SignalClass]) -> SignalSpec:
    key = f"signals.events.{name}"
    spec = read_spec(raw, SignalSpec, key)
    if not spec.events:
        raise ConfigError('needs at least one event name ("*" for every other name).', key=f"{key}.events")
    if spec.signal_class not in classes:
        error = UnknownName("signal class", spec.signal_class, sorted(classes), limit=60)
        raise ConfigError(error.message, key=f"{key}.class", hint=error.hint)
    check_strength(spec.strength, f"{key}.strength")
    return spec


def _read_words(raw: Mapping[str, Any]) -> dict[str, str]:
    for word, name in raw.items():
        if not isinstance(name, str) or not name:
            raise ConfigError("must be the name of an event.", key=f"signals.words.{word}")
    return {word.lower(): name for word, name in raw.items()}


def _named(value: Any, declared: Mapping[str, Any], section: str, key: str) -> Any:
    if not isinstance(value, str):
        return value
    if value not in declared:
        raise ConfigError(f"'{value}' is not declared.", key=key, hint=f"In signals.{section}: {', '.join(declared)}.")
    return declared[value]


def _compile_facets(facets: Mapping[str, str | tuple[str, ...]]) -> dict[str, Getter]:
    return {
        name: compile_getter(paths) if isinstance(paths, str) else first_of(paths) for name, paths in facets.items()
    }


def _declared_scales(spec: SignalSpec, properties: Mapping[str, Any]) -> dict[str, Any]:
    found = {scale: properties[scale] for scale in spec.scales if properties.get(scale) is not None}
    if spec.scale_paths:
        scale = compile_getter(spec.scale_paths["scale"])(properties)
        answer = compile_getter(spec.scale_paths["answer"])(properties)
        if type(scale) is str and scale in spec.scales and answer is not None:
            found[scale] = answer
    return found
