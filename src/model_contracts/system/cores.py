"""Owns how many cores there are for this process: its affinity, bounded by the quota of its control group."""

from __future__ import annotations

import os
from functools import cache
from math import ceil
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


@cache
def cores() -> int:
    """Cores that this process may use, at least 1. Affinity where the system knows it, else all the machine has."""
    return max(1, min(_allowed(), _quota(_OWN, _GROUPS)))


def _allowed() -> int:
    if (affinity := getattr(os, "sched_getaffinity", None)) is not None:
        return len(affinity(0))
    return os.cpu_count() or 1


def _quota(own: Path, groups: Path) -> int:
    """The tightest quota from the process's own control group up to the root, in whole cores; a million without one.

    A quota of half a core is one thread. Version 2 says it in `cpu.max`, version 1 in `cpu.cfs_quota_us`.
    """
    folders = [groups, groups / "cpu"]
    try:
        for line in own.read_text("utf-8", "replace").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            base = groups / "cpu" if controllers else groups
            inner = base / path.strip("/")
            folders += [inner, *(above for above in inner.parents if above.is_relative_to(base))]
    except (OSError, ValueError):
        pass  # no such system, or no such file: what stands at the root is all there is
    return min((_of(folder) for folder in dict.fromkeys(folders)), default=1_000_000)


def _of(folder: Path) -> int:
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            words = " ".join((folder / name).read_text("ascii", "replace") for name in names).split()
            if int(words[0]) > 0 and int(words[1]) > 0:
                return ceil(int(words[0]) / int(words[1]))
        except (OSError, ValueError, IndexError):
            continue  # `max`: no quota
    return 1_000_000
