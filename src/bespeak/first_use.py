"""Public names of a package, each imported when it is first used (PEP 562): whoever needs one waits for no other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def at_first_use(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Returns the `__getattr__` of a package.

    Args:
        package: its `__name__`.
        homes: public name -> the module that it is imported from, once.
    """

    def find(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        found = getattr(import_module(home), name)
        setattr(sys.modules[package], name, found)
        return found

    return find
