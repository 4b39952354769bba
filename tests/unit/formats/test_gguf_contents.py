"""What the GGUF reader reads: values, shapes and places, and the files that llama.cpp and apr wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.artifact import Container
from model_contracts.dtypes import GGML_CODES
from model_contracts.formats.gguf import gguf_tokenizer, read_gguf
from model_contracts.formats.source import FileBytes, MemoryBytes
from support.containers import violated
from support.gguf_files import (
    ARRAY,
    BOOL,
    F32,
    F64,
    I8,
    I32,
    I64,
    NAMED,
    STRING,
    U8,
    U16,
    U32,
    U64,
    array,
    array_info,
    file_bytes,
    header_bytes,
    info,
    pair,
)
from support.shared_models import APR_FILES, DATA, MODELS, shared

HUGE = (1 << 64) - 1
A, B = info("a"), info("b")


def read(data: bytes) -> Container:
    return read_gguf(MemoryBytes(data, Path("model.gguf")))


def pairs(*extra: tuple[Any, int, Any]) -> list[tuple[Any, int, Any]]:
    return [NAMED, *extra]


def read_path(path: Path) -> Container:
    with FileBytes(path) as source:
        return read_gguf(source)


def test_values_of_every_type_are_identical_and_keep_their_order() -> None:
    stored = {
        "a.u8": (U8, 255), "a.i8": (I8, -128), "a.u16": (U16, 65_535), "a.i32": (I32, -(1 << 31)),
        "a.u64": (U64, HUGE), "a.i64": (I64, -(1 << 63)), "a.f64": (F64, 0.1), "a.yes": (BOOL, 1), "a.no": (BOOL, 0),
        "a.text": (STRING, "línea ·\n"), "a.empty": (STRING, ""),
    }  # fmt: skip
    arrays = {
        "b.i32": (I32, [1, -2, 3]), "b.f32": (F32, [0.5, -2.0]), "b.bool": (BOOL, [1, 0]),
        "b.text": (STRING, ["", "é"]), "b.none": (U8, []),
    }  # fmt: skip
    every = [pair(key, *value) for key, value in stored.items()]
    every += [pair(key, ARRAY, array(*value)) for key, value in arrays.items()]
    metadata = read(file_bytes(pairs(*every))).metadata
    expected = {"general.architecture": "qwen2", **{key: value for key, (_, value) in {**stored, **arrays}.items()}}
    assert list(metadata.items()) == list(expected.items())
    assert metadata["a.yes"] is True
    assert metadata["b.bool"] == [True, False]


def test_shapes_are_row_major_and_offsets_are_places_in_the_file() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    data = file_bytes(infos=[array_info("first", np.zeros(5)), array_info("second", values)])
    container = read(data)
    tensor = container.tensors[1]
    assert (tensor.name, tensor.dtype, tensor.shape, tensor.nbytes) == ("second", "F32", (3, 4), 48)
    assert container.data_offset % 32 == 0
    assert tensor.offset == container.data_offset + 32
    assert data[tensor.offset : tensor.offset + 48] == values.tobytes()


def test_a_tensor_of_unknown_type_is_named_left_out_and_never_read_as_f32() -> None:
    unknown = sorted(set(range(64)) - set(GGML_CODES))
    assert {4, 5, 31, 32, 33, 36, 37, 38} <= set(unknown)
    for code in unknown:
        container = read(file_bytes(infos=[A, info("odd", code=code, data=bytes(32)), info("c", offset=64)]))
        found = violated(container)
        assert set(found) == {("dtypes", "dtype_known")}
        assert found["dtypes", "dtype_known"].place.tensor == "odd"
        assert [tensor.name for tensor in container.tensors] == ["a", "c"]


def test_a_cut_file_says_both_sizes_and_which_tensors_cannot_be_read() -> None:
    whole = file_bytes(infos=[A, B, info("c")])
    container = read(whole[:-33])
    found = violated(container)["sizes", "data_size"]
    assert (found.expected, found.observed) == (len(whole), len(whole) - 33)
    assert [tensor.readable for tensor in container.tensors] == [True, False, False]


def test_one_shared_extent_is_one_violation_and_the_rest_follows_on_from_it() -> None:
    infos = [info("output", (16,)), info("token_embd", (16,), offset=0), info("norm", offset=64)]
    container = read(file_bytes(infos=infos))
    offsets = [found for _, found in container.ledger.violations if found.measure == "offset_consecutive"]
    assert [(found.place.tensor, found.expected, found.observed) for found in offsets] == [
        ("token_embd", "byte 64 of the data", "byte 0")
    ]
    assert offsets[0].note == "llama.cpp refuses to load this; gguf-py's reader does not notice"


def test_what_was_read_before_the_end_is_kept() -> None:
    container = read(header_bytes(pairs(pair("a.b", U32, 7)), [A, B])[:-1])
    assert not container.readable
    assert container.metadata == {"general.architecture": "qwen2", "a.b": 7}
    assert [tensor.name for tensor in container.tensors] == ["a"]
    assert not container.tensors[0].readable


def test_the_first_of_two_equal_keys_is_kept() -> None:
    assert read(file_bytes(pairs(pair("a.b", U32, 1), pair("a.b", U32, 2)))).metadata["a.b"] == 1


def test_text_without_utf8_is_shown_so_that_any_report_can_hold_it() -> None:
    container = read(
        file_bytes(pairs(pair("a.b", STRING, b"x\xff"), pair("a.c", ARRAY, array(STRING, [b"\xc3", "é"]))))
    )
    assert container.metadata["a.b"] == "x\\xff"
    assert container.metadata["a.c"] == ["\\xc3", "é"]
    assert violated(container)["portability", "text_utf8"].place.key == "a.b"


REAL = ["tiny-llama-Q4_K_M", "tiny-llama-Q8_0", "tiny-llama-f16", "tiny-qwen2-bf16"]
REAL += [f"tiny-qwen2-{label}" for label in ("IQ4_XS", "Q2_K", "Q3_K_M", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")]


@pytest.mark.parametrize("name", REAL)
def test_files_that_llama_cpp_wrote_hold_in_every_topic(name: str) -> None:
    container = read_path(shared(MODELS / f"{name}.gguf"))
    tokenizer = gguf_tokenizer(container)
    assert container.ledger.violations == []
    assert container.readable
    assert len(container.tensors) in (30, 50)
    assert tokenizer is not None
    assert (tokenizer.size, tokenizer.algorithm, tokenizer.pre) == (2000, "BPE", "qwen2")
    assert tokenizer.special_ids["eos"] == (2, "tokenizer.ggml.eos_token_id")


def test_a_file_of_weights_alone_holds_and_has_no_tokenizer() -> None:
    container = read_path(shared(APR_FILES / "weights-only.gguf"))
    assert container.ledger.violations == []
    assert gguf_tokenizer(container) is None


def test_two_tensors_that_share_their_bytes_are_one_violation_of_the_real_file() -> None:
    container = read_path(shared(APR_FILES / "q-from-st.gguf"))
    ((topic, found),) = container.ledger.violations
    assert (topic, found.measure, found.place.tensor) == ("format", "offset_consecutive", "token_embd.weight")
    assert (found.expected, found.observed) == ("byte 2,048,000 of the data", "byte 0")
    assert all(tensor.readable for tensor in container.tensors)


@pytest.mark.parametrize("name", ["tiny-qwen2-Q4_K_M.gguf", "tiny-llama-Q8_0.gguf"])
def test_names_shapes_types_offsets_and_bytes_are_those_that_gguf_py_reads(name: str) -> None:
    from gguf import GGUFReader

    path = DATA / name
    container, reference = read_path(path), GGUFReader(path)
    whole = path.read_bytes()
    assert container.data_offset == reference.data_offset
    assert [
        (tensor.name, tensor.shape[::-1], tensor.dtype, tensor.offset, tensor.nbytes) for tensor in container.tensors
    ] == [
        (tensor.name, tuple(map(int, tensor.shape)), tensor.tensor_type.name, tensor.data_offset, tensor.n_bytes)
        for tensor in reference.tensors
    ]
    for ours, theirs in zip(container.tensors, reference.tensors, strict=True):
        assert whole[ours.offset : ours.offset + ours.nbytes] == theirs.data.tobytes()
    fields = {key: field.contents() for key, field in reference.fields.items() if not key.startswith("GGUF.")}
    assert dict(container.metadata) == fields
