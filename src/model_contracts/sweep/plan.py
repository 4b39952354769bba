"""Owns the order of a pass: target files from start to end, cut into chunks, with the bytes between tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from model_contracts.artifact import Tensor
from model_contracts.sweep.blocks import BlockLayout, Cut, logical_columns
from model_contracts.sweep.few import Group, is_few
from model_contracts.sweep.interface import Pairing, Problem, Sweep, SweepRequest
from model_contracts.sweep.made import side_of
from model_contracts.sweep.reads import File, Files, ReadFailed, Undecodable
from model_contracts.sweep.sides import Decoders, Readable
from model_contracts.sweep.tallies import TensorTally
from model_contracts.sweep.work import Chunk, Digest, Work, chunks_of, gap, gathered, take_turn

#: Bytes of tensors that share them are read again for each, but a file's bytes at most this often in all.
MOST_OFTEN = 8


class SweepPlan:
    """The chunks of a request, made one at a time so that a long file takes no memory."""

    def __init__(self, request: SweepRequest, engine: Decoders, files: Files, sweep: Sweep) -> None:
        self._request, self._engine, self._sweep = request, engine, sweep
        self.files = files
        self._pairings: dict[str, Pairing] = {}
        for name, pairing in request.pairings.items():
            if (reason := incomparable(pairing, engine)) is None:
                self._pairings[name] = pairing
            else:
                sweep.uncompared[name] = reason
        self._targets: dict[Path, list[Tensor]] = {}
        for tensor in request.tensors:
            self._targets.setdefault(tensor.file, []).append(tensor)
        self.works: list[Work | Group] = []
        self.problems: list[Problem] = sweep.problems
        self.digests: list[Digest] = []
        #: Tensors that are the same bytes read the same way: name to the work that answers for it.
        self.twins: list[tuple[Tensor, Work]] = []
        #: Works that begin at the byte where the last tensor began, by what is read and how.
        self._last: dict[object, Work] = {}
        self._paid: set[object] = set()

    def total(self) -> int:
        """Bytes that the pass will read, near enough for a bar."""
        targets = sum(tensor.nbytes for tensor in self._request.tensors)
        sources = sum(pairing.source.nbytes for pairing in self._pairings.values())
        return targets + sources + sum(_size(path) for path in self._request.digest if path not in self._targets)

    @property
    def paired(self) -> Iterable[str]:
        """Target names of the pairs whose values can be compared."""
        return self._pairings

    def chunks(self) -> Iterator[Chunk]:
        """All chunks in order: target files first, then files that are only digested."""
        wanted = dict.fromkeys(self._request.digest)
        for path in [*self._targets, *(path for path in wanted if path not in self._targets)]:
            try:
                file = self.files.get(path)
            except ReadFailed as error:
                self._sweep.problems.append(error.problem(None))
                continue
            yield from self._file(file, self._digest(path) if path in wanted else None)

    def _digest(self, path: Path) -> Digest:
        from blake3 import blake3

        self.digests.append(Digest(path, blake3()))
        return self.digests[-1]

    def _file(self, file: File, digest: Digest | None) -> Iterator[Chunk]:
        position, budget = 0, [MOST_OFTEN * file.size]
        for work in self._together(file, budget):
            if isinstance(work, Work) and work.gathers:
                yield from gathered(file, work)
                continue
            first = work.start if isinstance(work, Group) else work.sides[0].span(0, 1)[0]
            if digest is not None and first > position:
                yield from gap(file, digest, position, first)
                position = first
            for chunk in chunks_of(file, work):
                if digest is not None and chunk.offset + chunk.size > position:
                    take_turn(chunk, digest, chunk.offset + chunk.size - position)
                    position = chunk.offset + chunk.size
                yield chunk
        if digest is not None:
            yield from gap(file, digest, position, file.size)

    def _together(self, file: File, budget: list[int]) -> Iterator[Work | Group]:
        """What is read at once, in file order: a tensor, or neighbours of few values."""
        group = Group()
        for tensor, pairing in self._tensors(file.path):
            few = self._engine.name == "numpy" and is_few(tensor, file) and _few_source(pairing, self.files)
            if group.members and not (few and group.takes(tensor)):
                yield self._grouped(group)
                group = Group()
            if not few:
                if (work := self._planned(tensor, pairing, budget)) is not None:
                    yield work
            elif self._again(tensor) or self._affordable(tensor, BlockLayout.of(tensor).nbytes, budget):
                group.add(tensor, pairing)
        if group.members:
            yield self._grouped(group)

    def _again(self, tensor: Tensor) -> bool:
        """Whether a tensor of few values is the same bytes as one before it, which has paid for them."""
        key = _bytes_of(tensor, None)
        again = key in self._paid
        self._paid.add(key)
        return again

    def _grouped(self, group: Group) -> Group:
        self.works.append(group)
        return group

    def _planned(self, tensor: Tensor, pairing: Pairing | None, budget: list[int]) -> Work | None:
        work = self.work(tensor, pairing)
        if work is None:
            return None
        self._last[_bytes_of(tensor, pairing)] = work
        self.works.append(work)
        nbytes = tensor.nbytes if work.gathers else work.sides[0].layout.nbytes if work.sides else 0
        if not tensor.elements or not self._affordable(tensor, nbytes, budget, work):
            return None
        return work

    def _affordable(self, tensor: Tensor, nbytes: int, budget: list[int], work: Work | None = None) -> bool:
        budget[0] -= nbytes
        if budget[0] < 0:
            reason = "is left out: too many tensors of the file share their bytes"
            error = ReadFailed(tensor.file, tensor.offset, nbytes, 0, reason)
            self.fail(work or Work(tensor, (), 0, None, None, self._pairing(tensor)), error)
        return budget[0] >= 0

    def _tensors(self, path: Path) -> Iterator[tuple[Tensor, Pairing | None]]:
        """Tensors to be read, in file order; one that is the same bytes as another is answered for by that one."""
        offset = -1
        for tensor in sorted(self._targets.get(path, ()), key=lambda tensor: tensor.offset):
            if tensor.placeholder or not tensor.readable:
                continue
            if tensor.packed is None and self._engine.decoder(tensor.dtype) is None:
                self._sweep.undecoded[tensor.dtype] = self._sweep.undecoded.get(tensor.dtype, 0) + 1
                continue
            if tensor.offset != offset:
                offset, self._last, self._paid = tensor.offset, {}, set()
            pairing = self._pairing(tensor)
            if pairing is None and (twin := self._last.get(_bytes_of(tensor, None))) is not None:
                self.twins.append((tensor, twin))
                continue
            yield tensor, pairing

    def _pairing(self, tensor: Tensor) -> Pairing | None:
        pairing = self._pairings.get(tensor.name)
        # A tensor of the same name in another shard is not the one that was paired.
        return pairing if pairing is not None and (pairing.target is tensor or pairing.target == tensor) else None

    def work(self, tensor: Tensor, pairing: Pairing | None) -> Work | None:
        """The work of one tensor; None where it cannot be read, which is a problem of the pass."""
        columns = logical_columns(tensor)
        if not tensor.elements:
            tally = TensorTally(0, columns, tensor.shape, False)
            work = Work(tensor, (), columns, None, tally, None)
            work.conclude()
            return work
        try:
            target = side_of(tensor, self.files, self._engine)
        except ReadFailed as error:
            self._sweep.problems.append(error.problem(tensor.name))
            return None
        sides: tuple[Readable, ...] = (target,)
        added: Readable | None = None
        if pairing is not None:
            try:
                if pairing.added is not None:
                    added = side_of(pairing.added.tensor, self.files, self._engine)
                sides = (target, side_of(pairing.source, self.files, self._engine))
            except ReadFailed as error:
                self._sweep.problems.append(error.problem(tensor.name))
                self._sweep.uncompared[tensor.name] = f"the source: {error.problem(None).reason}"
                pairing = added = None
        cut = Cut.of([side.layout for side in sides], columns, self._engine.sub_values)
        tally = TensorTally(tensor.elements, columns, tensor.shape, len(sides) > 1)
        return Work(tensor, sides, columns, cut, tally, pairing, added=added)

    def fail(self, work: Work, error: ReadFailed) -> None:
        """Leave a tensor out, and say why once."""
        if not work.failed:
            work.failed, work.tally = True, None
            problem = error.problem(work.tensor.name)
            if isinstance(error, Undecodable):
                self._sweep.undecodable[work.tensor.name] = problem.reason
            else:
                self._sweep.problems.append(problem)
            if work.pairing is not None:
                whose = "the source: " if problem.file == work.pairing.source.file != work.tensor.file else ""
                self._sweep.uncompared[work.tensor.name] = whose + problem.reason


def incomparable(pairing: Pairing, engine: Decoders) -> str | None:
    """Why the values of a pair cannot be compared one by one; None where they can.

    This is the only place that leaves a pair out before its bytes are read; what fails later is told by the pass.
    """
    parts = pairing.source.made.parts.values() if pairing.source.made is not None else (pairing.source,)
    for whose, tensor in (("", pairing.target), *(("the source's ", part) for part in parts)):
        if tensor.packed is not None and (reason := tensor.packed.unread) is not None:
            return reason.replace("values of", f"{whose}values of", 1)
        if tensor.placeholder:
            return f"{whose}entry has no bytes" if whose else "the entry has no bytes"
        if not tensor.readable:
            return f"{whose}bytes are not there" if whose else "its bytes are not there"
        if tensor.packed is None and engine.decoder(tensor.dtype) is None:
            return f"nothing decodes {whose}type {tensor.dtype}"
    if pairing.target.shape != pairing.source.shape:
        return "the shapes differ"
    return None


def _bytes_of(tensor: Tensor, pairing: Pairing | None) -> object:
    """Which bytes are read, and how: two tensors of which this is equal have equal moments."""
    source = pairing.source if pairing is not None else None
    return tensor.offset, tensor.nbytes, tensor.dtype, tensor.shape, tensor.row_bytes, tensor.packed, source


def _few_source(pairing: Pairing | None, files: Files) -> bool:
    """Whether a source can be read with its neighbours too: in its own order, from a file that is there."""
    if pairing is None:
        return True
    if pairing.added is not None:
        return False
    try:
        made = pairing.source.made is not None
        return not made and is_few(pairing.source, files.get(pairing.source.file))
    except ReadFailed:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
