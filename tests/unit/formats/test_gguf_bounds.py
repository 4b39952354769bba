"""What a GGUF file can cost: nothing that its bytes do not back, and never an exception."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from model_contracts.artifact import Container
from model_contracts.formats.gguf import gguf_tokenizer, read_gguf
from model_contracts.formats.source import MemoryBytes
from support.containers import Sparse, violated
from support.gguf_files import (
    ARRAY,
    NAMED,
    QUANTISED,
    STRING,
    U8,
    U64,
    Raw,
    array,
    file_bytes,
    header_bytes,
    info,
    pair,
    text,
    tokenizer_pairs,
)


def read(data: bytes) -> Container:
    return read_gguf(MemoryBytes(data, Path("model.gguf")))


def pairs(*extra: tuple[Any, int, Any]) -> list[tuple[Any, int, Any]]:
    return [NAMED, *extra]


def test_the_data_section_of_a_large_file_is_not_read() -> None:
    source = Sparse(header_bytes(infos=[info("a", (1 << 34,), data=b"")]), size=1 << 37)
    assert read_gguf(source).tensors[0].readable
    assert source.asked <= 1 << 20


def test_strings_are_read_the_same_across_every_window_edge() -> None:
    tokens = [f"{index}·" * (index % 7) for index in range(120_000)]
    source = Sparse(file_bytes(pairs(pair("tokenizer.ggml.tokens", ARRAY, array(STRING, tokens)))))
    assert source.size > 3 << 20
    assert read_gguf(source).metadata["tokenizer.ggml.tokens"] == tokens


HOSTILE = {
    "2^40 elements of a file of 2^43 bytes": array(U64, Raw(b""), 1 << 40),
    "two million strings of nothing, eight times": array(STRING, Raw(b""), 2_000_000),
    "two million arrays of nothing": array(ARRAY, Raw(b""), 2_000_000),
    "sixteen MiB of text": Raw(struct.pack("<IQQ", STRING, 4, 16 << 20)),
    "wide characters": Raw(struct.pack("<IQ", STRING, 40) + text("🜁" + "a" * ((1 << 20) - 4)) * 40),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_sparse_file_that_backs_every_count_is_refused_within_bounds(name: str) -> None:
    times = 8 if len(HOSTILE[name].data) < 1 << 20 else 1
    every = [pair(f"a.k{index}", ARRAY, HOSTILE[name]) for index in range(times)]
    source = Sparse(header_bytes(pairs(*every), n_pairs=8), size=1 << 43)
    tracemalloc.start()
    container = read_gguf(source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not container.readable
    assert {measure for _, measure in violated(container)} <= {"header_bounded", "array_length", "string_length"}
    assert peak < 200 << 20


def test_arrays_nested_deeper_than_the_bound_are_refused() -> None:
    value = array(U8, [1])
    for _ in range(100):
        value = array(ARRAY, [value])
    container = read(file_bytes(pairs(pair("a.b", ARRAY, value))))
    assert set(violated(container)) == {("format", "array_depth")}


def test_a_file_that_shrinks_while_it_is_read_is_an_outcome() -> None:
    source = MemoryBytes(header_bytes(), Path("model.gguf"))
    source.size += 1 << 30
    tokens = header_bytes(pairs(pair("a.b", ARRAY, array(STRING, Raw(text("x") * 9), 1_000))))
    shrunk = MemoryBytes(tokens, Path("model.gguf"))
    shrunk.size += 1 << 30
    assert read_gguf(source).readable
    found = violated(read_gguf(shrunk))
    assert set(found) == {("sizes", "header_complete")}
    assert found["sizes", "header_complete"].observed == len(tokens)


def test_every_prefix_of_a_file_is_refused_without_an_exception() -> None:
    whole = file_bytes(pairs(*tokenizer_pairs(["a", "b", "ab"], ["a b"])), [info("t", (8, 2))])
    for length in range(len(whole)):
        container = read(whole[:length])
        assert not container.readable or ("sizes", "data_size") in violated(container)
        gguf_tokenizer(container)


def test_every_changed_byte_of_a_file_ends_in_a_container() -> None:
    whole = file_bytes(pairs(QUANTISED, *tokenizer_pairs(["a", "b", "ab"], ["a b"])), [info("t", (32, 2), "Q8_0")])
    for at in range(len(whole)):
        for flipped in (0xFF, 0x80, 0x01):
            data = bytearray(whole)
            data[at] ^= flipped
            gguf_tokenizer(read(bytes(data)))
