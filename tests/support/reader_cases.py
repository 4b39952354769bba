"""The files behind each row of the tables in docs/formats: its first cell, and bytes of which that is so."""

from __future__ import annotations

import json
import struct
from typing import Any

from model_contracts.dtypes import DTYPES, GGML_CODES


def text(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


def pair(key: bytes, code: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", code) + value


ARCHITECTURE = pair(b"general.architecture", 8, text(b"llama"))
Entry = tuple[bytes, tuple[int, ...], int, int]


def entry(name: bytes = b"a", dims: tuple[int, ...] = (4,), code: int = 0, offset: int = 0) -> Entry:
    return name, dims, code, offset


def gguf(*entries: Entry, keys: tuple[bytes, ...] = (ARCHITECTURE,), alignment: int = 32, **header: Any) -> bytes:
    """A GGUF with zeros for values; `header` replaces magic, version and the counts."""
    head = {"magic": b"GGUF", "version": 3, "tensors": len(entries), "pairs": len(keys)} | header
    data = head["magic"] + struct.pack("<IQQ", head["version"], head["tensors"], head["pairs"]) + b"".join(keys)
    end = 0
    for name, dims, code, offset in entries:
        data += text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
        data += struct.pack("<IQ", code, offset)
        count = 1
        for axis in dims:
            count *= axis
        size = DTYPES[GGML_CODES[code]].nbytes(count) if code in GGML_CODES and count < 1 << 20 else 0
        end = max(end, offset + size)
    data += bytes(-len(data) % alignment)
    return data + bytes(end + -end % alignment)


def aligned(alignment: int, code: int = 4) -> bytes:
    return gguf(
        entry(),
        keys=(ARCHITECTURE, pair(b"general.alignment", code, struct.pack("<I", alignment))),
        alignment=alignment or 32,
    )


def with_key(key: bytes, code: int, value: bytes) -> bytes:
    return gguf(keys=(ARCHITECTURE, pair(key, code, value)))


NESTED = struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 0, 1) + b"\0"
GGUF: dict[str, list[bytes]] = {
    "another magic; version 0, 1 or 4": [gguf(magic=b"FUGG"), *(gguf(version=number) for number in (0, 1, 4))],
    "counts of 2^64 - 1": [gguf(tensors=2**64 - 1), gguf(pairs=2**64 - 1)],
    "a key of the empty name": [with_key(b"", 4, bytes(4))],
    "a text longer than the file": [with_key(b"x", 8, struct.pack("<Q", 1 << 60))],
    "a key or a tensor name that stands twice": [
        gguf(keys=(ARCHITECTURE, ARCHITECTURE)),
        gguf(entry(), entry(offset=32)),
    ],
    "an alignment that is 0, 13 or no UINT32": [aligned(0), aligned(13), aligned(32, code=5)],
    "a tensor name of 64 bytes or more": [gguf(entry(b"a" * 64))],
    "five axes": [gguf(entry(dims=(1, 1, 1, 1, 4)))],
    "an axis of 0; no key and no tensor": [gguf(entry(dims=(0, 4))), gguf(keys=())],
    "a product of axes past 2^63, or one that wraps": [
        gguf(entry(dims=(1 << 40, 1 << 40))),
        gguf(entry(dims=(1 << 63, 2))),
    ],
    "a first axis of 2^63 - 3": [gguf(entry(dims=((1 << 63) - 3,)))],
    "an element type that does not exist": [gguf(entry(code=77))],
    "a row that is no whole number of blocks": [gguf(entry(dims=(33,), code=2))],
    "offsets that overlap, leave gaps or are not aligned": [
        gguf(entry(), entry(b"b")),
        gguf(entry(), entry(b"b", offset=96)),
        gguf(entry(offset=4)),
    ],
    "the last byte is missing": [gguf(entry(dims=(8,)))[:-1]],
}
GGUF_PARTS: dict[str, list[bytes]] = {
    "alignment 24": [aligned(24)],
    "alignment 1": [aligned(1)],
    "an array in an array": [with_key(b"x", 9, NESTED)],
    "a bool of 7, a key that is no lower_snake_case, text that is no UTF-8": [
        with_key(b"x", 7, b"\7"),
        with_key(b"Xy", 7, b"\1"),
        with_key(b"x", 8, text(b"\xff")),
    ],
    "bytes behind the data": [gguf(entry(dims=(8,))) + b"xxx"],
}

ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
TEXT = json.dumps(ONE).encode()


def safetensors(header: bytes | dict[str, Any], data: bytes = bytes(4), length: int | None = None) -> bytes:
    written = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(written) if length is None else length) + written + data


def tensor(**changes: Any) -> dict[str, Any]:
    return ONE | changes


SAFETENSORS: dict[str, list[bytes]] = {
    "a header that is longer than the file, or than 100,000,000 bytes": [
        safetensors({}, length=1000),
        safetensors({}, length=10**9),
    ],
    "text that is no UTF-8, or no JSON": [safetensors(b'{"\xff":1}'), safetensors(b"{")],
    "a tensor that stands twice, under one type or two": [
        safetensors(b'{"a":%s,"a":%s}' % (TEXT, TEXT)),
        safetensors(b'{"a":%s,"a":%s}' % (TEXT, TEXT.replace(b"F32", b"I32"))),
    ],
    "`__metadata__` twice, or a value of it that is no text": [
        safetensors(b'{"__metadata__":{},"__metadata__":{},"a":%s}' % TEXT),
        safetensors({"__metadata__": {"a": 1}, "a": ONE}),
    ],
    "a field that nobody knows": [safetensors({"a": tensor(more=1)})],
    "blanks before the `{`": [safetensors(b' {"a":%s}' % TEXT)],
    "blanks behind the object": [safetensors(b'{"a":%s} \n' % TEXT)],
    "overlap, a hole, a first offset that is not 0, an end before its begin": [
        safetensors({"a": ONE, "b": ONE}),
        safetensors({"a": ONE, "b": tensor(data_offsets=[8, 12])}, bytes(12)),
        safetensors({"a": tensor(data_offsets=[4, 8])}, bytes(8)),
        safetensors({"a": tensor(data_offsets=[4, 0])}),
    ],
    "shape times type is not the bytes": [safetensors({"a": tensor(shape=[2])})],
    "bytes behind the last tensor, or too few": [safetensors({"a": ONE}, bytes(6)), safetensors({"a": ONE}, bytes(2))],
    "no tensor at all, a scalar, an axis of 0": [
        safetensors({}, b""),
        safetensors({"a": tensor(shape=[])}),
        safetensors({"a": tensor(shape=[0], data_offsets=[0, 0])}, b""),
    ],
    "a name that is empty, holds `..` or NUL": [safetensors({name: ONE}) for name in ("", "../x", "a\0")],
}
