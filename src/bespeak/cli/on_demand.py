"""Commands whose modules are imported when they are called: imports are most of what a short command costs."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class OnDemand(TyperCommand):
    """A command, or a group of them, that is known by its name and one line until it is called.

    Args:
        name: as it is typed.
        home: `module:name` of its function, or of its `typer.Typer`.
        line: the first line of its help, shown where commands are listed.
    """

    def __init__(self, name: str, home: str, line: str) -> None:
        super().__init__(name, help=line, rich_markup_mode="rich")
        self._module, _, self._attribute = home.partition(":")

    @cached_property
    def command(self) -> Any:
        """The command itself, a `TyperCommand` or `TyperGroup`; imports its module."""
        found = getattr(import_module(self._module), self._attribute)
        holder = typer.Typer(rich_markup_mode="rich")
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=self.name)
        else:
            holder.command(self.name)(found)
        return typer.main.get_group(holder).commands[str(self.name)]

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Hands the call to the command itself: what is parsed, shown and run from here on is its own."""
        return self.command.make_context(info_name, args, parent, **extra)


def with_all(group: TyperGroup) -> TyperGroup:
    """Returns the group with every command imported, for who reads all of them."""
    whole = copy(group)
    whole.commands = {name: _imported(command) for name, command in group.commands.items()}
    return whole


def _imported(command: Any) -> Any:
    if isinstance(command, TyperGroup):
        return with_all(command)
    return command.command if isinstance(command, OnDemand) else command
