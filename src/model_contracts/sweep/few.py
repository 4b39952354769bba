"""Owns tensors of few values: many are read at once, and those of one type and size are reduced as rows of one array.

A header of a few megabytes declares a hundred thousand tensors. What one tensor costs by itself (a read, a turn, some
twenty calls of numpy) is paid here once for hundreds; sums and extremes equal those of `reduce_numpy` to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.sweep.blocks import logical_columns
from model_contracts.sweep.interface import Moments, Pairing, PairMeasures, Projection
from model_contracts.sweep.kernels.decode_numpy import value_type
from model_contracts.sweep.kernels.totals import Bytes, Floats
from model_contracts.sweep.reads import File, Files
from model_contracts.sweep.reduce_few import moments_of, pairs_of
from model_contracts.sweep.sides import Decoders

#: Values of a tensor of few values; bytes that are read at once, and values that are decoded at once.
_FEW = 1024
MOST_BYTES = 256 * 1024
_MOST_VALUES = 64 * 1024
#: Tensors whose numbers are written down at once.
_AT_ONCE = 4096
#: Bytes between two tensors that are read although neither holds them.
_NEAR = 4096


@dataclass(frozen=True, slots=True)
class FewSeen:
    """What the pass saw of one tensor: its moments and, of a pair, the source's and the measures of both."""

    moments: Moments
    source: Moments | None = None
    pair: PairMeasures | None = None
    projections: tuple[Projection, ...] = ()


@dataclass(slots=True)
class Group:
    """Neighbours of few values that are read at once, in the order of the file; `found` is theirs, in that order."""

    members: list[tuple[Tensor, Pairing | None]] = field(default_factory=list)
    start: int = 0
    stop: int = 0
    values: int = 0
    found: list[FewSeen | None] = field(default_factory=list)

    def takes(self, tensor: Tensor) -> bool:
        """Whether a tensor that follows in the file is near enough, and the group not yet full."""
        stop = max(self.stop, tensor.offset + _nbytes(tensor))
        room = stop - self.start <= MOST_BYTES and self.values + tensor.elements <= _MOST_VALUES
        return not self.members or (room and tensor.offset - self.stop <= _NEAR)

    def add(self, tensor: Tensor, pairing: Pairing | None) -> None:
        """Take it in."""
        if not self.members:
            self.start = tensor.offset
        self.stop = max(self.stop, tensor.offset + _nbytes(tensor))
        self.values += tensor.elements
        self.members.append((tensor, pairing))

    def conclude(self, raw: Bytes, files: Files, engine: Decoders) -> int:
        """Reduce every member; `raw` are the bytes from `start`. Gives the bytes read of sources; raises ReadFailed."""
        found: list[FewSeen | None] = [None] * len(self.members)
        alike: dict[object, list[int]] = {}
        for at, (tensor, pairing) in enumerate(self.members):
            source = (pairing.source.dtype, pairing.source.file) if pairing is not None else None
            alike.setdefault((tensor.dtype, tensor.elements, logical_columns(tensor), source), []).append(at)
        read = 0
        for places in alike.values():
            tensors = [self.members[at][0] for at in places]
            offsets = np.array([tensor.offset - self.start for tensor in tensors])
            target = _decoded(_cut(raw, offsets, _nbytes(tensors[0])), tensors[0], engine)
            rows = logical_columns(tensors[0]) > 0
            pairings = [pairing for at in places if (pairing := self.members[at][1]) is not None]
            if not pairings:
                _tell(found, places, rows, target)
                continue
            stored, size = _gathered([pairing.source for pairing in pairings], files)
            read += size
            _tell(found, places, rows, target, _decoded(stored, pairings[0].source, engine))
        self.found = found
        return read


def _tell(
    found: list[FewSeen | None], places: list[int], rows: bool, target: Floats, source: Floats | None = None
) -> None:
    """Write down what was found of each tensor, some thousands at a time: of all at once the numbers take memory."""
    for first in range(0, len(places), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        every = moments_of(target[some], rows)
        if source is None:
            for at, moments in zip(places[some], every, strict=True):
                found[at] = FewSeen(moments)
            continue
        several = every, moments_of(source[some], rows), pairs_of(target[some], source[some], rows)
        for at, ours, theirs, pair in zip(places[some], *several, strict=True):
            found[at] = FewSeen(ours, ours if ours == theirs else theirs, pair)


def is_few(tensor: Tensor, file: File) -> bool:
    """Whether a tensor may be one of a group: few values in whole blocks that are there, in one row or in none."""
    kind, elements = tensor.type, tensor.elements
    if tensor.packed is not None or tensor.computed is not None:
        return False
    if not 0 < elements <= _FEW or elements % kind.block or tensor.row_bytes is not None or tensor.dtype == "APR_Q8":
        return False
    columns, nbytes = logical_columns(tensor), _nbytes(tensor)
    one_row = columns in (0, elements) and not (columns and len(tensor.shape) > 2)
    return one_row and nbytes <= tensor.nbytes and 0 <= tensor.offset <= file.size - nbytes


def _nbytes(tensor: Tensor) -> int:
    return tensor.elements // tensor.type.block * tensor.type.block_bytes


def _decoded(stored: Bytes, tensor: Tensor, engine: Decoders) -> Floats:
    """Values [tensors, values] of stored bytes [tensors, bytes], as float64."""
    if tensor.dtype == "F32":
        return stored.view("<f4").astype(np.float64)
    decode, kind = engine.decoder(tensor.dtype), tensor.type
    assert decode is not None
    out = np.empty((stored.size // kind.block_bytes, kind.block), value_type(tensor.dtype))
    decode(stored.reshape(-1, kind.block_bytes), out)
    return out.reshape(len(stored), -1).astype(np.float64)


def _cut(raw: Bytes, offsets: np.ndarray[tuple[int], np.dtype[np.int64]], nbytes: int) -> Bytes:
    """`nbytes` bytes at each offset, as rows."""
    cut: Bytes = raw[offsets[:, None] + np.arange(nbytes)]
    return cut


def _gathered(tensors: Sequence[Tensor], files: Files) -> tuple[Bytes, int]:
    """Bytes [tensors, bytes] of tensors of one file and size, near ones in one read, and the bytes read."""
    nbytes, file, read = _nbytes(tensors[0]), files.get(tensors[0].file), 0
    offsets = np.array([tensor.offset for tensor in tensors])
    order = np.argsort(offsets, kind="stable")
    out = np.empty((len(tensors), nbytes), np.uint8)
    for places in _runs(offsets, order.tolist(), nbytes):
        first = int(offsets[places[0]])
        raw = np.empty(int(offsets[places[-1]]) + nbytes - first, np.uint8)
        file.read(raw, first)
        out[places] = _cut(raw, offsets[places] - first, nbytes)
        read += len(raw)
    return out, read


def _runs(offsets: np.ndarray[tuple[int], np.dtype[np.int64]], order: list[int], nbytes: int) -> Iterator[list[int]]:
    run: list[int] = []
    for place in order:
        near = not run or offsets[place] - offsets[run[-1]] <= nbytes + _NEAR
        if not (near and (not run or offsets[place] + nbytes - offsets[run[0]] <= MOST_BYTES)):
            yield run
            run = []
        run.append(place)
    yield run
