"""Owns the messages between a session and its child process: a JSON object, then the raw bytes of its arrays."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

#: Bounds of one message; what crosses them did not come from our own code.
MOST_JSON, MOST_ARRAYS, MOST_BYTES = 64 << 20, 16, 2 << 30
_LENGTHS = struct.Struct(">4sII")
_MAGIC = b"mcf1"
_TYPES = ("<f4", "<i4", "<i8")

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
Read = Callable[[int], bytearray]


class BrokenMessage(Exception):
    """Bytes that are no message: something else wrote into the stream."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is said, of which kind, and the arrays that go with it."""

    kind: str
    value: Any = None
    arrays: tuple[Array, ...] = ()


def pack(kind: str, value: Any = None, arrays: Sequence[Array] = ()) -> list[memoryview]:
    """A message as pieces to write one after another; arrays are not copied where they are contiguous."""
    plain = [np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for array in arrays]
    declared = [[array.dtype.str, list(array.shape)] for array in plain]
    body = json.dumps({"kind": kind, "value": value, "arrays": declared}).encode()
    if len(body) > MOST_JSON:
        raise ValueError(f"a message of {len(body):,} bytes is more than {MOST_JSON:,}")
    pieces = [memoryview(_LENGTHS.pack(_MAGIC, len(body), len(plain)) + body)]
    for array in plain:
        flat: Any = array.reshape(-1)
        if array.size:
            pieces.append(memoryview(flat).cast("B"))
    return pieces


def unpack(read: Read) -> Frame:
    """The next message of a stream; `read(n)` gives exactly n bytes. Raises BrokenMessage."""
    magic, length, count = _LENGTHS.unpack(read(_LENGTHS.size))
    if magic != _MAGIC or length > MOST_JSON or count > MOST_ARRAYS:
        raise BrokenMessage("the stream holds something that is no message")
    try:
        body = json.loads(read(length))
        kind, value, declared = body["kind"], body["value"], body["arrays"]
        shapes = [(np.dtype(dtype), tuple(map(int, shape))) for dtype, shape in declared if dtype in _TYPES]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BrokenMessage("a message that cannot be read") from None
    sizes = [dtype.itemsize * prod(shape) for dtype, shape in shapes]
    if len(shapes) != count or any(min(shape, default=0) < 0 for _, shape in shapes) or sum(sizes) > MOST_BYTES:
        raise BrokenMessage("a message whose arrays cannot be")
    arrays = [
        np.frombuffer(read(size), dtype).reshape(shape) for size, (dtype, shape) in zip(sizes, shapes, strict=True)
    ]
    return Frame(str(kind), value, tuple(arrays))
