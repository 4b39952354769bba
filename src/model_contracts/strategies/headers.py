"""Owns generated headers: an artifact's own tensor entry, written again with an element type that does not exist."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_contracts.artifact import Artifact, Tensor
from model_contracts.containers import Format
from model_contracts.dtypes import APR_CODES, GGML_CODES, SAFETENSORS_NAMES

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_SIDE = 4  # axes are cut to this: a counterexample is to fit into a bug report


@dataclass(frozen=True, slots=True)
class GeneratedHeader:
    """A whole small container: one tensor of the artifact under a type that does not exist."""

    tensor: str
    dtype: int | str
    data: bytes


def with_unknown_dtype(artifact: Artifact) -> SearchStrategy[GeneratedHeader]:
    """Headers in the artifact's format, each with one of its tensors and an unknown dtype word or number."""
    from hypothesis import strategies as st

    tensors = [_cut(tensor) for tensor in list(artifact.tensors.values())[:256]]
    build = {"safetensors": _safetensors, "gguf": _gguf, "apr": _apr}[artifact.format]

    def header(tensor: tuple[str, tuple[int, ...]], dtype: int | str) -> GeneratedHeader:
        return GeneratedHeader(tensor[0], dtype, build(tensor[0], tensor[1], dtype))  # type: ignore[operator]

    return st.builds(header, st.sampled_from(tensors), _dtypes(artifact.format))


def _dtypes(form: Format) -> SearchStrategy[int | str]:
    from hypothesis import strategies as st

    if form == "safetensors":
        known = sorted(SAFETENSORS_NAMES)
        near = st.sampled_from(known).flatmap(
            lambda word: st.sampled_from([word.lower(), f"{word} ", f"{word}_", word[:-1], f"I{word}", f"{word}0"])
        )
        # Letters are sampled: st.text would load the table of all Unicode first, which costs more than the examples.
        words = near | st.lists(st.sampled_from("BFIUQ0123456789_KMEX"), max_size=8).map("".join)
        return words.filter(lambda word: word not in SAFETENSORS_NAMES)
    known_numbers, highest = (GGML_CODES, 2**32 - 1) if form == "gguf" else (APR_CODES, 255)
    gaps = [number for number in range(64) if number not in known_numbers]
    numbers = st.sampled_from(gaps) | st.integers(0, highest)
    return numbers.filter(lambda number: number not in known_numbers)


def _cut(tensor: Tensor) -> tuple[str, tuple[int, ...]]:
    return tensor.name, tuple(min(axis, _SIDE) for axis in tensor.shape[:2]) or (1,)


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for axis in shape:
        count *= axis
    return count


def _safetensors(name: str, shape: tuple[int, ...], dtype: str) -> bytes:
    """Four bytes a value: a reader that takes the type for F32 finds nothing else wrong."""
    size = 4 * _elements(shape)
    entry = {name: {"dtype": dtype, "shape": list(shape), "data_offsets": [0, size]}}
    header = json.dumps(entry, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + bytes(size)


def _gguf(name: str, shape: tuple[int, ...], dtype: int) -> bytes:
    word = name.encode()[:63]
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    key = b"general.architecture"
    head += struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, 5) + b"llama"
    head += struct.pack("<Q", len(word)) + word + struct.pack("<I", len(shape))
    head += b"".join(struct.pack("<Q", axis) for axis in reversed(shape)) + struct.pack("<IQ", dtype, 0)
    size = 4 * _elements(shape)
    return head + bytes(-len(head) % 32) + bytes(size + -size % 32)


def _apr(name: str, shape: tuple[int, ...], dtype: int) -> bytes:
    size = 4 * _elements(shape)
    metadata = b'{"model_type":"generated","license":null,"data_source":null,"data_license":null}'
    word = name.encode()[:256]
    index = struct.pack("<H", len(word)) + word + struct.pack("<BB", dtype, len(shape))
    index += b"".join(struct.pack("<Q", axis) for axis in shape) + struct.pack("<QQ", 0, size)
    index_at = 64 + len(metadata) + -len(metadata) % 64
    data_at = index_at + len(index) + -len(index) % 64
    head = struct.pack("<4sBBHIQIQQ", b"APR\0", 2, 0, 0x0400, 1, 64, len(metadata), index_at, data_at)
    head += struct.pack("<I", zlib.crc32(head + bytes(20))) + bytes(20)
    body = (head + metadata).ljust(index_at, b"\0") + index
    body = body.ljust(data_at, b"\0") + bytes(size + -size % 64)
    return body + struct.pack("<I", zlib.crc32(body))
