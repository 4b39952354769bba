"""Owns a process that has imported the command and forks itself for each run of it: half of a small run is imports.

What a run sees is its own: arguments, folder, environment, streams, exit. Where a system cannot fork, or a test has
changed the environment, there is none, and the command is started as anybody starts it.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from support import warm_children

#: What the command imports when it is asked for something; none of it runs anything when it is imported.
_IMPORTED = (
    "hypothesis", "hypothesis.strategies", "jsonschema", "model_contracts.checks.running",
    "model_contracts.checks.static", "model_contracts.cli.check", "model_contracts.cli.convert",
    "model_contracts.cli.evidence", "model_contracts.cli.inspect", "model_contracts.cli.qualify",
    "model_contracts.cli.report", "model_contracts.converters.builtin", "model_contracts.engine.run",
    "model_contracts.qualification.run", "model_contracts.reporters", "numpy", "structlog",
)  # fmt: skip


def environment() -> dict[str, str]:
    """What a process would be started with, but for where it looks for programs: that is told to each run."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTEST_CURRENT_TEST", "PATH")}


class Warm:
    """The process, as the tests hold it."""

    def __init__(self) -> None:
        self._lock, self._environment = threading.Lock(), environment()
        mine, its = socket.socketpair()
        with its:
            words = [sys.executable, "-c", "from support.warm import serve; serve()", str(its.fileno())]
            # No `env`: readline sets COLUMNS where os.environ does not see it, and what is started inherits that.
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, pass_fds=[its.fileno()], cwd=Path(__file__).parents[1]
            )
        self._socket, self._lines = mine, mine.makefile("r", encoding="utf-8")
        atexit.register(self.end)

    @property
    def serves(self) -> bool:
        """Whether a run would see what a process started now would see."""
        return self._process.poll() is None and environment() == self._environment

    def run(self, words: list[str], folder: Path | None, seconds: float) -> tuple[int, str, str]:
        """Exit code, output and errors of one run. Raises TimeoutExpired; then the process is gone."""
        with self._lock, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            self._socket.settimeout(seconds)
            asked = {"words": words, "folder": str(folder or Path.cwd()), "path": os.environ["PATH"]}
            socket.send_fds(self._socket, [json.dumps(asked).encode() + b"\n"], [out.fileno(), err.fileno()])
            try:
                code = int(self._lines.readline())
            except TimeoutError:
                self.end()
                raise subprocess.TimeoutExpired(words, seconds) from None
            return code, _text(out), _text(err)

    def end(self) -> None:
        """End it, and a run that goes on."""
        self._process.kill()
        self._process.wait()


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode("utf-8").replace("\r\n", "\n"))


def serve() -> None:
    """Answer one request after another; a fork that is to run the command returns from here and runs it."""
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    for name in _IMPORTED:
        import_module(name)
    warm_children.install()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        while (request := _request(asked)) is not None:
            (words, folder, path), streams = request
            if (child := os.fork()) == 0:
                break
            for stream in streams:
                os.close(stream)
            _, status = os.waitpid(child, 0)
            asked.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        else:
            return
    for stream, own in zip(streams, (1, 2), strict=True):
        os.dup2(stream, own)
        os.close(stream)
    os.chdir(folder)
    os.environ["PATH"] = path
    sys.argv = ["contracts", *words]
    from model_contracts.cli.main import main

    sys.exit(main())


def _request(asked: socket.socket) -> tuple[tuple[list[str], str, str], list[int]] | None:
    data, streams, *_ = socket.recv_fds(asked, 1 << 20, 2)
    if not data:
        return None
    while not data.endswith(b"\n"):
        data += asked.recv(1 << 20)
    request = json.loads(data)
    return (request["words"], request["folder"], request["path"]), streams
