"""Memory of this machine: how much a training may take, within what the container may use, and what it took."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

_SHARE = 0.8
"""Of what is free: other programs want to grow too, and estimates are estimates."""
_UNLIMITED = 1 << 60
_ROOT = Path("/")


def memory_limit_bytes(limit_gb: float, root: Path = _ROOT) -> float | None:
    """The limit in bytes: as given, or four fifths of what is free; None where neither is known.

    Args:
        limit_gb: of the settings; 0 means what is free.
        root: of the file system, in which `/proc` and `/sys` tell of memory.
    """
    if limit_gb:
        return limit_gb * 1e9
    free = free_bytes(root)
    return None if free is None else _SHARE * free


def free_bytes(root: Path = _ROOT) -> int | None:
    """What the machine has free and the control groups of this process allow, whichever is less."""
    known = [_available(root), *_left_in_groups(root)]
    return min((value for value in known if value is not None), default=None)


def peak_bytes(root: Path = _ROOT) -> int:
    """The most memory that this process has held so far.

    Where `/proc` tells, it is asked: the peak that `getrusage` has is that of the program which started this one, where
    that held more.
    """
    for line in _text(root / "proc/self/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _available(root: Path) -> int | None:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _left_in_groups(root: Path) -> Iterator[int]:
    """What is left in each control group with a limit, from this process's own up; files that can go do not count."""
    groups = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, names = groups, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            folder = groups / "memory"
        else:
            continue
        inner = folder / path.lstrip("/")
        for group in (inner, *inner.parents):
            limit, used = (_number(group / name) for name in names[:2])
            if limit is not None and used is not None and limit < _UNLIMITED:
                yield max(0, limit - used + _statistic(group / "memory.stat", names[2]))
            if group == folder:
                break


def _statistic(path: Path, name: str) -> int:
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
