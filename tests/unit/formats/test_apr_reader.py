"""What the .apr reader accepts and refuses, and what apr's two readers do with the same bytes."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.artifact import Container
from model_contracts.dtypes import APR_CODES
from model_contracts.formats.apr import apr_tokenizer, footer_crc, read_apr
from model_contracts.formats.source import FileBytes, MemoryBytes
from support.apr_files import (
    APR_Q4,
    APR_Q8,
    BF16,
    F16,
    F32,
    F64,
    I8,
    I32,
    I64,
    Q4_K,
    Q6_K,
    U8,
    array_entry,
    entry,
    file_bytes,
    golden_bytes,
    index_bytes,
    padded,
)
from support.containers import Sparse, violated

HUGE = (1 << 64) - 1
A, B = entry("a"), entry("b")
HEAD = entry("lm_head.weight", (4, 8), size=0, data=b"")
TIED = {"tied_embeddings": True}


def read(data: bytes) -> Container:
    return read_apr(MemoryBytes(data, Path("model.apr")))


def read_path(path: Path) -> Container:
    with FileBytes(path) as source:
        return read_apr(source)


@dataclass(frozen=True)
class Case:
    """Bytes, what alone is violated, whether the container can be read, and what was observed (None: not asked)."""

    data: bytes
    topic: str
    measure: str
    readable: bool = True
    observed: Any = None
    says: str = ""


def fatal(data: bytes, topic: str, measure: str, observed: Any = None, says: str = "") -> Case:
    return Case(data, topic, measure, False, observed, says)


def kin(magic: bytes, says: str) -> Case:
    return fatal(file_bytes(entries=[A], magic=magic), "format", "magic", magic.hex(), says)


def sized(code: int, shape: tuple[int, ...], size: int) -> bytes:
    return file_bytes(entries=[entry("a", shape, code, data=bytes(size))])


WHOLE = file_bytes(entries=[A, B])

CASES: dict[str, Case] = {
    "an empty file": fatal(b"", "format", "magic", ""),
    "another magic": fatal(file_bytes(magic=b"GGUF"), "format", "magic", b"GGUF".hex()),
    "APRN": kin(b"APRN", "classic machine-learning"),
    "APR1": kin(b"APR1", "first layout"),
    "APR2": kin(b"APR2", "serving reader accepts it, its core reader refuses it"),
    "APRT": kin(b"APRT", "a dump of one tensor"),
    "APR and a 2 byte": kin(b"APR\2", "only the prose describes"),
    "the file ends in the header": fatal(WHOLE[:63], "sizes", "header_complete", 63),
    "the file ends in the index": fatal(WHOLE[:140], "sizes", "header_complete", 140),
    "a header checksum that is off": Case(
        file_bytes(entries=[A], checksum=7), "format", "header_crc", observed="0x00000007", says="core reader refuses"
    ),
    "LZ4": fatal(file_bytes(entries=[A], flags=0x0401), "format", "payload_plain", says=""),
    "Zstandard": fatal(file_bytes(entries=[A], flags=0x0402), "format", "payload_plain"),
    "encrypted": fatal(file_bytes(entries=[A], flags=0x0404), "format", "payload_plain"),
    "column-major": fatal(file_bytes(entries=[A], flags=0x0800), "format", "layout_row_major"),
    "row-major and column-major": fatal(file_bytes(entries=[A], flags=0x0C00), "format", "layout_row_major"),
    "a metadata of 4 GiB": fatal(
        file_bytes(entries=[A], metadata_size=0xFFFFFFFF), "format", "metadata_bounded", 0xFFFFFFFF
    ),
    "ten million tensors": fatal(file_bytes(entries=[A], count=10_000_000), "format", "count_bounded", 10_000_000),
    "metadata over the header": fatal(file_bytes(entries=[A], metadata_offset=0), "format", "sections_ordered"),
    "metadata at 2^64 - 1": fatal(file_bytes(entries=[A], metadata_offset=HUGE), "format", "sections_ordered"),
    "an index before the metadata": fatal(file_bytes(entries=[A], index_offset=0), "format", "sections_ordered"),
    "data at 2^64 - 64": fatal(file_bytes(entries=[A], data_offset=HUGE - 63), "format", "sections_ordered"),
    "data before the end of the index": fatal(
        file_bytes(entries=[entry("a" * 60), entry("b" * 60)], data_offset=192), "sizes", "index_complete"
    ),
    "an index of 2^40 bytes": fatal(file_bytes(entries=[A], data_offset=1 << 40), "format", "index_bounded"),
    "metadata that is no JSON": fatal(
        file_bytes("{'a': 1}", [A]), "format", "metadata_json", says="goes on without any metadata"
    ),
    "metadata that is a list": fatal(file_bytes("[]", [A]), "format", "metadata_json", "list"),
    "metadata that is not UTF-8": fatal(file_bytes(b'{"a":"\xff"}', [A]), "format", "metadata_json"),
    "metadata with NaN": fatal(file_bytes('{"rope_theta":NaN}', [A]), "format", "metadata_json"),
    "metadata of 100,000 brackets": fatal(file_bytes("[" * 100_000, [A]), "format", "metadata_json"),
    "metadata of two million values": fatal(file_bytes('{"a":[' + "1," * 2_000_000 + "1]}"), "format", "metadata_json"),
    "an unsorted index": Case(
        file_bytes(entries=[B, A], sort=False), "format", "index_sorted", observed="a", says="core reader refuses"
    ),
    "names sorted by characters, not bytes": Case(
        file_bytes(entries=[entry("a_b"), entry("aB")], sort=False), "format", "index_sorted", observed="aB"
    ),
    "a name of 257 bytes": Case(file_bytes(entries=[entry("n" * 257)]), "names", "name_length", observed=257),
    "an empty name": Case(file_bytes(entries=[entry("")]), "names", "name_present", observed=""),
    "two tensors of one name": Case(
        file_bytes(entries=[A, A]), "names", "name_unique", observed="another one", says="the first of them"
    ),
    "a name that is not UTF-8": Case(
        file_bytes(entries=[entry(b"\xff")]), "portability", "text_utf8", observed="\\xff", says="replaces"
    ),
    "a type byte of 2": Case(
        sized(2, (32,), 18), "dtypes", "dtype_known", observed=2, says="serving reader takes it for Q4_0"
    ),
    "a type byte of 255": Case(sized(255, (8,), 32), "dtypes", "dtype_known", observed=255, says="left out"),
    "nine axes": Case(file_bytes(entries=[entry("a", (1,) * 9)]), "format", "axes", observed=9),
    "a product of axes past 2^63": Case(
        file_bytes(entries=[entry("a", (1 << 40, 1 << 40), data=b"")]), "format", "extent_in_range"
    ),
    "axes whose product wraps to 4": Case(
        file_bytes(entries=[entry("a", (1 << 62, 4, 1 << 62, 4), U8, data=bytes(4))]), "format", "extent_in_range"
    ),
    "an offset of 2^64 - 64": Case(
        file_bytes(entries=[entry("a", offset=HUGE - 63)]), "format", "extent_in_range"
    ),
    "an offset of 32": Case(
        file_bytes(entries=[entry("a", (16,), data=bytes(128), size=64, offset=32)]),
        "format",
        "offset_aligned",
        observed=32,
    ),
    "two tensors that share bytes": Case(
        file_bytes(entries=[A, entry("b", offset=0)]), "format", "no_overlap", observed="byte 0"
    ),
    "a size one byte short": Case(
        file_bytes(entries=[entry("a", size=31)]), "sizes", "tensor_size", observed="31 bytes"
    ),
    "an output head without bytes in a model that is not tied": Case(
        file_bytes({"tied_embeddings": False}, [HEAD]), "sizes", "tensor_size", observed="0 bytes", says="output head"
    ),
    "another tensor without bytes in a tied model": Case(
        file_bytes(TIED, [entry("a", (4, 8), data=b"")]), "sizes", "tensor_size", observed="0 bytes", says="output head"
    ),
    "APR Q4 that lacks its last block": Case(sized(APR_Q4, (33,), 18), "sizes", "tensor_size", observed="18 bytes"),
    "APR Q8 without its scale": Case(sized(APR_Q8, (33,), 33), "sizes", "tensor_size", observed="33 bytes"),
    "Q4_K of neither layout": Case(sized(Q4_K, (2, 300), 144 * 5), "sizes", "tensor_size", observed="720 bytes"),
    "the last byte of data is missing": Case(WHOLE[:-5], "sizes", "data_size", observed=len(WHOLE) - 5),
    "a footer that is off": Case(
        file_bytes(entries=[A], footer=b"\0\1\2\3"), "format", "footer_crc", observed="00010203"
    ),
    "three bytes behind the data": Case(file_bytes(entries=[A], footer=bytes(3)), "portability", "trailing_bytes"),
    "a file behind the file": Case(file_bytes(entries=[A], footer=bytes(4096)), "portability", "trailing_bytes"),
    "a key twice": Case(
        file_bytes('{"name":"x","name":"y"}', [A]), "portability", "key_unique", says="drops all metadata"
    ),
    "a key and its alias": Case(
        file_bytes({"hidden_size": None, "n_embd": 8}, [A]),
        "portability",
        "alias_unique",
        observed=["hidden_size", "n_embd"],
        says="drops all metadata",
    ),
    "two aliases of one key": Case(
        file_bytes({"norm_eps": 1e-6, "layer_norm_eps": 1e-5}, [A]), "portability", "alias_unique"
    ),
}  # fmt: skip

ACCEPTED: dict[str, bytes] = {
    "aprender's golden model": golden_bytes(),
    "no tensors": file_bytes(),
    "nulls": file_bytes({"architecture": None, "sharding": None, "tied_embeddings": None}, [A]),
    "offsets that are not monotone": file_bytes(entries=[entry("z"), entry("a"), entry("k", (100,))]),
    "a gap between tensors": file_bytes(entries=[A, entry("b", (8,), data=bytes(256), size=32, offset=256)]),
    "flags of the serving converter": file_bytes(entries=[A], flags=0x0020),
    "no flags": file_bytes(entries=[A], flags=0),
    "every flag that only describes": file_bytes(entries=[A], flags=0x07F8),
    "a scalar": file_bytes(entries=[entry("a", ())]),
    "no values": file_bytes(entries=[entry("a", (0, 4))]),
    "eight axes": file_bytes(entries=[entry("a", (1, 2, 1, 2, 1, 2, 1, 2))]),
    "a name of 256 bytes": file_bytes(entries=[entry("n" * 256)]),
    "an alias alone": file_bytes({"num_hidden_layers": 4, "n_embd": 8}, [A]),
    "the output head of a tied model": file_bytes(TIED, [HEAD]),
    "its other name": file_bytes(TIED, [entry("output.weight", (4, 8), data=b"")]),
}


@pytest.mark.parametrize("name", CASES)
def test_each_broken_file_violates_its_measure_and_no_other(name: str) -> None:
    case = CASES[name]
    container = read(case.data)
    found = violated(container)
    assert set(found) == {(case.topic, case.measure)}
    comparison = found[case.topic, case.measure]
    assert container.readable is case.readable
    assert comparison.expected is not None
    assert case.says in (comparison.note or "")
    if case.observed is not None:
        assert comparison.observed == case.observed


@pytest.mark.parametrize("name", ACCEPTED)
def test_each_valid_file_is_accepted_and_something_was_compared(name: str) -> None:
    container = read(ACCEPTED[name])
    assert violated(container) == {}
    assert container.readable
    assert container.ledger.held["format", "header_crc"] == 1
    assert container.ledger.held["format", "footer_crc"] == 1


def test_the_golden_model_is_laid_out_as_aprender_lays_it_out() -> None:
    data = golden_bytes()
    header = "4150520002000004020000004000000000000000bd00000000010000000000008001000000000000028cc03b"
    assert len(data) == 516
    assert data[:64].hex() == header + "00" * 20
    container = read(data)
    assert container.data_offset == 384
    assert {tensor.name: tensor.shape for tensor in container.tensors} == {"bias": (1,), "weights": (8,)}
    weights = container.tensors[1]
    stored = np.frombuffer(data[weights.offset : weights.offset + weights.nbytes], "<f4")
    assert stored.tolist() == [1, 2, 0.5, -0.5, 4, -2, 0.25, 8]
    assert container.metadata["model_type"] == "linear_regression"


@pytest.mark.parametrize(
    ("code", "shape", "size", "dtype", "row_bytes"),
    [
        (F32, (3, 5), 60, "F32", None),
        (F16, (3, 5), 30, "F16", None),
        (BF16, (3, 5), 30, "BF16", None),
        (F64, (3,), 24, "F64", None),
        (I32, (3,), 12, "I32", None),
        (I64, (3,), 24, "I64", None),
        (I8, (3,), 3, "I8", None),
        (U8, (3,), 3, "U8", None),
        (APR_Q4, (33,), 36, "APR_Q4", None),
        (APR_Q8, (33,), 37, "APR_Q8", None),
        (8, (2, 32), 36, "APR_Q4", None),
        (8, (2, 32), 68, "Q8_0", None),
        (9, (2, 32), 68, "APR_Q8", None),
        (Q4_K, (2, 256), 288, "Q4_K", None),
        (Q4_K, (4, 384), 864, "Q4_K", None),
        (Q4_K, (4, 384), 1152, "Q4_K", 288),
        (Q6_K, (4, 384), 1680, "Q6_K", 420),
        (Q6_K, (300,), 420, "Q6_K", None),
    ],
)
def test_the_element_type_is_told_by_byte_and_size(
    code: int, shape: tuple[int, ...], size: int, dtype: str, row_bytes: int | None
) -> None:
    container = read(sized(code, shape, size))
    assert violated(container) == {}
    (tensor,) = container.tensors
    assert (tensor.dtype, tensor.shape, tensor.nbytes, tensor.row_bytes) == (dtype, shape, size, row_bytes)
    assert tensor.readable


def test_a_tensor_of_unknown_type_is_named_left_out_and_never_read_as_f32() -> None:
    for code in sorted(set(range(256)) - set(APR_CODES)):
        container = read(file_bytes(entries=[A, entry("odd", (8,), code, data=bytes(32)), entry("z")]))
        found = violated(container)
        assert set(found) == {("dtypes", "dtype_known")}
        assert (found["dtypes", "dtype_known"].place.tensor, found["dtypes", "dtype_known"].observed) == ("odd", code)
        assert [tensor.name for tensor in container.tensors] == ["a", "z"]


def test_a_tied_output_head_without_bytes_is_a_placeholder_and_said() -> None:
    container = read(file_bytes(TIED, [array_entry("model.embed_tokens.weight", np.ones((4, 8))), HEAD]))
    head = container.tensors[0]
    assert (head.name, head.placeholder, head.nbytes, head.shape, head.dtype) == (
        "lm_head.weight", True, 0, (4, 8), "F32"
    )  # fmt: skip
    assert any("lm_head.weight" in note and "tied embedding" in note for note in container.ledger.notes)


def test_a_cut_file_says_both_sizes_and_which_tensors_cannot_be_read() -> None:
    whole = file_bytes(entries=[A, B, entry("c")], footer=b"")
    container = read(whole[:-65])
    found = violated(container)["sizes", "data_size"]
    assert (found.expected, found.observed) == (len(whole), len(whole) - 65)
    assert [tensor.readable for tensor in container.tensors] == [True, True, False]


def test_a_missing_footer_and_another_version_are_said_and_are_no_failures() -> None:
    container = read(file_bytes(entries=[A], footer=b"", version=(3, 1)))
    assert violated(container) == {}
    assert container.version == "3.1"
    assert ["footer" in note or "version 3.1" in note for note in container.ledger.notes] == [True, True]


def test_the_footer_is_the_checksum_of_every_byte_before_it() -> None:
    whole = file_bytes(entries=[entry("a", (300_000,))])
    container = read(whole)
    assert footer_crc(MemoryBytes(whole), container) is True
    for at in (0, 70, len(whole) // 2, len(whole) - 5):
        changed = bytearray(whole)
        changed[at] ^= 1
        assert footer_crc(MemoryBytes(bytes(changed)), container) is False
    assert footer_crc(MemoryBytes(whole[:-4]), container) is None
    assert whole[-4:] == zlib.crc32(whole[:-4]).to_bytes(4, "little")


def test_the_footer_of_a_large_file_is_left_to_the_one_who_reads_its_data() -> None:
    head = file_bytes(entries=[entry("a", (1 << 32,), data=b"", size=1 << 34)], footer=b"")
    source = Sparse(head, len(head) + (1 << 34) + 4)
    container = read_apr(source)
    assert violated(container) == {}
    assert container.tensors[0].readable
    assert any("footer was not verified" in note for note in container.ledger.notes)
    assert source.asked < 1 << 20


def test_an_entry_count_past_the_index_is_refused_with_the_entries_that_are_there() -> None:
    index = index_bytes([A, B])
    container = read(file_bytes({"name": "x"}, [A, B], index=index + struct.pack("<H", 60), count=3))
    assert not container.readable
    assert container.metadata == {"name": "x"}
    assert set(violated(container)) == {("sizes", "index_complete")}
    assert [tensor.name for tensor in container.tensors] == ["a", "b"]


def test_every_prefix_of_a_file_is_refused_without_an_exception() -> None:
    whole = file_bytes({"tokenizer.vocabulary": ["a", "b"]}, [A, B])
    for length in range(len(whole)):
        container = read(whole[:length])
        topics = {topic for topic, _ in violated(container)}
        footer_is_cut = length >= len(whole) - 4
        assert topics or length == len(whole) - 4
        assert footer_is_cut or topics & {"format", "sizes"}
        apr_tokenizer(container)


def test_every_changed_byte_of_a_file_is_noticed() -> None:
    whole = file_bytes({"tokenizer.vocabulary": ["a", "b"], "tokenizer.merges": ["a b"], **TIED}, [A, HEAD])
    for at in range(len(whole)):
        for flipped in (0xFF, 0x80, 0x01):
            data = bytearray(whole)
            data[at] ^= flipped
            container = read(bytes(data))
            apr_tokenizer(container)
            assert container.ledger.violations


def test_sections_that_are_not_aligned_are_named() -> None:
    body = json.dumps({}).encode()
    whole = padded(file_bytes(entries=[A], footer=b""))
    moved = bytearray(whole)
    struct.pack_into("<Q", moved, 32, 64 + 64 + 65)
    moved[40:44] = zlib.crc32(bytes(moved[44:64]), zlib.crc32(bytes(moved[:40]))).to_bytes(4, "little")
    found = violated(read(bytes(moved) + bytes(64) + body))
    assert found["format", "section_aligned"].observed == 193
