"""Writing files so that a killed process or a lost machine leaves either the old state or the new one."""

from __future__ import annotations

import os
from pathlib import Path

PART_SUFFIX = ".part"
"""Ends the name of a file that is still being written; whoever finds one after a crash may delete it."""


def part_of(target: Path) -> Path:
    """Returns the name under which a file is written before it gets its own."""
    return target.with_name(f".{target.name}.{os.getpid()}{PART_SUFFIX}")


def sync_file(path: Path) -> None:
    """Returns when the content of a file is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Returns when the names in a directory are on disk."""
    if os.name == "nt":  # a directory cannot be opened there, and renames are synced by the file system
        return
    sync_file(path)


def publish(part: Path, target: Path) -> None:
    """Gives a finished file its name, durably: content first, then the name."""
    sync_file(part)
    part.replace(target)
    sync_directory(target.parent)
