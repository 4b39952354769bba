"""SentencePiece models are read within bounds, and what is none says where it is none."""

from __future__ import annotations

import contextlib
import random
import struct
from pathlib import Path

import pytest

from model_contracts.formats.documents import NotJson
from model_contracts.formats.sentencepiece import PIECES_BOUND, read_sentencepiece, sentencepiece_of
from model_contracts.formats.source import MemoryBytes
from model_contracts.ledger import Ledger

DATA = Path(__file__).parents[2] / "data" / "tokenizers" / "sentencepiece" / "tokenizer.model"


def field(number: int, data: bytes) -> bytes:
    """A field that holds bytes shorter than 128."""
    return bytes([number << 3 | 2, len(data)]) + data


def piece(text: bytes, score: float = 0.0, kind: int = 1) -> bytes:
    return field(1, field(1, text) + b"\x15" + struct.pack("<f", score) + bytes([0x18, kind]))


def read(data: bytes) -> object:
    return sentencepiece_of(MemoryBytes(data))


def test_pieces_scores_types_and_settings_are_read() -> None:
    model = sentencepiece_of(MemoryBytes(DATA.read_bytes()))
    assert (model.algorithm, len(model.pieces), model.special_ids["eos"]) == ("BPE", 480, 2)
    assert (model.pieces[0], model.types[0], model.pieces[3], model.types[3]) == ("<unk>", 2, "<0x00>", 6)
    assert model.scores[-1] == -220.0
    assert model.options == {
        "add_space_prefix": True,
        "remove_extra_whitespaces": False,
        "precompiled_charsmap": b"",
    }


def test_what_is_not_said_is_as_sentencepiece_has_it() -> None:
    model = sentencepiece_of(MemoryBytes(field(1, field(1, b"a"))))
    assert (model.scores, model.types, model.algorithm) == ([0.0], [1], "Unigram")
    assert model.options["add_space_prefix"] is True


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "a SentencePiece model"),
        (b"{}", "a protocol buffer"),
        (b"\x0a\xff", "a protocol buffer"),
        (b"\x0a\x7fab", "a protocol buffer"),
        (b"\xff" * 12, "a protocol buffer"),
        (piece(b"\xff"), "UTF-8 in a piece"),
        (piece(b"a", kind=9), "a type from 1 to 6"),
        (piece(b"a") + field(2, bytes([0x18, 9])), "a model type from 1 to 4"),
        (b"\x0a\x00" * (PIECES_BOUND + 1), f"at most {PIECES_BOUND:,} pieces"),
    ],
)
def test_what_is_no_model_says_why(data: bytes, expected: str) -> None:
    with pytest.raises(NotJson) as refused:
        read(data)
    assert expected in refused.value.expected


def test_no_damage_ends_otherwise_than_in_a_refusal() -> None:
    whole, dice = DATA.read_bytes(), random.Random(7)
    for _ in range(400):
        data = bytearray(whole[: dice.randrange(1, len(whole))] if dice.random() < 0.5 else whole)
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        with contextlib.suppress(NotJson):
            read(bytes(data))


def test_a_damaged_file_is_told_by_its_ledger(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(DATA.read_bytes()[:-3])
    ledger = Ledger()
    assert read_sentencepiece(path, ledger) is None
    ((_, violation),) = ledger.violations
    assert (violation.measure, violation.place.file) == ("sentencepiece_model", "tokenizer.model")
