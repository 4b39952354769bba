"""What the GGUF reader accepts and refuses, beside what gguf-py's reader does with the same bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.artifact import Container
from model_contracts.formats.gguf import read_gguf
from model_contracts.formats.source import MemoryBytes
from support.containers import violated
from support.gguf_files import (
    ARRAY,
    BOOL,
    F32,
    I32,
    NAMED,
    QUANTISED,
    STRING,
    U8,
    U16,
    U32,
    Raw,
    array,
    file_bytes,
    header_bytes,
    info,
    pair,
)

HUGE = (1 << 64) - 1
A, B = info("a"), info("b")


def read(data: bytes) -> Container:
    return read_gguf(MemoryBytes(data, Path("model.gguf")))


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
    "TENSORS_BAD_TYPE": Case(file_bytes(infos=[info("a", code=43)]), ("dtypes", "dtype_known"), False, observed=43),
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
