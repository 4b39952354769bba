"""Owns the pieces of a pass: a tensor as it is worked on, the bytes that are read at once, the digest they add to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from threading import Lock
from typing import Any

from model_contracts.artifact import Tensor
from model_contracts.sweep.blocks import READ_BYTES, Cut
from model_contracts.sweep.few import FewSeen, Group
from model_contracts.sweep.figures import PackedFigures
from model_contracts.sweep.interface import Pairing
from model_contracts.sweep.projected import projections
from model_contracts.sweep.reads import File
from model_contracts.sweep.sides import Readable
from model_contracts.sweep.tallies import TensorTally


@dataclass(slots=True)
class Digest:
    """The digest of one file as it grows; `turn` is free when the chunk before has been added."""

    path: Path
    hash: Any
    turn: Lock = field(default_factory=Lock)
    whole: bool = True


@dataclass(slots=True)
class Work:
    """One tensor of the pass: its sides, how it is cut, and what has been seen of it.

    Once the last of its values is taken only what was found is kept: a file may have a hundred thousand tensors.
    """

    tensor: Tensor
    sides: tuple[Readable, ...]
    columns: int
    cut: Cut | None
    tally: TensorTally | None
    pairing: Pairing | None
    failed: bool = False
    found: FewSeen | None = None
    #: What an adapter adds to the source, read beside it.
    added: Readable | None = None
    #: What its parts show, where it is packed.
    figures: PackedFigures | None = None

    @property
    def gathers(self) -> bool:
        """Whether the target lies in several places, so that its side reads it and not the pass."""
        return self.tensor.packed is not None

    @property
    def threshold(self) -> float:
        """The cosine from which a row need not be named (a work that is given up needs none)."""
        tally = self.tally
        return tally.pair.threshold if tally is not None and tally.pair is not None else -inf

    def conclude(self) -> None:
        """Keep what the tally says, and let go of what it took."""
        tally = self.tally
        if tally is None or self.failed:
            return
        source = pair = None
        if tally.pair is not None and tally.source is not None:
            source, pair = tally.source.moments(), tally.pair.measures()
        seen = projections(tally.projected) if tally.projected is not None else ()
        self.found = FewSeen(tally.target.moments(), source, pair, seen)
        self.tally, self.cut, self.sides, self.added = None, None, (), None


@dataclass(slots=True)
class Chunk:
    """Bytes to read at once. With `work`, they hold values start..stop-1 of its target.

    `fresh` bytes at the end are new to the digest; the chunk adds them when `before` is free, then frees `after`.
    """

    file: File
    offset: int
    size: int
    work: Work | None = None
    group: Group | None = None
    start: int = 0
    stop: int = 0
    place: int = 0
    digest: Digest | None = None
    fresh: int = 0
    before: Lock | None = None
    after: Lock | None = None


def chunks_of(file: File, work: Work | Group) -> Iterator[Chunk]:
    """The bytes of a tensor, a chunk at a time; a group is one chunk."""
    if isinstance(work, Group):
        yield Chunk(file, work.start, work.stop - work.start, group=work)
        return
    assert work.cut is not None
    side = work.sides[0]
    for place, (start, stop) in enumerate(work.cut.chunks()):
        first, last = side.span(start, stop)
        yield Chunk(file, first, last - first, work, start=start, stop=stop, place=place)


def gathered(file: File, work: Work) -> Iterator[Chunk]:
    """Chunks of a target that its side reads: no bytes of the file are theirs."""
    if work.cut is not None:
        for place, (start, stop) in enumerate(work.cut.chunks()):
            yield Chunk(file, 0, 0, work, start=start, stop=stop, place=place)


def gap(file: File, digest: Digest, start: int, stop: int) -> Iterator[Chunk]:
    """Bytes between tensors, which only the digest needs."""
    for first in range(start, stop, READ_BYTES):
        chunk = Chunk(file, first, min(READ_BYTES, stop - first))
        take_turn(chunk, digest, chunk.size)
        yield chunk


def take_turn(chunk: Chunk, digest: Digest, fresh: int) -> None:
    """Put a chunk in line: its last `fresh` bytes are added to the digest after those of the chunk before it."""
    chunk.digest, chunk.fresh, chunk.before = digest, fresh, digest.turn
    chunk.after = digest.turn = Lock()
    chunk.after.acquire()
