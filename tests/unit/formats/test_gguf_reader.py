"""What the GGUF reader accepts and refuses, beside what gguf-py's reader does with the same bytes."""

from __future__ import annotations

import struct
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.artifact import Container
from model_contracts.dtypes import GGML_CODES
from model_contracts.formats.gguf import gguf_tokenizer, read_gguf
from model_contracts.formats.source import FileBytes, MemoryBytes
from model_contracts.outcome import Comparison
from support.gguf_files import (
    ARRAY,
    BOOL,
    F32,
    F64,
    I8,
    I32,
    I64,
    NAMED,
    QUANTISED,
    STRING,
    U8,
    U16,
    U32,
    U64,
    Raw,
    array,
    array_info,
    file_bytes,
    header_bytes,
    info,
    pair,
    text,
    tokenizer_pairs,
)
from support.shared_models import APR_FILES, DATA, MODELS, shared

HUGE = (1 << 64) - 1
A, B = info("a"), info("b")


def read(data: bytes) -> Container:
    return read_gguf(MemoryBytes(data, Path("model.gguf")))


def read_path(path: Path) -> Container:
    with FileBytes(path) as source:
        return read_gguf(source)


def violated(container: Container) -> dict[tuple[str, str], Comparison]:
    """What did not hold, by topic and measure (the first of each)."""
    found: dict[tuple[str, str], Comparison] = {}
    for topic, comparison in container.ledger.violations:
        found.setdefault((topic, comparison.measure), comparison)
    return found


def reference_accepts(data: bytes, folder: Path) -> bool:
    from gguf import GGUFReader

    path = folder / "reference.gguf"
    path.write_bytes(data)
    try:
        with np.errstate(all="ignore"):
            GGUFReader(path)
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError, TypeError, UnicodeDecodeError):
        return False
    return True


@dataclass(frozen=True)
class Case:
    """Bytes, what alone is violated, whether the container can be read, and what gguf-py says (None: not asked)."""

    data: bytes
    measure: tuple[str, str]
    reference: bool | None
    readable: bool = True
    observed: Any = None
    also: tuple[tuple[str, str], ...] = ()


def fatal(data: bytes, topic: str, measure: str, reference: bool | None = False, observed: Any = None) -> Case:
    return Case(data, (topic, measure), reference, False, observed)


def pairs(*extra: tuple[Any, int, Any]) -> list[tuple[Any, int, Any]]:
    return [NAMED, *extra]


def with_alignment(value: int, code: int = U32, **layout: Any) -> bytes:
    return file_bytes(pairs(pair("general.alignment", code, value)), [A, B], **{"alignment": 32, **layout})


#: The rows of the list of cases that a reader has to refuse or to speak of, under the names they have there.
LISTED: dict[str, Case] = {
    "HEADER_BAD_MAGIC": fatal(file_bytes(magic=b"FUGG"), "format", "magic", observed=b"FUGG".hex()),
    "HEADER_BAD_VERSION_0": fatal(file_bytes(version=0), "format", "version", observed=0),
    "HEADER_BAD_VERSION_1": fatal(file_bytes(version=1), "format", "version", observed=1),
    "HEADER_BAD_VERSION_FUTURE": fatal(file_bytes(version=4), "format", "version", observed=4),
    "HEADER_BAD_N_TENSORS": fatal(file_bytes(n_tensors=HUGE), "format", "count_bounded", False, HUGE),
    "HEADER_BAD_N_KV": fatal(file_bytes(n_pairs=HUGE), "format", "count_bounded", False, HUGE),
    "KV_BAD_KEY_SIZE": fatal(
        file_bytes(pairs(pair(Raw(struct.pack("<Q", HUGE)), U32, 1))), "format", "key_length", False, HUGE
    ),
    "KV_EMPTY_KEY": Case(file_bytes(pairs(pair("", U32, 1))), ("names", "key_named"), True),
    "KV_BAD_TYPE": fatal(file_bytes(pairs(pair("a.b", 13, Raw(bytes(8))))), "format", "value_type", False, 13),
    "KV_BAD_VALUE_SIZE, string": fatal(
        file_bytes(pairs(pair("a.b", STRING, Raw(struct.pack("<Q", 1 << 41) + b"abc")))),
        "format",
        "string_length",
        True,
        1 << 41,
    ),
    "KV_BAD_VALUE_SIZE, array": fatal(
        file_bytes(pairs(pair("a.b", ARRAY, array(U32, Raw(b""), 1 << 40)))), "format", "array_length", None, 1 << 40
    ),
    "KV_DUPLICATE_KEY": Case(
        file_bytes(pairs(pair("a.b", U32, 1), pair("a.b", U32, 2))), ("names", "key_unique"), False
    ),
    "KV_BAD_ALIGN": fatal(with_alignment(13), "format", "alignment", False, 13),
    "alignment 0": fatal(with_alignment(0), "format", "alignment", False, 0),
    "KV_WRONG_TYPE_ALIGN": fatal(with_alignment(32, I32), "format", "alignment", False, "INT32"),
    "TENSORS_BAD_NAME_SIZE": Case(file_bytes(infos=[info("n" * 64)]), ("names", "name_length"), True, observed=64),
    "TENSORS_BAD_N_DIMS": Case(
        file_bytes(infos=[info("a", (2, 2, 2, 1, 1))]), ("format", "axes"), True, observed=5
    ),
    "TENSORS_BAD_SHAPE": Case(file_bytes(infos=[info("a", (-1,), data=b"")]), ("format", "shape_in_range"), False),
    "TENSORS_NE_TOO_BIG": Case(
        file_bytes(infos=[info("a", (1 << 32, 1 << 31), "I8", data=b"")]), ("format", "shape_in_range"), False
    ),
    "TENSORS_NBYTES_TOO_BIG": Case(
        file_bytes(infos=[info("a", (1 << 62,), "F64", data=b"")]), ("format", "shape_in_range"), False
    ),
    "TENSORS_BAD_TYPE": Case(file_bytes(infos=[info("a", code=42)]), ("dtypes", "dtype_known"), False, observed=42),
    "TENSORS_BAD_OFFSET": Case(
        file_bytes(infos=[info("a", offset=HUGE)]),
        ("format", "offset_consecutive"),
        True,
        observed=f"byte {HUGE:,}",
    ),
    "TENSORS_DUPLICATE_NAME": Case(file_bytes(infos=[A, A]), ("names", "name_unique"), False),
    "TENSORS_BAD_ALIGN": Case(
        with_alignment(64, alignment=32), ("format", "offset_consecutive"), True, observed="byte 32"
    ),
    "TENSORS_INCONSISTENT_ALIGN": Case(
        with_alignment(32, alignment=64), ("format", "offset_consecutive"), True, observed="byte 64"
    ),
    "DATA_NOT_ENOUGH_DATA": Case(file_bytes(infos=[A, B])[:-1], ("sizes", "data_size"), False),
    "DATA_MEM_SIZE_OVERFLOW": Case(
        file_bytes(infos=[info(name, ((1 << 63) - 64,), "I8", data=b"", offset=at) for name, at in
                          (("a", 0), ("b", (1 << 63) - 64))]),
        ("format", "data_in_range"),
        False,
        also=(("sizes", "data_size"),),
    ),
    "alignment 24": Case(with_alignment(24, alignment=24), ("portability", "alignment_power_of_two"), False),
    "alignment 1": Case(with_alignment(1, alignment=1), ("portability", "alignment_multiple_of_8"), True),
    "nested array": Case(
        file_bytes(pairs(pair("a.b", ARRAY, array(ARRAY, [array(U8, [1]), array(U8, [2, 3])])))),
        ("portability", "array_flat"),
        True,
    ),
    "bool = 7": Case(file_bytes(pairs(pair("a.b", BOOL, 7))), ("portability", "bool_byte"), True),
    "key is not ASCII": Case(file_bytes(pairs(pair("a.é", U32, 7))), ("portability", "key_snake_case"), True),
    "key has capitals": Case(file_bytes(pairs(pair("a.Bc", U32, 7))), ("portability", "key_snake_case"), True),
    "string is not UTF-8": Case(file_bytes(pairs(pair("a.b", STRING, b"\xff"))), ("portability", "text_utf8"), True),
    "empty tensor name": Case(file_bytes(infos=[info("")]), ("portability", "tensor_named"), True, observed=""),
    "unaligned offset 4": Case(
        file_bytes(infos=[A, info("b", offset=4)]), ("format", "offset_consecutive"), True, observed="byte 4"
    ),
    "overlap": Case(
        file_bytes(infos=[A, info("b", offset=0)]), ("format", "offset_consecutive"), True, observed="byte 0"
    ),
    "gap": Case(
        file_bytes(infos=[A, info("b", offset=64)], tail=bytes(32)),
        ("format", "offset_consecutive"),
        True,
        observed="byte 64",
    ),
    "Q4_0 row 33": Case(
        file_bytes(pairs(QUANTISED), [info("a", (33,), "Q4_0")]), ("format", "row_is_whole_blocks"), False, observed=33
    ),
    "Q4_K row 64": Case(
        file_bytes(pairs(QUANTISED), [info("a", (64, 4), "Q4_K")]),
        ("format", "row_is_whole_blocks"),
        False,
        observed=64,
    ),
    "the product of the axes wraps to 4": Case(
        file_bytes(infos=[info("a", (1 << 62, 4, 1 << 62, 4 + (1 << 62)), "I8", data=bytes(4))]),
        ("format", "shape_in_range"),
        False,
    ),
    "ne0 = 2^63 - 3": Case(
        file_bytes(infos=[info("a", ((1 << 63) - 3,), "I8", data=b"")]), ("format", "shape_in_range"), False
    ),
    "trailing bytes after data": Case(file_bytes(infos=[A], tail=b"PK\3\4"), ("portability", "trailing_bytes"), True),
    "big-endian header": fatal(header_bytes(order=">"), "format", "byte_order", True, "version 3, big-endian"),
}  # fmt: skip

#: Further cases.
OURS: dict[str, Case] = {
    "an empty file": fatal(b"", "sizes", "header_complete", False, 0),
    "the file ends in the counts": fatal(file_bytes()[:20], "sizes", "header_complete", False, 20),
    "the file ends in a key": fatal(header_bytes()[:30], "sizes", "header_complete", False),
    "the file ends in a value": fatal(header_bytes()[:-1], "sizes", "header_complete", True),
    "the file ends in a tensor entry": fatal(header_bytes(infos=[A])[:-1], "sizes", "header_complete", False),
    "ten million key-values": fatal(file_bytes(n_pairs=10_000_000), "format", "count_bounded", False, 10_000_000),
    "more tensors than bytes": fatal(file_bytes(n_tensors=100_000), "sizes", "header_complete", False),
    "a key of 65,536 bytes": fatal(
        file_bytes(pairs(pair("k" * 65_536, U32, 1))), "format", "key_length", True, observed=65_536
    ),
    "an array longer than the file": fatal(
        file_bytes(pairs(pair("a.b", ARRAY, array(U32, Raw(b""), 1_000_000)))), "sizes", "header_complete", None
    ),
    "an array of 2^64 - 1 strings": fatal(
        file_bytes(pairs(pair("a.b", ARRAY, array(STRING, Raw(b""), HUGE)))), "format", "array_length", False, HUGE
    ),
    "a string in an array that the file cannot hold": fatal(
        file_bytes(pairs(pair("a.b", ARRAY, array(STRING, Raw(struct.pack("<Q", 1 << 50) + bytes(64)), 3)))),
        "format",
        "string_length",
        False,
        1 << 50,
    ),
    "an array of a type that does not exist": fatal(
        file_bytes(pairs(pair("a.b", ARRAY, array(13, Raw(bytes(64)), 1)))), "format", "value_type", False, 13
    ),
    "a removed type number": Case(file_bytes(infos=[info("a", code=4)]), ("dtypes", "dtype_known"), False, observed=4),
    "a type number of 2^32 - 1": Case(
        file_bytes(infos=[info("a", code=0xFFFFFFFF)]), ("dtypes", "dtype_known"), False, observed=0xFFFFFFFF
    ),
    "2^32 - 1 axes": Case(
        file_bytes(infos=[info("a", axes=0xFFFFFFFF)]), ("format", "axes"), False, readable=False, observed=0xFFFFFFFF
    ),
    "no architecture": Case(file_bytes([], [A]), ("format", "architecture_declared"), True),
    "an architecture that is a number": Case(
        file_bytes([pair("general.architecture", U32, 1)], [A]), ("format", "architecture_declared"), True, observed=1
    ),
    "an architecture of capitals": Case(
        file_bytes([pair("general.architecture", STRING, "Qwen 2")], [A]), ("portability", "architecture_name"), True
    ),
    "no quantization version": Case(
        file_bytes(infos=[info("a", (32,), "Q8_0")]), ("portability", "quantization_version_declared"), True
    ),
    "alignment as a string": fatal(
        file_bytes(pairs(pair("general.alignment", STRING, "32")), [A]), "format", "alignment", False, "STRING"
    ),
    "no padding behind the last tensor": Case(
        file_bytes(infos=[info("a", (3,))], pad_last=False), ("portability", "final_padding"), True
    ),
    "a tensor name that is not UTF-8": Case(
        file_bytes(infos=[info(b"\xff\xfe")]), ("portability", "text_utf8"), False, observed="\\xff\\xfe"
    ),
    "a tensor name with a 0 byte": Case(
        file_bytes(infos=[info("a\0b")]), ("portability", "name_legal"), True, observed="a\0b"
    ),
    "a boolean array with 2": Case(
        file_bytes(pairs(pair("a.b", ARRAY, array(BOOL, [1, 2])))), ("portability", "bool_byte"), True
    ),
    "bytes behind a file without tensors": Case(
        file_bytes(tail=bytes(64)), ("portability", "trailing_bytes"), True
    ),
}  # fmt: skip
CASES = {**LISTED, **OURS}

ACCEPTED: dict[str, bytes] = {
    "HEADER_EMPTY": file_bytes([]),
    "KV_SUCCESS": file_bytes(pairs(pair("a.b", U8, 255), pair("a.c", STRING, "é"), pair("a.d", F32, 0.5))),
    "TENSORS_ZERO_DIM": file_bytes(infos=[info("a", (4, 0, 2)), info("b", (0,)), A.__class__("c", (8,), 0, bytes(32))]),
    "TENSORS_SUCCESS": file_bytes(infos=[A, B]),
    "TENSORS_CUSTOM_ALIGN": with_alignment(64, alignment=64),
    "DATA_CUSTOM_ALIGN": with_alignment(8, alignment=8),
    "version 2": file_bytes(infos=[A], version=2),
    "a name of 63 bytes": file_bytes(infos=[info("n" * 63)]),
    "a scalar": file_bytes(infos=[info("a", ())]),
    "four axes": file_bytes(infos=[info("a", (2, 2, 2, 2))]),
    "an architecture with a hyphen": file_bytes(
        [pair("general.architecture", STRING, "gpt-oss"), pair("gpt-oss.block_count", U32, 1)], [A]
    ),
    "a later part of a split set": file_bytes(
        [pair("split.no", U16, 1), pair("split.count", U16, 2)], [info("a", (32,), "Q8_0")]
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_broken_file_violates_its_measure_and_no_other(name: str) -> None:
    case = CASES[name]
    container = read(case.data)
    found = violated(container)
    assert set(found) == {case.measure, *case.also}
    assert container.readable is case.readable
    assert found[case.measure].expected not in (None, "holds")
    if case.observed is not None:
        assert found[case.measure].observed == case.observed


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.reference is not None])
def test_gguf_py_does_with_each_broken_file_what_the_list_says(name: str, tmp_path: Path) -> None:
    assert reference_accepts(CASES[name].data, tmp_path) is CASES[name].reference


@pytest.mark.parametrize("name", ACCEPTED)
def test_each_valid_file_is_accepted_and_something_was_compared(name: str) -> None:
    container = read(ACCEPTED[name])
    assert violated(container) == {}
    assert container.readable
    assert all(tensor.readable for tensor in container.tensors)
    assert container.ledger.held["format", "magic"] == 1


def test_portability_always_says_who_accepts_and_who_refuses() -> None:
    notes = [
        found.note
        for case in CASES.values()
        for (topic, _), found in violated(read(case.data)).items()
        if topic == "portability"
    ]
    assert len(notes) > 10
    assert [note for note in notes if note is None or not ("ggml" in note and "gguf-py" in note)] == []


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
    assert read(CASES["KV_DUPLICATE_KEY"].data).metadata["a.b"] == 1


def test_text_without_utf8_is_shown_so_that_any_report_can_hold_it() -> None:
    container = read(
        file_bytes(pairs(pair("a.b", STRING, b"x\xff"), pair("a.c", ARRAY, array(STRING, [b"\xc3", "é"]))))
    )
    assert container.metadata["a.b"] == "x\\xff"
    assert container.metadata["a.c"] == ["\\xc3", "é"]
    assert violated(container)["portability", "text_utf8"].place.key == "a.b"


class Meter:
    """Bytes that count how much of them was asked for."""

    def __init__(self, data: bytes, size: int | None = None) -> None:
        self.path, self.data, self.size, self.asked = Path("model.gguf"), data, size or len(data), 0

    def read(self, offset: int, length: int) -> bytes:
        self.asked += length
        piece = self.data[offset : offset + length]
        return piece + bytes(max(0, min(length, self.size - offset) - len(piece)))


def test_the_data_section_of_a_large_file_is_not_read() -> None:
    source = Meter(header_bytes(infos=[info("a", (1 << 34,), data=b"")]), size=1 << 37)
    assert read_gguf(source).tensors[0].readable
    assert source.asked <= 1 << 20


def test_strings_are_read_the_same_across_every_window_edge() -> None:
    tokens = [f"{index}·" * (index % 7) for index in range(120_000)]
    source = Meter(file_bytes(pairs(pair("tokenizer.ggml.tokens", ARRAY, array(STRING, tokens)))))
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
    source = Meter(header_bytes(pairs(*every), n_pairs=8), size=1 << 43)
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


def test_a_tokenizer_is_read_with_its_flags_ids_and_added_tokens() -> None:
    tokens = ["<s>", "a", " b", "a b", "[tool]", "a"]
    parts = tokenizer_pairs(
        tokens,
        ["a b", " b a", "ab"],
        token_type=(ARRAY, array(I32, [3, 1, 1, 1, 4, 1])),
        scores=(ARRAY, array(F32, [0, -1, -2, -3, -4, -5])),
        bos_token_id=(U32, 0),
        padding_token_id=(U32, 9),
        unknown_token_id=(U32, 1),
        eot_token_id=(U32, 4),
        add_bos_token=(BOOL, 1),
    )
    container = read(file_bytes(pairs(*parts)))
    tokenizer = gguf_tokenizer(container)
    assert tokenizer is not None
    assert (tokenizer.algorithm, tokenizer.pre, tokenizer.add_bos, tokenizer.add_eos) == ("BPE", "qwen2", True, None)
    assert list(tokenizer.tokens) == tokens
    assert tokenizer.merges == [("a", "b"), (" b", "a"), ("ab", "")]
    assert tokenizer.special_ids["pad"] == (9, "tokenizer.ggml.padding_token_id")
    assert {name: value for name, (value, _) in tokenizer.special_ids.items()} == {
        "eos": 0, "bos": 0, "pad": 9, "unk": 1, "eot": 4
    }  # fmt: skip
    assert {index: (token.content, token.special) for index, token in tokenizer.added.items()} == {
        0: ("<s>", True),
        4: ("[tool]", False),
    }
    assert tokenizer.duplicates == (("a", 1, 5),)
    assert set(violated(container)) == {("format", "tokenizer_merges")}


@pytest.mark.parametrize(
    ("changes", "measure", "key"),
    [
        ({"token_type": (ARRAY, array(I32, [1]))}, "tokenizer_arrays", "token_type"),
        ({"token_type": (ARRAY, array(F32, [1, 1, 1]))}, "tokenizer_arrays", "token_type"),
        ({"scores": (ARRAY, array(F32, [1, 1]))}, "tokenizer_arrays", "scores"),
        ({"scores": (STRING, "x")}, "tokenizer_arrays", "scores"),
        ({"merges": (ARRAY, array(U32, [1]))}, "tokenizer_arrays", "merges"),
        ({"merges": (U32, 1)}, "tokenizer_arrays", "merges"),
        ({"model": None}, "tokenizer_declared", "model"),
        ({"model": (U32, 1)}, "tokenizer_text", "model"),
        ({"pre": (ARRAY, array(STRING, []))}, "tokenizer_text", "pre"),
        ({"eos_token_id": (STRING, "2")}, "tokenizer_ids", "eos_token_id"),
        ({"add_bos_token": (U32, 1)}, "tokenizer_flags", "add_bos_token"),
    ],
)
def test_a_part_of_a_tokenizer_of_the_wrong_type_is_a_violation_with_its_key(
    changes: dict[str, Any], measure: str, key: str
) -> None:
    container = read(file_bytes(pairs(*tokenizer_pairs(["a", "b", "ab"], ["a b"], **changes))))
    assert violated(container) == {}
    tokenizer = gguf_tokenizer(container)
    assert tokenizer is not None
    assert tokenizer.size == 3
    assert violated(container)["format", measure].place.key == f"tokenizer.ggml.{key}"


@pytest.mark.parametrize("tokens", [None, (U32, 1), (ARRAY, array(U32, [1, 2])), (ARRAY, array(STRING, []))])
def test_without_a_list_of_tokens_there_is_no_tokenizer(tokens: Any) -> None:
    container = read(file_bytes(pairs(*tokenizer_pairs([], tokens=tokens))))
    assert gguf_tokenizer(container) is None


def test_the_words_of_llama_cpp_name_algorithms() -> None:
    words = {"gpt2": "BPE", "llama": "SPM", "bert": "WordPiece", "t5": "Unigram", "rwkv": "rwkv"}
    read_as = {}
    for word in words:
        tokenizer = gguf_tokenizer(read(file_bytes(pairs(*tokenizer_pairs(["a"], model=(STRING, word))))))
        assert tokenizer is not None
        read_as[word] = tokenizer.algorithm
    assert read_as == words


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
