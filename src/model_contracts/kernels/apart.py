"""Owns where a pass runs: beside its caller where it is small, in a process of its own where it is large.

The gates that read no value are plain Python and hold the interpreter lock; a pass in the same process waits for it at
every block (measured: 988 MB took 0.93 s beside them, 0.43 s apart).
"""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from model_contracts.kernels.interface import Sweep, SweepRequest
from model_contracts.kernels.sweep import Progress, sweep

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: Bytes from which a process of its own pays for itself.
LARGE = 64 * 1024 * 1024
#: Seconds between two words on progress.
_TELL = 0.1


def start(request: SweepRequest, progress: Progress | None = None) -> Callable[[], Sweep]:
    """Start a pass; what is returned waits for it and gives what it saw, or raises what it raised."""
    if sum(tensor.nbytes for tensor in request.tensors) >= LARGE and _may_fork():
        return _Child(request, progress is not None, progress).result
    with_thread = ThreadPoolExecutor(1)
    future = with_thread.submit(sweep, request, progress=progress)
    with_thread.shutdown(wait=False)
    return future.result


def _may_fork() -> bool:
    """A fork copies one thread only: it is safe where there is one, and elsewhere nothing is gained."""
    return sys.platform.startswith("linux") and threading.active_count() == 1


class _Child:
    """A pass in a forked process: it inherits what is imported, and its answer comes back through a pipe."""

    def __init__(self, request: SweepRequest, tells: bool, progress: Progress | None) -> None:
        import multiprocessing

        context = multiprocessing.get_context("fork")
        self._progress, self._answer = progress, None
        self._ours, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(request, tells, theirs), daemon=True)
        with warnings.catch_warnings():
            # Python 3.12 warns where a library keeps threads of its own; OpenBLAS ends its before a fork.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        theirs.close()
        self._failure: str | None = None

    def result(self) -> Sweep:
        """Wait for the answer. Raises RuntimeError where the process ended without one."""
        while self._answer is None and self._failure is None:
            try:
                kind, *values = self._ours.recv()
            except EOFError:
                self._process.join()
                self._failure = f"the pass over the bytes ended without an answer (exit {self._process.exitcode})"
                break
            if kind == "progress" and self._progress is not None:
                self._progress(*values)
            elif kind == "done":
                self._answer = values[0]
            elif kind == "failed":
                self._failure = values[0]
        self._process.join()
        if self._answer is None:
            raise RuntimeError(self._failure)
        return self._answer


def _run(request: SweepRequest, tells: bool, pipe: Connection[Any, Any]) -> None:
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if (now := time.monotonic()) - told > _TELL:
            told = now
            pipe.send(("progress", done, total))

    try:
        answer: tuple[str, Any] = ("done", sweep(request, progress=tell if tells else None))
    except Exception as error:
        answer = ("failed", f"{type(error).__name__}: {error}")
    pipe.send(answer)
    pipe.close()
