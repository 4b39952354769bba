"""Owns one run of somebody else's program: started without a shell, read as it prints, ended with us."""

from __future__ import annotations

import subprocess
import threading
from typing import Any

from model_contracts.runtimes.interface import NotInstalled
from model_contracts.system import processes

#: Bytes of what a program prints that are kept; one that goes on is ended.
_MOST_OUTPUT, _TAIL_LINES = 64 << 20, 20


class Program:
    """One run of the program; its streams are read as they come, and the last of them is kept."""

    def __init__(self, argv: list[str]) -> None:
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                **processes.apart(group=False),
            )
        except OSError as error:
            raise NotInstalled(f"{argv[0]} cannot be run: {error.strerror}") from None
        self._kept = {"out": bytearray(), "err": bytearray()}
        streams = (("out", self._process.stdout), ("err", self._process.stderr))
        self._readers = [threading.Thread(target=self._keep, args=pair, daemon=True) for pair in streams]
        for reader in self._readers:
            reader.start()

    def _keep(self, name: str, stream: Any) -> None:
        kept = self._kept[name]
        while data := stream.read1(1 << 16):
            kept += data
            if len(kept) > _MOST_OUTPUT:
                del kept[:-_MOST_OUTPUT]
                self._process.kill()

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """The exit code, once it ends and all it printed is here."""
        code = self._process.wait()
        for reader in self._readers:
            reader.join(1.0)
        return code

    def end(self) -> None:
        """Kill it and all that it started."""
        if self.poll() is None:
            processes.end_each(self._process.pid)
        self.wait()

    @property
    def output(self) -> str:
        """What it printed."""
        return self._kept["out"].decode("utf-8", "replace")

    @property
    def tail(self) -> str:
        """Its last lines, errors behind the rest."""
        last = (bytes(self._kept[name][-16_384:]).decode("utf-8", "replace") for name in ("out", "err"))
        lines = [line for text in last for line in text.splitlines() if line.strip()]
        return "\n".join(lines[-_TAIL_LINES:])
