"""Owns where a pass runs: beside its caller where it is small, in a process of its own where it is large.

The gates that read no value are plain Python and hold the interpreter lock; a pass in the same process waits for it at
every block (measured: 988 MB took 0.93 s beside them, 0.43 s apart). Where a source is known before its target is
written, that process is there early: it loads kernels and digests the source on a core that would be idle.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_contracts.artifact import Tensor
from model_contracts.sweep.engines import remember
from model_contracts.sweep.interface import Pairing, Sweep, SweepRequest
from model_contracts.sweep.reads import File, ReadFailed
from model_contracts.sweep.sweep import Progress, sweep
from model_contracts.system.cores import cores

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: Bytes from which a process of its own pays for itself.
LARGE = 64 * 1024 * 1024
#: Seconds between two words on progress.
_TELL = 0.1
_PIECE = 1024 * 1024

Starts = Callable[[SweepRequest], Callable[[], Sweep]]


def start(request: SweepRequest, progress: Progress | None = None) -> Callable[[], Sweep]:
    """Start a pass; what is returned waits for it and gives what it saw, or raises what it raised."""
    if _bytes(request.tensors) >= LARGE and _may_fork():
        child = _Child((), (), progress)
        child.ask(request)
        return child.result
    with_thread = ThreadPoolExecutor(1)
    future = with_thread.submit(sweep, request, progress=progress)
    with_thread.shutdown(wait=False)
    return future.result


@contextmanager
def ahead(source: Sequence[Tensor], files: Sequence[Path], progress: Progress | None = None) -> Iterator[Starts | None]:
    """What will start the one pass over a target and this source, ready early; None where `start` is as good.

    `files` are digested meanwhile, and not again in the pass unless they have changed. The process ends with the block.
    """
    if _bytes(source) < LARGE or not _may_fork():
        yield None
        return
    child = _Child(source, files, progress)

    def begin(request: SweepRequest) -> Callable[[], Sweep]:
        child.ask(request)
        return child.result

    try:
        yield begin
    finally:
        child.end()


def _bytes(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


def _may_fork() -> bool:
    """A fork copies one thread only: it is safe where there is one, and elsewhere nothing is gained.

    On macOS a forked process may not use the system's own libraries, and Windows has none: a thread does it there.
    """
    return sys.platform.startswith("linux") and threading.active_count() == 1


class _Child:
    """A pass in a forked process: it inherits what is imported; request and answer go through a pipe."""

    def __init__(self, source: Sequence[Tensor], files: Sequence[Path], progress: Progress | None) -> None:
        import multiprocessing

        context = multiprocessing.get_context("fork")
        self._progress = progress
        self._answer: Sweep | None = None
        self._failure: str | None = None
        self._ours, theirs = context.Pipe()
        work = (source, files, progress is not None, theirs, self._ours)
        self._process = context.Process(target=_run, args=work, daemon=True)
        with warnings.catch_warnings():
            # Python 3.12 warns where a library keeps threads of its own; OpenBLAS ends its before a fork.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        theirs.close()

    def ask(self, request: SweepRequest) -> None:
        """Send the request; one that has ended already says so when its answer is waited for."""
        try:
            self._ours.send(request)
        except OSError:
            self._ended()

    def result(self) -> Sweep:
        """Wait for the answer. Raises RuntimeError where the process ended without one."""
        while self._answer is None and self._failure is None:
            try:
                kind, *values = self._ours.recv()
            except (EOFError, OSError):
                self._ended()
                break
            if kind == "progress" and self._progress is not None:
                self._progress(*values)
            elif kind == "done":
                self._answer = values[0]
                if self._answer.refused is not None:
                    remember(self._answer.refused)
            elif kind == "failed":
                self._failure = values[0]
        self._process.join()
        if self._answer is None:
            raise RuntimeError(self._failure)
        return self._answer

    def end(self) -> None:
        """End the process, whatever it does: nothing that it has is on disk."""
        self._process.kill()
        self._process.join()
        self._ours.close()

    def _ended(self) -> None:
        self._process.join()
        self._failure = f"the pass over the bytes ended without an answer (exit {self._process.exitcode})"


def _run(
    source: Sequence[Tensor],
    files: Sequence[Path],
    tells: bool,
    pipe: Connection[Any, Any],
    parents: Connection[Any, Any],
) -> None:
    # The parent's end is closed here: otherwise nobody would notice that the parent is gone.
    parents.close()
    # An interrupt is for the parent, which ends this process; the handlers it has set are not for here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if (now := time.monotonic()) - told > _TELL:
            told = now
            pipe.send(("progress", done, total))

    try:
        known = _ready(source, files)
        request = pipe.recv()
        answer: tuple[str, Any] = ("done", _swept(request, known, tell if tells else None))
    except EOFError:  # nothing will be asked
        return
    except Exception as error:
        answer = ("failed", f"{type(error).__name__}: {error}")
    with suppress(BrokenPipeError):  # nobody waits for it any more
        pipe.send(answer)
    pipe.close()


def _ready(source: Sequence[Tensor], files: Sequence[Path]) -> dict[Path, tuple[File, str]]:
    """Load what a pass over this source will need, and digest its files; one that cannot be read is left for later."""
    if source:
        from model_contracts.sweep.engines import choose

        pairings = {tensor.name: Pairing(tensor, tensor) for tensor in source}
        choose(SweepRequest(source, pairings), "auto", cores())
    known = {}
    for path in files:
        try:
            file = File(path)
            known[path] = (file, _digest(file))
        except ReadFailed:
            continue
    return known


def _digest(file: File) -> str:
    from blake3 import blake3

    digest, buffer = blake3(), bytearray(_PIECE)
    for start in range(0, file.size, _PIECE):
        view = memoryview(buffer)[: min(_PIECE, file.size - start)]
        file.read(view, start)
        digest.update(view)
    return f"blake3:{digest.hexdigest()}"


def _swept(request: SweepRequest, known: Mapping[Path, tuple[File, str]], progress: Progress | None) -> Sweep:
    """The pass; files that are digested already are not read again for it, unless they are others by now."""
    digests = {path: digest for path, (file, digest) in known.items() if file.changed() is None}
    targets = {tensor.file for tensor in request.tensors}
    rest = [path for path in request.digest if path in targets or path not in digests]
    seen = sweep(replace(request, digest=rest), progress=progress)
    failed = {problem.file for problem in seen.problems if problem.tensor is None}
    seen.digests |= {path: digests[path] for path in request.digest if path not in rest and path not in failed}
    return seen
