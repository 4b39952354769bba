"""Tokenizers in other forms than tokenizer.json: read, or named as there and not read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model_contracts.artifact import Artifact
from model_contracts.formats.opening import open_artifact
from support.safetensors_files import write_file

X = np.ones((2, 2), np.float32)
VOCAB = {"a": 0, "b": 1, "ab": 2, "<s>": 3}


def folder(tmp_path: Path, **files: str | bytes) -> Artifact:
    write_file(tmp_path / "model.safetensors", {"a": X})
    for name, content in files.items():
        path = tmp_path / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_artifact(tmp_path)


def test_a_vocabulary_and_its_merges_are_a_tokenizer(tmp_path: Path) -> None:
    config = {"added_tokens_decoder": {"3": {"content": "<s>", "special": True, "rstrip": True}}, "bos_token": "<s>"}
    merges = "#version: 0.2\na b\n"
    files = {"vocab__json": json.dumps(VOCAB), "merges__txt": merges, "tokenizer_config__json": json.dumps(config)}
    tokenizer = folder(tmp_path, **files, added_tokens__json='{"<x>": 4}').tokenizer
    assert tokenizer is not None
    assert (tokenizer.algorithm, tokenizer.tokens, tokenizer.merges) == ("BPE", [*VOCAB, "<x>"], [("a", "b")])
    assert (tokenizer.added[3].special, tokenizer.added[3].rstrip, tokenizer.added[4].content) == (True, True, "<x>")
    assert tokenizer.special_ids["bos"] == (3, "tokenizer_config.json bos_token")


def test_lines_of_a_vocabulary_are_word_pieces(tmp_path: Path) -> None:
    tokenizer = folder(tmp_path, vocab__txt="[PAD]\r\n[UNK]\r\na\r\n##b\r\na\r\n").tokenizer
    assert tokenizer is not None
    assert (tokenizer.algorithm, tokenizer.tokens) == ("WordPiece", ["[PAD]", "[UNK]", "a", "##b", "a"])
    assert tokenizer.duplicates == (("a", 2, 4),)


@pytest.mark.parametrize(
    ("files", "unread"),
    [
        ({"tekken__json": "{}"}, "tekken.json"),
        ({"tiktoken__model": "IQ== 0\n"}, "tiktoken.model"),
        ({"tokenizer__model": "IQ== 0\nIg== 1\n"}, "tokenizer.model"),
        ({"vocab__json": "{}"}, "vocab.json"),
        ({"sentencepiece__bpe__model": b"\n\x03\n\x01a"}, "sentencepiece.bpe.model"),
    ],
)
def test_what_is_not_read_is_named(files: dict[str, str | bytes], unread: str, tmp_path: Path) -> None:
    artifact = folder(tmp_path, **files)
    assert artifact.tokenizer is None
    assert list(artifact.unread_tokenizers) == [unread]
    assert any(unread in note for note in artifact.notes)


@pytest.mark.parametrize(
    "files",
    [
        {"vocab__json": "[", "merges__txt": "a b"},
        {"vocab__json": '{"a": -1}', "merges__txt": "a b"},
        {"vocab__json": '{"a": 0}', "merges__txt": "a b c"},
        {"vocab__json": '{"a": 0}', "merges__txt": b"\xff"},
        {"vocab__json": '{"a": 0}', "merges__txt": "", "added_tokens__json": "7"},
        {"tokenizer__model": "version https://git-lfs.github.com/spec/v1\n"},
        {"vocab__txt": b"a\n\xff\n"},
    ],
)
def test_a_form_that_is_damaged_is_told_by_the_ledger(files: dict[str, str | bytes], tmp_path: Path) -> None:
    artifact = folder(tmp_path, **files)
    assert artifact.tokenizer is None
    assert {c.measure for _, c in artifact.ledger.violations} & {"tokenizer_files", "sentencepiece_model"}
