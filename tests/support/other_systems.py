"""Owns a system that lacks what Linux has: a process in which those names of `os`, `signal` and those modules are gone.

Run as `python other_systems.py SYSTEM WORDS...`: the words are a command of `contracts`.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib.abc import MetaPathFinder

#: What macOS lacks of what Linux has.
MACOS = [
    *("sched_getaffinity", "sched_setaffinity", "posix_fallocate", "posix_fadvise", "preadv", "preadv2", "pwritev"),
    *("pwritev2", "copy_file_range", "memfd_create", "pidfd_open", "splice", "O_DIRECT", "O_PATH", "O_TMPFILE"),
]
#: What Windows lacks besides.
WINDOWS = [
    *MACOS,
    *("pread", "pwrite", "readv", "writev", "sendfile", "O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY"),
    *("O_SYNC", "statvfs", "fstatvfs", "killpg", "getpgid", "setpgid", "setsid", "getsid", "fork", "forkpty"),
    *("fchmod", "fchown", "chown", "lchown", "geteuid", "getgid", "getegid", "sysconf", "getloadavg", "mkfifo"),
    *(
        "mknod",
        "wait3",
        "wait4",
        "WIFSIGNALED",
        "posix_spawn",
        "posix_spawnp",
        "register_at_fork",
        "nice",
        "sync",
        "link",
    ),
]
MODULES = {"macos": ("nothing",), "windows": ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "syslog")}
SIGNALS = {"macos": (), "windows": ("SIGKILL", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGCHLD", "SIGUSR1", "SIGPIPE")}


class _Missing(MetaPathFinder):
    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def find_spec(self, fullname, path=None, target=None):
        if fullname in self._names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def become(system: str) -> None:
    """Take away from this process what the system lacks."""
    for name in WINDOWS if system == "windows" else MACOS:
        if hasattr(os, name):
            delattr(os, name)
    for name in SIGNALS[system]:
        if hasattr(signal, name):
            delattr(signal, name)
    for name in MODULES[system]:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Missing(MODULES[system]))


if __name__ == "__main__":
    import platform
    import shutil
    import subprocess  # noqa: F401 - the interpreter's own modules choose by sys.platform, which stays

    platform.uname()  # asked of the system once, and kept
    shutil._use_fd_functions = False
    become(sys.argv[1])
    from model_contracts.cli.main import main

    sys.exit(main(sys.argv[2:]))
