"""Owns a process and all that it started: how it is started apart, its memory, and its end.

Linux says all of it in /proc, which costs no import and tells every thread's children; elsewhere psutil is asked.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal as signals
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PROC, _GONE = Path("/proc"), 1.0
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_LISTED = _PROC.joinpath("self", "task").is_dir()
_PR_SET_PDEATHSIG = 1
_KILL = getattr(signals, "SIGKILL", signals.SIGTERM)  # Windows ends a process at once on any signal
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None


def apart(*, group: bool = True) -> dict[str, Any]:
    """What `subprocess.Popen` takes for a program with a group of its own that ends where we are killed.

    No signal to our group reaches such a program, and where we are killed it must not write on.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if group else {}
    return {"start_new_session": group, "preexec_fn": ends_with_parent}


def ends_with_parent() -> None:
    """Ask the kernel to end this process when the thread that started it ends (Linux; elsewhere nothing)."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signals.SIGKILL, 0, 0, 0)


def descendants(pid: int) -> Iterator[int]:
    """A process and every process below it, as the system lists them now."""
    if not _LISTED:
        yield from _asked_below(pid)
        return
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
    return sum(_held(process) if _LISTED else _asked_held(process) for process in descendants(pid))


def free_memory() -> int:
    """Bytes of memory that are free or could be: Linux counts what is cached with it."""
    if not _LISTED:
        import psutil

        return int(psutil.virtual_memory().available)
    lines = (_PROC / "meminfo").read_text("ascii", "replace").splitlines()
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0)


def peak(pid: int) -> float | None:
    """The most resident memory a process had, in MB; None where the system does not say."""
    try:
        status = (_PROC / str(pid) / "status").read_text("ascii", "replace")
    except OSError:
        return _asked_peak(pid)
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return int(line.split()[1]) / 1024 if line is not None else None


def end(pid: int) -> None:
    """Kill a process group and whatever left it for a group of its own; back when they are gone (a second at most)."""
    known = list(descendants(pid))
    group = getattr(os, "killpg", os.kill)
    for kill, target in ((group, pid), *((os.kill, process) for process in known[1:])):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(target, _KILL)
    _wait(known)


def end_each(pid: int) -> None:
    """Kill a process and every process below it, one by one: it has no group of its own."""
    for process in list(descendants(pid)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, _KILL)


def end_own_group() -> None:
    """End this process and its group, where it leads one."""
    if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
        os.killpg(0, signals.SIGKILL)


def bound_memory(most: int) -> None:
    """No core files of this process, and at most so many bytes of data, where the system bounds them."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    if not _LISTED:
        return _asked_alive(pid)
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


def _wait(known: list[int]) -> None:
    deadline = time.monotonic() + _GONE
    while any(alive(process) for process in known) and time.monotonic() < deadline:
        time.sleep(0.002)


def _held(pid: int) -> int:
    try:
        _, resident, shared, *_ = (_PROC / str(pid) / "statm").read_text().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * _PAGE


def _asked_below(pid: int) -> Iterator[int]:
    import psutil

    yield pid
    with contextlib.suppress(psutil.Error):
        yield from (child.pid for child in psutil.Process(pid).children(recursive=True))


def _asked_held(pid: int) -> int:
    """Resident bytes: what of them could be dropped is not told outside Linux."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def _asked_peak(pid: int) -> float | None:
    """Windows keeps the peak; macOS tells it only of a child that has ended."""
    import psutil

    with contextlib.suppress(psutil.Error, ImportError):
        most = getattr(psutil.Process(pid).memory_info(), "peak_wset", None)
        return most / (1 << 20) if most is not None else None
    return None


def _asked_alive(pid: int) -> bool:
    import psutil

    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False
