"""What the safetensors reader accepts and refuses, beside what the reference reader does with the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open

from model_contracts.artifact import Container
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.safetensors import read_header, read_safetensors
from model_contracts.formats.source import FileBytes, MemoryBytes
from model_contracts.outcome import Comparison
from support.safetensors_files import Members, bf16, entry, file_of, raw_file
from support.shared_models import APR_FILES, DATA, MODELS, shared

A = entry("F32", [1], 0)


def read(data: bytes) -> Container:
    return read_safetensors(MemoryBytes(data, Path("model.safetensors")))


def violated(container: Container) -> dict[tuple[str, str], Comparison]:
    """What did not hold, by topic and measure (the first of each)."""
    found: dict[tuple[str, str], Comparison] = {}
    for topic, comparison in container.ledger.violations:
        found.setdefault((topic, comparison.measure), comparison)
    return found


def reference_accepts(data: bytes, folder: Path) -> bool:
    path = folder / "reference.safetensors"
    path.write_bytes(data)
    try:
        with safe_open(path, framework="np"):
            return True
    except SafetensorError:
        return False


def fields(**changes: Any) -> dict[str, Any]:
    """The entry of one F32 value, with fields replaced or taken away (None)."""
    return {key: value for key, value in {**A, **changes}.items() if value is not None}


#: Case: header (or bytes of a file), data, the one (topic, measure) that is violated, whether the reference accepts.
BROKEN: dict[str, tuple[bytes, tuple[str, str], bool]] = {
    "the file is shorter than the header length": (b"\x01\x00\x00", ("format", "header_length"), False),
    "the file ends inside the header": (raw_file({}, length=400), ("sizes", "header_fits_file"), False),
    "the header passes the format's bound": (raw_file({}, length=100_000_001), ("format", "header_length"), False),
    "the header passes this reader's bound": (
        raw_file(b"{}" + b" " * ((32 << 20) + 6)),
        ("format", "header_bounded"),
        True,
    ),
    "the header is empty": (raw_file(b""), ("format", "header_json"), False),
    "the header is not UTF-8": (raw_file(b'{"\xff":1}'), ("format", "header_utf8"), False),
    "the header is not JSON": (raw_file("{"), ("format", "header_json"), False),
    "the header is a list": (raw_file("[]"), ("format", "header_json"), False),
    "a comma ends the header's object": (raw_file('{"__metadata__":{},}'), ("format", "header_json"), False),
    "something follows the header's object": (raw_file("{}{}"), ("format", "header_json"), False),
    "a number is NaN": (raw_file('{"a":{"dtype":"F32","shape":[NaN]}}'), ("format", "header_json"), False),
    "a number is Infinity": (raw_file('{"a":Infinity}'), ("format", "header_json"), False),
    "lists are nested too deep": (raw_file('{"a":' + "[" * 100_000), ("format", "header_json"), False),
    "a number has 5,000 digits": (raw_file('{"a":' + "9" * 5_000 + "}"), ("format", "header_json"), False),
    "a name is half of a surrogate pair": (raw_file('{"\\ud800":1}'), ("format", "header_json"), False),
    "more entries than the bound": (raw_file("{" + '"a":{},' * 140_001), ("format", "header_bounded"), False),
    "more members than entries could have": (
        raw_file('{"__metadata__":{' + ",".join(f'"{n}":""' for n in range(101_000)) + "}}"),
        ("format", "header_bounded"),
        True,
    ),
    "a tensor is no object": (raw_file({"a": 3}), ("format", "entry_form"), False),
    "a tensor is null": (raw_file({"a": None}), ("format", "entry_form"), False),
    "a field is missing": (raw_file({"a": fields(shape=None)}, b"0123"), ("format", "entry_form"), False),
    "a dtype is a number": (raw_file({"a": fields(dtype=32)}, b"0123"), ("format", "entry_form"), False),
    "a field stands twice in an entry": (
        raw_file({"a": Members([("dtype", "F16"), *A.items()])}, b"0123"),
        ("format", "field_unique"),
        False,
    ),
    "an axis is negative": (raw_file({"a": fields(shape=[-1])}, b"0123"), ("format", "shape_form"), False),
    "an axis is a float": (raw_file({"a": fields(shape=[1.0])}, b"0123"), ("format", "shape_form"), False),
    "an axis is a boolean": (raw_file({"a": fields(shape=[True])}, b"0123"), ("format", "shape_form"), False),
    "an axis is 2^64": (raw_file({"a": fields(shape=[1 << 64])}, b"0123"), ("format", "shape_form"), False),
    "an axis is text": (raw_file({"a": fields(shape=["1"])}, b"0123"), ("format", "shape_form"), False),
    "the shape is a number": (raw_file({"a": fields(shape=1)}, b"0123"), ("format", "shape_form"), False),
    "the product of the axes wraps to 0": (
        raw_file({"a": fields(shape=[1 << 32, 1 << 32], data_offsets=[0, 0])}),
        ("format", "shape_in_range"),
        False,
    ),
    "the bytes of the tensor pass 2^63": (
        raw_file({"a": fields(shape=[1 << 62], data_offsets=[0, 0])}),
        ("format", "shape_in_range"),
        False,
    ),
    "offsets are floats": (
        raw_file({"a": fields(data_offsets=[0.0, 4.0])}, b"0123"),
        ("format", "offsets_form"),
        False,
    ),
    "offsets are negative": (raw_file({"a": fields(data_offsets=[-4, 0])}, b"0123"), ("format", "offsets_form"), False),
    "there are three offsets": (
        raw_file({"a": fields(data_offsets=[0, 4, 4])}, b"0123"),
        ("format", "offsets_form"),
        False,
    ),
    "the end is before the begin": (
        raw_file({"a": fields(data_offsets=[4, 0])}, b"0123"),
        ("format", "offsets_ordered"),
        False,
    ),
    "the shape takes more bytes than the offsets span": (
        raw_file({"a": fields(shape=[2])}, b"0123"),
        ("format", "extent_matches_shape"),
        False,
    ),
    "an odd number of 4-bit values": (
        raw_file({"a": fields(dtype="F4", shape=[7], data_offsets=[0, 4])}, b"0123"),
        ("format", "extent_matches_shape"),
        False,
    ),
    "two tensors share bytes": (
        raw_file({"a": A, "b": entry("F32", [1], 2)}, b"012345"),
        ("format", "no_overlap"),
        False,
    ),
    "two tensors are the same bytes": (raw_file({"a": A, "b": A}, b"0123"), ("format", "no_overlap"), False),
    "bytes between tensors belong to none": (
        raw_file({"a": A, "b": entry("F32", [1], 8)}, b"012345678901"),
        ("format", "no_hole"),
        False,
    ),
    "the first tensor does not begin at 0": (
        raw_file({"a": entry("F32", [1], 4)}, b"01234567"),
        ("format", "first_offset_zero"),
        False,
    ),
    "bytes follow the last tensor": (raw_file({"a": A}, b"0123456"), ("sizes", "file_size"), False),
    "the last two bytes are missing": (raw_file({"a": A}, b"01"), ("sizes", "file_size"), False),
    "an element type is not known": (raw_file({"a": fields(dtype="F31")}, b"0123"), ("dtypes", "dtype_known"), False),
    "an element type is written in lower case": (
        raw_file({"a": fields(dtype="f32")}, b"0123"),
        ("dtypes", "dtype_known"),
        False,
    ),
    "a name stands twice with the same bytes": (
        raw_file(Members([("a", A), ("a", A)]), b"0123"),
        ("names", "name_unique"),
        True,
    ),
    "a name stands twice with another type": (
        raw_file(Members([("a", entry("F16", [2], 0)), ("a", A)]), b"0123"),
        ("names", "name_unique"),
        True,
    ),
    "a name stands twice with bytes of its own": (
        raw_file(Members([("a", A), ("a", entry("F32", [1], 4))]), b"01234567"),
        ("names", "name_unique"),
        False,
    ),
    "metadata stands twice": (
        raw_file(Members([("__metadata__", {}), ("__metadata__", {})])),
        ("format", "metadata_unique"),
        False,
    ),
    "a metadata key stands twice": (
        raw_file({"__metadata__": Members([("a", "1"), ("a", "2")])}),
        ("format", "metadata_unique"),
        True,
    ),
    "a metadata value is a number": (raw_file({"__metadata__": {"a": 1}}), ("format", "metadata_strings"), False),
    "metadata is nested": (raw_file({"__metadata__": {"a": {"b": "c"}}}), ("format", "metadata_strings"), False),
    "metadata is a string": (raw_file({"__metadata__": "pt"}), ("format", "metadata_strings"), False),
    "an entry has a field more": (
        raw_file({"a": {**A, "strides": [1]}}, b"0123"),
        ("portability", "entry_fields"),
        True,
    ),
    "whitespace stands before the object": (raw_file(" \n{}"), ("portability", "begins_with_brace"), True),
    "a name is empty": (raw_file({"": A}, b"0123"), ("portability", "name_legal"), True),
    "a name holds NUL": (raw_file({"a\x00b": A}, b"0123"), ("portability", "name_legal"), True),
    "a name climbs out of a folder": (raw_file({"../../x": A}, b"0123"), ("portability", "name_legal"), True),
    "a name is an absolute path": (raw_file({"C:\\x": A}, b"0123"), ("portability", "name_legal"), True),
    "a name is longer than any path": (raw_file({"x" * 5_000: A}, b"0123"), ("portability", "name_legal"), True),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_violates_exactly_the_measure_that_is_about_it(case: str, tmp_path: Path) -> None:
    data, expected, accepted = BROKEN[case]
    found = violated(read(data))
    assert set(found) == {expected}, case
    assert not found[expected].holds
    assert reference_accepts(data, tmp_path) is accepted, "the reference reader, as this table says it behaves"


SOUND: dict[str, bytes] = {
    "no tensors": raw_file({}),
    "a scalar": raw_file({"a": entry("F32", [], 0)}, b"0123"),
    "an axis of 0": raw_file({"a": entry("F32", [0, 4], 0)}),
    "an empty tensor at the offset of a real one": raw_file({"a": A, "b": entry("F32", [0], 0)}, b"0123"),
    "whitespace behind the object": raw_file(b"{} \r\t\n"),
    "whitespace between all parts": raw_file(json.dumps({"a": A}, indent=2), b"0123"),
    "fields in another order": raw_file({"a": dict(reversed(A.items()))}, b"0123"),
    "entries in another order than their bytes": raw_file({"b": entry("F32", [1], 4), "a": A}, b"01234567"),
    "escapes in a name": raw_file('{"\\u0061\\ud83d\\ude00":' + json.dumps(A) + "}", b"0123"),
    "letters of every script in a name": raw_file({"wörter.層": A}, b"0123"),
    "nine axes": raw_file({"a": entry("F32", [1] * 9, 0)}, b"0123"),
    "two 4-bit values in a byte": raw_file({"a": entry("F4", [4], 0)}, b"01"),
}


@pytest.mark.parametrize("case", SOUND)
def test_a_sound_file_violates_nothing_and_is_compared(case: str, tmp_path: Path) -> None:
    container = read(SOUND[case])
    assert container.readable
    assert violated(container) == {}
    assert container.ledger.held["sizes", "file_size"] == 1
    assert reference_accepts(SOUND[case], tmp_path)


def test_every_dtype_of_the_format_is_read_as_itself(tmp_path: Path) -> None:
    arrays = {
        name: np.zeros((3, 4), name)
        for name in [
            "float64",
            "float32",
            "float16",
            "int64",
            "int32",
            "int16",
            "int8",
            "uint64",
            "uint32",
            "uint16",
            "uint8",
            "bool",
            "complex64",
        ]
    }
    container = read(file_of({**arrays, "brain": bf16(np.ones((2, 2)))}, dtypes={"brain": "BF16"}))
    assert violated(container) == {}
    words = "F64 F32 F16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL C64 BF16"
    assert [tensor.dtype for tensor in container.tensors] == words.split()


def test_tensors_lie_where_the_reference_reader_finds_them(tmp_path: Path) -> None:
    arrays = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([7], np.int64)}
    data = file_of(arrays, metadata={"format": "np"})
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    container = read(data)
    assert container.metadata == {"format": "np"}
    with safe_open(path, framework="np") as reference:
        for tensor in container.tensors:
            own = np.frombuffer(data, arrays[tensor.name].dtype, tensor.elements, tensor.offset).reshape(tensor.shape)
            np.testing.assert_array_equal(own, reference.get_tensor(tensor.name))


def test_a_tensor_of_unknown_type_is_left_out_and_never_read_as_another() -> None:
    header = read_header(MemoryBytes(raw_file({"a": fields(dtype="Q4"), "b": entry("F32", [1], 4)}, b"01234567")))
    assert [tensor.name for tensor in header.container.tensors] == ["b"]
    assert header.names == {"a", "b"}, "its name still is declared, for the index of a set"
    comparison = violated(header.container)["dtypes", "dtype_known"]
    assert (comparison.place.tensor, comparison.observed) == ("a", "Q4")


def test_a_truncated_file_names_both_sizes_and_marks_only_the_tensors_beyond_its_end() -> None:
    data = raw_file({"a": A, "b": entry("F32", [1], 4)}, b"012345")
    container = read(data)
    comparison = violated(container)["sizes", "file_size"]
    assert (comparison.expected, comparison.observed, comparison.note) == (
        len(data) + 2,
        len(data),
        "2 bytes are missing",
    )
    assert {tensor.name: tensor.readable for tensor in container.tensors} == {"a": True, "b": False}


def test_an_extent_that_lies_about_its_shape_is_not_to_be_read() -> None:
    (tensor,) = read(raw_file({"a": fields(shape=[1000])}, b"0123")).tensors
    assert not tensor.readable


def test_both_entries_of_one_name_are_kept_for_whoever_looks_at_bytes() -> None:
    container = read(raw_file(Members([("a", A), ("a", entry("F32", [1], 4))]), b"01234567"))
    assert [(tensor.name, tensor.offset) for tensor in container.tensors] == [
        ("a", container.data_offset),
        ("a", container.data_offset + 4),
    ]


def test_leading_whitespace_says_what_the_specification_and_the_reference_reader_say() -> None:
    comparison = violated(read(raw_file(" {}")))["portability", "begins_with_brace"]
    assert "MUST" in (comparison.note or "") and "reference reader accepts" in (comparison.note or "")


def test_a_header_of_odd_length_and_an_empty_tensor_are_said_and_are_no_failures() -> None:
    container = read(raw_file(json.dumps({"a": entry("F32", [0], 0)}).encode() + b" "))
    assert violated(container) == {}
    assert any("no multiple of 8" in note for note in container.ledger.notes)
    assert any("hold no values" in note for note in container.ledger.notes)


def test_a_syntax_error_is_placed_at_its_byte_even_behind_wide_characters() -> None:
    data = raw_file('{"層":x}')
    comparison = violated(read(data))["format", "header_json"]
    assert comparison.place.offset == data.index(b"x}")


def test_a_million_violations_keep_twenty_and_count_the_rest() -> None:
    container = read(raw_file({f"t{n}": fields(dtype="X") for n in range(500)}, b"0123"))
    assert container.ledger.violated["dtypes", "dtype_known"] == 500
    assert sum(topic == "dtypes" for topic, _ in container.ledger.violations) == 20


def test_a_file_that_shrinks_after_it_was_opened_is_an_outcome(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(raw_file({"a": A}, b"0123"))
    with FileBytes(path) as source:
        path.write_bytes(raw_file({"a": A})[:20])
        container = read_safetensors(source)
    assert ("sizes", "header_fits_file") in violated(container)
    assert not container.readable


@pytest.mark.parametrize("kind", ["missing", "directory", "link to itself", "fifo", "device", "NUL in its name"])
def test_what_is_no_regular_file_is_refused_in_one_line_that_names_it(kind: str, tmp_path: Path) -> None:
    import os

    path = tmp_path / "model.safetensors"
    causes = {"missing": "no such file", "directory": "a directory", "link to itself": "a link that points at itself"}
    if kind == "directory":
        path.mkdir()
    elif kind == "link to itself":
        path.symlink_to(path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path(os.devnull)
    elif kind == "NUL in its name":
        path = tmp_path / "a\x00b"
    with pytest.raises(Unreadable) as refused:
        FileBytes(path)
    (line,) = str(refused.value).splitlines()
    assert causes.get(kind, "NUL" if "NUL" in kind else "not a regular file") in line
    assert path.name.replace("\x00", "\\x00") in line


@pytest.mark.parametrize(
    "path",
    [
        DATA / "tiny-qwen2" / "model.safetensors",
        MODELS / "tiny-qwen2" / "model.safetensors",
        MODELS / "tiny-llama" / "model-00001-of-00003.safetensors",
        MODELS / "tiny-llama" / "model-00002-of-00003.safetensors",
        MODELS / "tiny-llama" / "model-00003-of-00003.safetensors",
        APR_FILES / "apr-st" / "model.safetensors",
    ],
    ids=lambda path: f"{path.parents[1].name}/{path.parent.name}/{path.name}",
)
def test_real_files_violate_nothing_in_any_topic(path: Path) -> None:
    with FileBytes(shared(path) if DATA not in path.parents else path) as source:
        container = read_safetensors(source)
    assert violated(container) == {}
    topics = {topic for topic, _ in container.ledger.held}
    assert topics == {"format", "sizes", "names", "dtypes", "portability"}
