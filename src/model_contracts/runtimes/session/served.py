"""Owns the inside of a child process: it reads questions, asks the module it was started for, and writes answers.

Such a module has `serve(**arguments)`, which loads an artifact and gives an object. `QUESTIONS` lists its methods that
give one answer (a value, or a value and arrays), `STREAMS` those that give many: they take `emit` as first argument.
One that started something (a server) has `close`, which ends it before another artifact takes its place.
"""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from model_contracts.runtimes.interface import Crashed, Refused, RuntimeFailure
from model_contracts.runtimes.session.frames import Frame, pack, unpack
from model_contracts.system import processes

#: Gives one part of a long answer.
Emit = Callable[..., None]


class Stopped(Exception):
    """Whoever asked has heard enough."""


class Line:
    """Both directions: messages out, and questions in, read by a thread so that the end of the parent is noticed."""

    def __init__(self) -> None:
        # Native code prints where it likes: the streams of answers get descriptors of their own.
        self._in, self._out = os.dup(0), os.dup(1)
        quiet = os.open(os.devnull, os.O_RDONLY)
        os.dup2(quiet, 0)
        os.dup2(2, 1)
        self.questions: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self.stop = threading.Event()
        self._more = threading.Semaphore(0)
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, kind: str, value: Any = None, arrays: tuple[Any, ...] = ()) -> None:
        """Write one message."""
        for piece in pack(kind, value, arrays):
            done = 0
            while done < len(piece):
                done += os.write(self._out, piece[done:])

    def question(self) -> Frame:
        """The next question; what was said of the one before it is forgotten."""
        message = self.questions.get()
        self.stop.clear()
        while self._more.acquire(blocking=False):
            continue
        return message

    def part(self, value: Any, arrays: tuple[Any, ...]) -> None:
        """One part of a long answer; back when the next is asked for. Raises Stopped.

        Nothing is computed ahead: two runtimes that compute at once wait for each other's threads, and take twice as
        long as one after the other.
        """
        self.say("part", value, arrays)
        self._more.acquire()
        if self.stop.is_set():
            raise Stopped

    def _listen(self) -> None:
        while True:
            message = unpack(self._read)
            if message.kind in ("more", "stop"):
                if message.kind == "stop":
                    self.stop.set()
                self._more.release()
            else:
                self.questions.put(message)

    def _read(self, count: int) -> bytearray:
        data = bytearray()
        while len(data) < count:
            got = os.read(self._in, count - len(data))
            if not got:
                leave()
            data += got
        return data


def leave() -> None:
    """End this process and its group at once, whatever it is doing."""
    processes.end_own_group()
    os._exit(1)


def main(words: list[str]) -> None:
    """Serve until the parent goes; `words`: module, memory limit in MB, bound or free."""
    module, memory_mb, bound = words
    if bound == "bound":
        processes.ends_with_parent()
    # A hard bound above the watched one, for memory that is taken faster than it is watched.
    processes.bound_memory((int(memory_mb) * 3 // 2 + 1024) << 20)
    line = Line()
    served: Any = None
    while True:
        message = line.question()
        try:
            if message.kind == "open":
                if hasattr(served, "close"):
                    served.close()
                served = None  # the one before goes first: two may be more than there is room for
                gc.collect()  # a model refers to itself
                served = import_module(module).serve(**message.value)
                line.say("answer", served.about())
            else:
                _answer(line, served, message)
        except RuntimeFailure as failure:
            line.say("failed", told(failure))
        except MemoryError:
            line.say("failed", {"failure": "Crashed", "reason": "ran out of memory"})
        except Exception as error:
            reason = f"{'cannot load it' if served is None else 'refused'}: {type(error).__name__}: {error}"
            line.say("failed", {"failure": "Refused", "reason": reason[:2000]})


def _answer(line: Line, served: Any, message: Frame) -> None:
    if served is None or message.kind not in (*served.QUESTIONS, *served.STREAMS):
        raise Refused(f"cannot be asked for {message.kind}")
    ask = getattr(served, message.kind)
    if message.kind in served.QUESTIONS:
        answer = ask(**message.value)
        value, arrays = answer if isinstance(answer, tuple) else (answer, ())
        line.say("answer", value, arrays)
        return

    def emit(value: Any, *arrays: Any) -> None:
        line.part(value, arrays)

    with contextlib.suppress(Stopped):
        ask(emit, **message.value)
    line.say("end")


def told(failure: RuntimeFailure) -> dict[str, Any]:
    """A failure as a message carries it."""
    value: dict[str, Any] = {"failure": type(failure).__name__, "reason": failure.reason, "tail": failure.tail}
    if isinstance(failure, Crashed):
        value |= {"signal": failure.signal, "exit_code": failure.exit_code}
    return value


if __name__ == "__main__":
    main(sys.argv[1:])
