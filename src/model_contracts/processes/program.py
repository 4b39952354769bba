"""Owns one run of somebody else's program: started without a shell, read as it prints, ended with us."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import IO

from model_contracts.processes.printed import last_lines
from model_contracts.system import processes

#: Bytes of what a program prints that are kept.
_MOST_OUTPUT = 64 << 20


class NotStarted(Exception):
    """The system could not run it; the text says which program, and why."""


class Program:
    """One run of the program; its streams are read as they come, and the last of them is kept."""

    def __init__(
        self, argv: list[str], *, folder: Path | None = None, group: bool = False, merged: bool = False
    ) -> None:
        """Start it, in `folder` where one is given. Raises NotStarted.

        `group`: it leads a group of its own, which ends with it whatever it started; otherwise it stays in ours.
        `merged`: what it says of errors stands between the rest, and it may print without end.
        """
        self._group, self._endless = group, merged
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if merged else subprocess.PIPE,
                cwd=folder,
                **processes.apart(group=group),
            )
        except OSError as error:
            raise NotStarted(f"{argv[0]} cannot be run: {error.strerror}") from None
        streams = [stream for stream in (self._process.stdout, self._process.stderr) if stream is not None]
        self._kept = [bytearray() for _ in streams]
        pairs = zip(self._kept, streams, strict=True)
        self._readers = [threading.Thread(target=self._keep, args=pair, daemon=True) for pair in pairs]
        for reader in self._readers:
            reader.start()

    def _keep(self, kept: bytearray, stream: IO[bytes]) -> None:
        with stream:
            while data := stream.read1(1 << 16):  # type: ignore[attr-defined]
                kept += data
                if len(kept) > _MOST_OUTPUT:
                    del kept[:-_MOST_OUTPUT]
                    if not self._endless:
                        self._process.kill()

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float | None = None) -> int:
        """The exit code, once it ends and all it printed is here. Raises TimeoutError; it runs on."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        if self._group:  # what it started and left behind
            processes.end(self._process.pid)
        for reader in self._readers:
            reader.join(1.0)
        return code

    def end(self) -> None:
        """Kill it and all that it started."""
        if self.poll() is None:
            (processes.end if self._group else processes.end_each)(self._process.pid)
        self.wait()

    @property
    def printed(self) -> bytes:
        """What it printed, as it printed it."""
        return bytes(self._kept[0])

    @property
    def output(self) -> str:
        """What it printed."""
        return self._kept[0].decode("utf-8", "replace")

    @property
    def tail(self) -> str:
        """Its last lines, errors behind the rest."""
        return last_lines(*self._kept)
