"""Owns a process and all that it started: their memory, and their end."""

from __future__ import annotations

import contextlib
import os
import signal as signals
import time
from collections.abc import Iterator
from pathlib import Path

_PROC, _GONE = Path("/proc"), 1.0
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def descendants(pid: int) -> Iterator[int]:
    """A process and every process below it, as the system lists them now (only itself where there is no /proc)."""
    waiting, seen = [pid], set[int]()
    while waiting and len(seen) < 10_000:
        now = waiting.pop()
        if now in seen:
            continue
        seen.add(now)
        yield now
        try:
            threads = list((_PROC / str(now) / "task").iterdir())
        except OSError:
            continue
        for thread in threads:
            try:
                waiting.extend(map(int, (thread / "children").read_text().split()))
            except (OSError, ValueError):
                continue


def memory(pid: int) -> int:
    """Bytes that a process and those below it hold for themselves; mapped files do not count: they can be dropped."""
    total = 0
    for process in descendants(pid):
        try:
            _, resident, shared, *_ = (_PROC / str(process) / "statm").read_text().split()
        except (OSError, ValueError):
            continue
        total += (int(resident) - int(shared)) * _PAGE
    return total


def end(pid: int) -> None:
    """Kill a process group and whatever left it for a group of its own; back when they are gone (a second at most)."""
    known = list(descendants(pid))
    for kill, target in ((os.killpg, pid), *((os.kill, process) for process in known[1:])):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(target, signals.SIGKILL)
    deadline = time.monotonic() + _GONE
    while any(alive(process) for process in known) and time.monotonic() < deadline:
        time.sleep(0.002)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        state = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZX"


def signal_name(number: int) -> str:
    """`SIGABRT` of 6."""
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"signal {number}"
