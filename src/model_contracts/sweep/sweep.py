"""Owns the one pass over the bytes: reads in file order, digests in turn, decodes and reduces on every core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Lock
from typing import Literal

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.sweep.engines import Engine, choose, refused
from model_contracts.sweep.few import FewSeen, Group
from model_contracts.sweep.interface import Moments, Pairing, Sweep, SweepRequest
from model_contracts.sweep.kernels.totals import Bytes
from model_contracts.sweep.plan import SweepPlan
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.reduce import Bench
from model_contracts.sweep.unit_figures import packed_figures
from model_contracts.sweep.work import Chunk, Work
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
    seen = Sweep(engine=chosen.name, refused=refused())
    files = Files()
    plan = SweepPlan(request, chosen, files, seen)
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

    def __init__(self, plan: SweepPlan, engine: Engine, total: int) -> None:
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
        wanted = work is not None and not work.failed
        read, failed = 0, None
        raw = bench.room(0, chunk.size)
        try:
            if chunk.digest is not None or wanted or chunk.group is not None:
                chunk.file.read(raw, chunk.offset)
                read = chunk.size
            if work is not None and wanted and work.gathers:
                raw = bench.gather(work.sides[0], chunk.start, chunk.stop)
                read = len(raw)
        except ReadFailed as error:
            failed = error
        finally:
            _digest(chunk, raw, read == chunk.size)
        if chunk.group is not None:
            read += self._group(chunk.group, raw, failed, bench)
            failed = None
        elif work is not None and wanted and failed is None:
            failed = self._reduce(work, chunk, raw, bench)
            read += bench.source_bytes
        with self._lock:
            self._done += read
            if failed is not None:
                self._fail(chunk, failed)

    def _reduce(self, work: Work, chunk: Chunk, raw: Bytes, bench: Bench) -> ReadFailed | None:
        """Add what a chunk gives to its work, which is concluded with its last value."""
        try:
            with self._engine.turn:
                part = bench.reduce(work, raw, chunk.start, chunk.stop)
        except ReadFailed as error:
            return error
        tally = work.tally
        if tally is not None and tally.take(chunk.place, part, chunk.stop - chunk.start):
            if work.tensor.packed is not None:
                work.figures = packed_figures(work.tensor, self._plan.files)
            with self._lock:
                work.conclude()
        return None

    def _group(self, group: Group, raw: Bytes, failed: ReadFailed | None, bench: Bench) -> int:
        """Reduce a group; where a read fails each of its tensors is tried by itself, so that one of them is named."""
        if failed is None:
            try:
                with self._engine.turn:
                    return group.conclude(raw, self._plan.files, self._engine)
            except ReadFailed:
                pass
        group.found = [self._alone(tensor, pairing, bench) for tensor, pairing in group.members]
        return 0

    def _alone(self, tensor: Tensor, pairing: Pairing | None, bench: Bench) -> FewSeen | None:
        with self._lock:
            work = self._plan.work(tensor, pairing)
        if work is None:
            return None
        start, stop = work.sides[0].span(0, tensor.elements)
        chunk = Chunk(self._plan.files.get(tensor.file), start, stop - start, work, stop=tensor.elements)
        self._one(chunk, bench)
        return work.found

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


def _conclude(plan: SweepPlan, seen: Sweep) -> None:
    for work in plan.works:
        for tensor, pairing, found in _found(work):
            _add(seen, found, pairing, tensor.name)
        if isinstance(work, Group):
            work.members, work.found = [], []
        if isinstance(work, Work) and work.figures is not None and not work.failed:
            seen.packed.setdefault(work.tensor.name, work.figures)
    for tensor, work in plan.twins:
        if work.found is not None:
            _add(seen, FewSeen(work.found.moments), None, tensor.name)
    for name in plan.paired:
        if name not in seen.pairs:
            seen.uncompared.setdefault(name, "its values were not read")
    for digest in plan.digests:
        if digest.whole:
            seen.digests[digest.path] = f"blake3:{digest.hash.hexdigest()}"
    for problem in seen.problems:
        if problem.tensor is None:
            seen.digests.pop(problem.file, None)


def _found(work: Work | Group) -> Iterator[tuple[Tensor, Pairing | None, FewSeen]]:
    if isinstance(work, Work):
        if work.found is not None and not work.failed:
            yield work.tensor, work.pairing, work.found
        return
    for (tensor, pairing), found in zip(work.members, work.found, strict=False):
        if found is not None:
            yield tensor, pairing, found


def _add(seen: Sweep, found: FewSeen, pairing: Pairing | None, name: str) -> None:
    moments = found.moments
    seen.values += moments.count
    if name in seen.moments:
        seen.moments[name] = _joined(seen.moments[name], moments)
        return
    seen.moments[name] = moments
    if found.pair is not None and found.source is not None and pairing is not None:
        seen.pairs[name] = found.pair
        seen.source_moments.setdefault(pairing.source.name, found.source)
        if found.projections:
            seen.projections[name] = found.projections


def _joined(first: Moments, more: Moments) -> Moments:
    """Two tensors of one name: what is wrong with either shows; rows are named in the first only."""
    joined = replace(first, minimum=min(first.minimum, more.minimum), maximum=max(first.maximum, more.maximum))
    for field in ("count", "nan", "infinite", "zeros", "total", "squares"):
        setattr(joined, field, getattr(first, field) + getattr(more, field))
    return joined
