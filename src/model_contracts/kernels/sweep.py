"""Owns the one pass over the bytes: reads in file order, digests in turn, decodes and reduces on every core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import Literal

import numpy as np

from model_contracts.kernels.engines import Engine, choose
from model_contracts.kernels.interface import Moments, Sweep, SweepRequest
from model_contracts.kernels.plan import Chunk, Plan, Work
from model_contracts.kernels.reads import Files, ReadFailed
from model_contracts.kernels.reduce import Bench
from model_contracts.system.cores import cores

#: More threads than this gain nothing (memory is what limits) and cost buffers.
_MOST_THREADS = 16
#: A pass of fewer bytes than this runs in the caller's thread.
_ALONE = 1024 * 1024

Progress = Callable[[int, int], None]


def sweep(
    request: SweepRequest,
    *,
    threads: int | None = None,
    engine: Literal["auto", "numba", "numpy"] = "auto",
    progress: Progress | None = None,
) -> Sweep:
    """Moments of every target tensor, of the source of every pairing, pair measures and digests, in one pass.

    A read that fails is a Problem of the result, and its tensor has no moments. `progress` is called with bytes
    done and bytes in all. Memory: a few MB a thread, whatever the size of the files.
    """
    started = time.perf_counter()
    count = threads or min(cores(), _MOST_THREADS)
    chosen = choose(request, engine, count)
    seen = Sweep(engine=chosen.name)
    files = Files()
    plan = Plan(request, chosen, files, seen)
    try:
        crew = _Crew(plan, chosen, plan.total())
        crew.work(count if crew.total > _ALONE else 1, progress)
    finally:
        seen.problems += files.close()
    _conclude(plan, seen)
    seen.seconds = time.perf_counter() - started
    return seen


class _Crew:
    """Threads that take the next chunk, read it, add it to the digest in its turn, and reduce it."""

    def __init__(self, plan: Plan, engine: Engine, total: int) -> None:
        self._plan, self._engine, self.total = plan, engine, total
        self._chunks: Iterator[Chunk] = plan.chunks()
        self._lock = Lock()
        self._stopped = False
        self._done = 0

    def work(self, threads: int, progress: Progress | None) -> None:
        if threads == 1:
            self._run(progress)
            return
        with ThreadPoolExecutor(threads) as pool:
            try:
                waiting: set[Future[None]] = {pool.submit(self._run, None) for _ in range(threads)}
                while waiting:
                    done, waiting = wait(waiting, 0.1 if progress is not None else None, FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    if progress is not None:
                        progress(min(self._done, self.total), self.total)
            finally:
                self._stopped = True

    def _run(self, progress: Progress | None) -> None:
        bench = Bench(self._engine)
        with np.errstate(all="ignore"):
            while not self._stopped:
                with self._lock:
                    chunk = next(self._chunks, None)
                if chunk is None:
                    return
                self._one(chunk, bench)
                if progress is not None:
                    progress(min(self._done, self.total), self.total)

    def _one(self, chunk: Chunk, bench: Bench) -> None:
        work = chunk.work
        read, failed = 0, None
        raw = bench.room(0, chunk.size)
        try:
            if chunk.digest is not None or (work is not None and not work.tally.failed):
                chunk.file.read(raw, chunk.offset)
                read = chunk.size
        except ReadFailed as error:
            failed = error
        finally:
            _digest(chunk, raw, read == chunk.size)
        if work is not None and not work.tally.failed and failed is None:
            try:
                with self._engine.turn:
                    part = bench.reduce(work, raw, chunk.start, chunk.stop)
                work.tally.take(chunk.place, part)
                read += bench.source_bytes
            except ReadFailed as error:
                failed = error
        with self._lock:
            self._done += read
            if failed is not None:
                self._fail(chunk, failed)

    def _fail(self, chunk: Chunk, error: ReadFailed) -> None:
        if chunk.work is not None:
            self._plan.fail(chunk.work, error)
        elif chunk.digest is not None and not any(problem.file == error.path for problem in self._plan.problems):
            self._plan.problems.append(error.problem(None))


def _digest(chunk: Chunk, raw: np.ndarray[tuple[int], np.dtype[np.uint8]], whole: bool) -> None:
    """Add the chunk's new bytes when the chunk before it has added its own; free the next one in any case."""
    if chunk.digest is None or chunk.before is None or chunk.after is None:
        return
    with chunk.before:
        if whole and chunk.digest.whole:
            chunk.digest.hash.update(raw[chunk.size - chunk.fresh :].data)
        else:
            chunk.digest.whole = False
    chunk.after.release()


def _conclude(plan: Plan, seen: Sweep) -> None:
    for work in plan.works:
        if not work.tally.failed:
            _add(seen, work, work.tensor.name)
    for tensor, work in plan.twins:
        if not work.tally.failed:
            _add(seen, work, tensor.name)
    for name in plan.paired:
        if name not in seen.pairs:
            seen.uncompared.setdefault(name, "its values were not read")
    for digest in plan.digests:
        if digest.whole:
            seen.digests[digest.path] = f"blake3:{digest.hash.hexdigest()}"
    for problem in seen.problems:
        if problem.tensor is None:
            seen.digests.pop(problem.file, None)


def _add(seen: Sweep, work: Work, name: str) -> None:
    moments = work.tally.target.moments()
    seen.values += moments.count
    if name in seen.moments:
        _join(seen.moments[name], moments)
        return
    seen.moments[name] = moments
    if work.tally.pair is not None and work.tally.source is not None and work.pairing is not None:
        seen.pairs[name] = work.tally.pair.measures()
        order = work.sides[1].source_row if work.sides else None
        seen.source_moments.setdefault(work.pairing.source.name, work.tally.source.moments(order))


def _join(first: Moments, more: Moments) -> None:
    """Two tensors of one name: what is wrong with either shows; rows are named in the first only."""
    for field in ("count", "nan", "infinite", "zeros", "total", "squares"):
        setattr(first, field, getattr(first, field) + getattr(more, field))
    first.minimum, first.maximum = min(first.minimum, more.minimum), max(first.maximum, more.maximum)
