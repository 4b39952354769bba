"""Owns the child process of a session: started, asked, watched for time and memory, and ended with all it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

from model_contracts.processes.printed import TAIL_BYTES, last_lines
from model_contracts.runtimes.interface import (
    Crashed,
    Limits,
    NotInstalled,
    Refused,
    RuntimeFailure,
    TimedOut,
    WrongAnswer,
)
from model_contracts.runtimes.session.frames import BrokenMessage, Frame, pack, unpack
from model_contracts.system import files, processes

#: What a child may say went wrong.
FAILURES: dict[str, type[RuntimeFailure]] = {
    kind.__name__: kind for kind in (NotInstalled, Refused, Crashed, TimedOut, WrongAnswer)
}
_MEMORY_EVERY, _GRACE = 0.05, 5.0
#: Nothing is fetched, counted or reported by what runs in the child.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def start(module: str, memory_mb: int, folder: str) -> subprocess.Popen[bytes]:
    """A process of its own group that serves a module, works in a folder, and ends with the thread that started it."""
    # The kernel ends a child with the *thread* that started it: only the main thread is sure to outlive it.
    bound = "bound" if threading.current_thread() is threading.main_thread() else "free"
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "model_contracts.runtimes.session.served", module, str(memory_mb), bound],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, **QUIET},
        start_new_session=True,
    )


class _Deadline:
    """A moment from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.at = seconds, time.monotonic() + seconds


class Child:
    """A process that serves the questions of one module (see `session.served`). Every method may raise RuntimeFailure.

    After a Crashed or a TimedOut the process is gone, and every later question raises the same failure.
    """

    def __init__(self, module: str, name: str, limits: Limits) -> None:
        if sys.platform == "win32":  # pipes cannot be waited for there
            raise NotInstalled(f"{name} runs on Linux and macOS only: its process is watched through pipes")
        self.name, self._limits = name, limits
        self._failure: RuntimeFailure | None = None
        self._said, self._watched = bytearray(), 0.0
        self._folder = tempfile.TemporaryDirectory(prefix="model-contracts-", ignore_cleanup_errors=True)
        self._process = start(module, limits.memory_mb, self._folder.name)
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._in, self._out, self._err = (
            pipe.fileno() for pipe in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        for pipe in (self._in, self._out, self._err):
            os.set_blocking(pipe, False)
        files.widen(self._out)
        self._end = weakref.finalize(self, _end, self._process, self._folder)

    @property
    def pid(self) -> int:
        """The process, which leads a group of its own."""
        return self._process.pid

    def ask(self, question: str, arguments: dict[str, Any] | None = None, *, seconds: float | None = None) -> Frame:
        """One question, one answer, within `seconds` (`limits.seconds` where not given)."""
        deadline = _Deadline(seconds or self._limits.seconds)
        self._send(question, arguments, deadline)
        reply = self._receive(deadline)
        if reply.kind != "answer":
            raise self._broken(f"{self.name} answered {question!r} with {reply.kind!r}")
        return reply

    def stream(self, question: str, arguments: dict[str, Any] | None = None) -> Iterator[Frame]:
        """One question, many answers, each made when it is asked for, within the limit; leaving early ends the work."""
        self._send(question, arguments, self._soon())
        try:
            while (part := self._receive(self._soon())).kind == "part":
                yield part
                self._send("more", None, self._soon())
        except GeneratorExit:
            self._send("stop", None, self._soon())
            while self._receive(self._soon()).kind == "part":
                continue
            raise

    def close(self) -> None:
        """End the process and everything below it."""
        self._failure = self._failure or Refused(f"the session of {self.name} was closed")
        self._end()

    def _soon(self) -> _Deadline:
        return _Deadline(self._limits.seconds)

    def _send(self, question: str, arguments: dict[str, Any] | None, deadline: _Deadline) -> None:
        if self._failure is not None:
            raise type(self._failure)(self._failure.reason, self._failure.tail) from None
        for piece in pack(question, arguments or {}):
            done = 0
            while done < len(piece):
                try:
                    done += os.write(self._in, piece[done:])
                except BlockingIOError:
                    self._wait(deadline, writing=True)
                except BrokenPipeError:
                    raise self._died() from None

    def _receive(self, deadline: _Deadline) -> Frame:
        try:
            reply = unpack(lambda count: self._read(count, deadline))
        except BrokenMessage as broken:
            raise self._broken(f"{self.name} broke its stream of answers: {broken}") from None
        if reply.kind == "failed":
            raise self._failed(reply.value)
        return reply

    def _read(self, count: int, deadline: _Deadline) -> bytearray:
        data = bytearray(count)
        view, done = memoryview(data), 0
        while done < count:
            try:
                got = os.readv(self._out, [view[done : done + (1 << 20)]])
            except BlockingIOError:
                self._wait(deadline)
                continue
            if not got:
                raise self._died()
            done += got
        return data

    def _wait(self, deadline: _Deadline, writing: bool = False) -> None:
        """Until a pipe moves or a limit is crossed; what the child prints meanwhile is kept."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            selector.register(self._err, selectors.EVENT_READ)
            if writing:
                selector.register(self._in, selectors.EVENT_WRITE)
            while True:
                ready = [key.fd for key, _ in selector.select(_MEMORY_EVERY)]
                if self._err in ready and not self._listen():
                    selector.unregister(self._err)
                if time.monotonic() >= self._watched + _MEMORY_EVERY:
                    self._watch(deadline)
                if any(fd != self._err for fd in ready):
                    return

    def _watch(self, deadline: _Deadline) -> None:
        self._watched = time.monotonic()
        used, most = processes.memory(self.pid), self._limits.memory_mb << 20
        if used > most:
            reason = f"{self.name} took more than its {self._limits.memory_mb:,} MB of memory and was ended"
            raise self._stop(Crashed(reason, self._tail()))
        if self._watched > deadline.at:
            reason = f"{self.name} gave no answer within its time ({deadline.seconds:g} s) and was ended"
            raise self._stop(TimedOut(reason, self._tail()))

    def _listen(self) -> bool:
        """Take what was printed; False at its end."""
        try:
            said = os.read(self._err, 1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._said += said
        del self._said[:-TAIL_BYTES]
        return bool(said)

    def _tail(self) -> str:
        for _ in range(64):
            before = bytes(self._said)
            if not self._listen() or bytes(self._said) == before:
                break
        return last_lines(self._said)

    def _died(self) -> RuntimeFailure:
        try:
            code = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            return self._broken(f"{self.name} closed its stream of answers and went on")
        if code < 0:
            reason = f"{self.name} was ended by {processes.signal_name(-code)}"
            return self._stop(Crashed(reason, self._tail(), signal=-code))
        return self._stop(Crashed(f"{self.name} left with exit code {code}", self._tail(), exit_code=code))

    def _broken(self, reason: str) -> RuntimeFailure:
        return self._stop(Crashed(reason, self._tail()))

    def _failed(self, told: Any) -> RuntimeFailure:
        """A failure that the child itself reports; it lives on unless the failure says that something died."""
        kind = FAILURES.get(str(told.get("failure")), Crashed)
        reason, tail = str(told.get("reason")), str(told.get("tail") or "") or self._tail()
        if kind is Crashed:
            return Crashed(reason, tail, told.get("signal"), told.get("exit_code"))
        return kind(reason, tail)

    def _stop(self, failure: RuntimeFailure) -> RuntimeFailure:
        self._failure = failure
        self._end()
        return failure


def _end(process: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    processes.end(process.pid)
    # One that is held up in the kernel ends when the kernel lets go of it.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    folder.cleanup()
