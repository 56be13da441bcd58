"""Paths into an event's properties: `price`, `address.city`, `products[].sku`, `content_asset_ids[]`.

A path is compiled once into a plain function, because every event runs through several of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bespeak.errors import ConfigError, EventRejected
from bespeak.signals.ids import clean_id

Getter = Callable[[Mapping[str, Any]], Any]

MAX_ELEMENTS = 200
_SHORT = 63  # so many characters are at most 252 bytes of UTF-8: no need to count them


def compile_getter(path: str) -> Getter:
    """Returns a function that reads a path without a list; a missing part gives None.

    Example:
        >>> compile_getter("address.city")({"address": {"city": "Bonn"}})
        'Bonn'
    """
    parts = path.split(".")
    if len(parts) == 1:
        return lambda source: source.get(path)

    def nested(source: Mapping[str, Any]) -> Any:
        value: Any = source
        for part in parts:
            if not isinstance(value, Mapping):
                return None
            value = value.get(part)
        return value

    return nested


def first_of(paths: Iterable[str]) -> Getter:
    """Returns a function that reads the first of several paths that is there."""
    paths = tuple(paths)
    getters = [compile_getter(path) for path in paths]
    if len(getters) == 1:
        return getters[0]
    begun = frozenset(path.split(".")[0] for path in paths)

    def first(source: Mapping[str, Any]) -> Any:
        if begun.isdisjoint(source):  # of most events none is there
            return None
        for getter in getters:
            value = getter(source)
            if value is not None:
                return value
        return None

    return first


def as_item_id(value: Any) -> str:
    """Returns an item id as text, or "" for what cannot be one (a list, an object, too long)."""
    if type(value) is str and len(value) <= _SHORT and "\x00" not in value:
        return value
    try:
        return clean_id(value, "item id")
    except EventRejected:
        return ""


class ItemPaths:
    """The compiled paths to an event's items.

    Paths with the same list belong together and are tried per element; the first group that finds an item wins.

    Example:
        >>> paths = ItemPaths(["products[].product_id", "products[].sku", "product_id"])
        >>> [item_id for item_id, element in paths.read({"products": [{"product_id": "a"}, {"sku": "b"}]})]
        ['a', 'b']
    """

    __slots__ = ("_groups",)

    def __init__(self, paths: Iterable[str], key: str = "items") -> None:
        groups: list[tuple[Getter | None, list[Getter | None], str]] = []
        for path in paths:
            list_path, found, rest = path.partition("[]")
            if found and rest and not rest.startswith("."):
                raise ConfigError(f"'{path}' is not a path.", key=key, hint="Write list[].key, list[] or a.b.")
            name = list_path if found else ""
            getter = compile_getter(rest[1:]) if found and rest else None if found else compile_getter(path)
            if groups and groups[-1][2] == name:
                groups[-1][1].append(getter)
            else:
                groups.append((compile_getter(list_path) if found else None, [getter], name))
        self._groups = tuple((list_getter, tuple(getters)) for list_getter, getters, _ in groups)

    def read(self, properties: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
        """Returns (item id, the object that carries it), in order, at most `MAX_ELEMENTS`; empty when there is none."""
        for list_getter, getters in self._groups:
            if list_getter is None:
                item_id = _first_id(properties, getters)
                if item_id:
                    return [(item_id, properties)]
                continue
            elements = list_getter(properties)
            if type(elements) is not list:
                continue
            found = []
            for element in elements[:MAX_ELEMENTS]:
                is_object = type(element) is dict
                item_id = _first_id(element, getters) if is_object else as_item_id(element) if None in getters else ""
                if item_id:
                    # a bare id has no properties of its own: the event's are about it
                    found.append((item_id, element if is_object else properties))
            if found:
                return found
        return []


def _first_id(element: Mapping[str, Any], getters: tuple[Getter | None, ...]) -> str:
    for getter in getters:
        if getter is not None:
            value = getter(element)
            if value is not None:
                item_id = as_item_id(value)
                if item_id:
                    return item_id
    return ""
