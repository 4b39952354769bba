"""Owns the stream of values: chunks of each tensor read, decoded, encoded and written in place, on every core."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from model_contracts.converters.interface import ConversionRefused, FileLayout, PlannedTensor, Progress
from model_contracts.converters.narrowing import narrow, overflows
from model_contracts.converters.quantise import encoder
from model_contracts.dtypes import DTYPES
from model_contracts.sweep.blocks import LARGEST_BLOCK
from model_contracts.sweep.kernels.reduce_numpy import NumpyEngine
from model_contracts.sweep.made import side_of
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.sides import Readable
from model_contracts.system.cores import cores
from model_contracts.system.files import write_at

#: Values of one chunk, and bytes copied at once: both stay in a core's second-level cache, or near it.
CHUNK_VALUES, CHUNK_BYTES = 128 * 1024, 1024 * 1024
LARGEST_HALF = 65504.0
_MOST_THREADS = 16


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Values start…stop-1 of a tensor."""

    tensor: PlannedTensor
    start: int
    stop: int


class _Room:
    """Memory of one thread, used again for every chunk: fresh pages cost more than what is done in them."""

    def __init__(self) -> None:
        self._bytes = [np.empty(0, np.uint8) for _ in range(4)]

    def take(self, which: int, size: int) -> Any:
        """`size` bytes of one of four buffers."""
        if len(self._bytes[which]) < size:
            self._bytes[which] = np.empty(size, np.uint8)
        return self._bytes[which][:size]


class Stream:
    """Writes the tensors of a plan into an open file whose size is set already."""

    def __init__(
        self, tensors: tuple[PlannedTensor, ...], layout: FileLayout, descriptor: int, allow_overflow: bool
    ) -> None:
        self._tensors, self._layout, self._descriptor = tensors, layout, descriptor
        self._allow_overflow = allow_overflow
        self._files, self._engine = Files(), NumpyEngine()
        self._sides: dict[str, Readable] = {}
        self._lock, self._stopped, self._done = Lock(), False, 0
        self._total = sum(tensor.nbytes for tensor in tensors)
        #: Values that became infinite, by tensor, where that was allowed.
        self.overflowed: dict[str, int] = {}

    def run(self, progress: Progress | None = None) -> None:
        """Write every tensor. Raises ConversionRefused, and whatever the target's disk raises."""
        threads = min(cores(), _MOST_THREADS)
        chunks = self._chunks()
        try:
            with ThreadPoolExecutor(threads) as pool:
                try:
                    waiting = {pool.submit(self._work, chunks) for _ in range(threads)}
                    while waiting:
                        done, waiting = wait(waiting, 0.1 if progress else None, FIRST_EXCEPTION)
                        for future in done:
                            future.result()
                        if progress is not None:
                            progress(self._done, self._total)
                finally:
                    self._stopped = True
        except ReadFailed as error:
            raise ConversionRefused(str(error)) from None
        finally:
            problems = self._files.close()
        if problems:
            raise ConversionRefused(f"{problems[0].file}: {problems[0].reason}")

    def _chunks(self) -> Iterator[_Chunk]:
        for tensor in self._tensors:
            if tensor.source is not None and not tensor.placeholder:
                step = _step(tensor)
                for start in range(0, tensor.elements, step):
                    yield _Chunk(tensor, start, min(start + step, tensor.elements))
            elif tensor.data is not None:
                write_at(self._descriptor, tensor.data, self._layout.offsets[tensor.name])

    def _work(self, chunks: Iterator[_Chunk]) -> None:
        room = _Room()
        with np.errstate(all="ignore"):
            while not self._stopped:
                with self._lock:
                    chunk = next(chunks, None)
                    side = self._side(chunk.tensor) if chunk is not None else None
                if chunk is None or side is None:
                    return
                data = self._encoded(chunk, side, room)
                write_at(self._descriptor, data, self._place(chunk))
                with self._lock:
                    self._done += data.size

    def _side(self, tensor: PlannedTensor) -> Readable:
        """The source of a tensor, opened once; only the one or two that are being read are kept."""
        if tensor.name not in self._sides:
            assert tensor.source is not None
            while len(self._sides) > _MOST_THREADS:
                self._sides.pop(next(iter(self._sides)))
            self._sides[tensor.name] = side_of(tensor.source, self._files, self._engine)
        return self._sides[tensor.name]

    def _place(self, chunk: _Chunk) -> int:
        tensor = chunk.tensor
        base = self._layout.offsets[tensor.name]
        if tensor.row_bytes is not None:
            return base + chunk.start // tensor.shape[-1] * tensor.row_bytes
        return base + DTYPES[tensor.dtype].nbytes(chunk.start)

    def _encoded(self, chunk: _Chunk, side: Readable, room: _Room) -> Any:
        tensor, held = chunk.tensor, side.stored
        low, high = side.span(chunk.start, chunk.stop)
        raw = side.read(room.take(0, high - low), chunk.start, chunk.stop)
        if held == tensor.dtype and tensor.row_bytes is None and not side.layout.row_bytes:
            return raw
        if held == "BF16" and tensor.dtype == "F16":
            return self._narrowed(tensor, raw.view("<u2"), room)
        decoded = room.take(1, 8 * (chunk.stop - chunk.start + 2 * LARGEST_BLOCK)).view(np.float64)
        values = side.decode(raw, chunk.start, chunk.start, chunk.stop, decoded)
        if tensor.dtype == "F16":
            self._refuse_overflow(tensor, values)
        if tensor.dtype != "F64":
            values = values.astype(np.float32, copy=False)
        if tensor.row_bytes is not None:
            values = _padded_rows(values, tensor)
        return encoder(tensor.dtype)(values)

    def _narrowed(self, tensor: PlannedTensor, bits: Any, room: _Room) -> Any:
        halves, scratch = (room.take(which, bits.nbytes) for which in (2, 3))
        if overflows(narrow(bits, halves.view("<u2"), scratch.view("<u2"))):
            self._refuse_overflow(tensor, (bits.astype(np.uint32) << np.uint32(16)).view(np.float32))
        return halves

    def _refuse_overflow(self, tensor: PlannedTensor, values: Any) -> None:
        beyond = np.isfinite(values) & (np.abs(values) > LARGEST_HALF)
        if not beyond.any():
            return
        if not self._allow_overflow:
            worst = values[beyond][np.argmax(np.abs(values[beyond]))]
            raise ConversionRefused(
                f"{tensor.name}: {float(worst):g} is beyond F16's largest value, 65504; --dtype BF16 or F32 holds it, "
                "--allow-overflow writes infinity in its place"
            )
        with self._lock:
            self.overflowed[tensor.name] = self.overflowed.get(tensor.name, 0) + int(beyond.sum())


def _step(tensor: PlannedTensor) -> int:
    """Values of one chunk: whole rows where values are moved or rows padded, whole blocks of both sides anyway."""
    source = tensor.source
    assert source is not None
    columns = tensor.shape[-1] if tensor.shape else 1
    if source.made is not None and len(tensor.shape) > 1:
        return max(1, CHUNK_VALUES // columns) * columns
    if len(tensor.shape) > 1 and (tensor.row_bytes is not None or source.row_bytes is not None):
        return max(1, CHUNK_VALUES // columns) * columns
    if tensor.dtype == source.dtype and source.made is None:
        return max(1, int(CHUNK_BYTES * 8 / source.type.bits) // LARGEST_BLOCK) * LARGEST_BLOCK
    return CHUNK_VALUES


def _padded_rows(values: Any, tensor: PlannedTensor) -> Any:
    """Rows with zeros up to a whole number of blocks."""
    columns, block = tensor.shape[-1], DTYPES[tensor.dtype].block
    return np.pad(values.reshape(-1, columns), ((0, 0), (0, -columns % block))).reshape(-1)
