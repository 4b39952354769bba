"""What the .apr reader makes of tokenizer.*, and what it says of the files that apr wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_contracts.artifact import Container
from model_contracts.formats.apr import apr_tokenizer, read_apr
from model_contracts.formats.source import FileBytes, MemoryBytes
from support.apr_files import (
    entry,
    file_bytes,
)
from support.containers import violated
from support.shared_models import APR_FILES, shared

A = entry("a")


def read(data: bytes) -> Container:
    return read_apr(MemoryBytes(data, Path("model.apr")))


def read_path(path: Path) -> Container:
    with FileBytes(path) as source:
        return read_apr(source)


VOCABULARY = {
    "tokenizer.vocabulary": ["<s>", "a", "b", "<unk>", "<unk>", "ab"],
    "tokenizer.merges": ["a b"],
    "tokenizer.model_type": "BPE",
    "tokenizer.bos_token_id": 0,
    "tokenizer.padding_token_id": None,
    "tokenizer.pre_type": "qwen2",
    "tokenizer.vocab_size": 6,
    "tokenizer.add_bos_token": False,
}


def test_a_tokenizer_is_read_and_filled_holes_are_no_duplicates() -> None:
    container = read(file_bytes(VOCABULARY, [A]))
    tokenizer = apr_tokenizer(container)
    assert tokenizer is not None
    assert (tokenizer.algorithm, tokenizer.pre, tokenizer.add_bos) == ("BPE", "qwen2", False)
    assert list(tokenizer.tokens) == ["<s>", "a", "b", "<unk>", None, "ab"]
    assert tokenizer.merges == [("a", "b")]
    assert tokenizer.special_ids == {"bos": (0, "tokenizer.bos_token_id")}
    assert tokenizer.duplicates == ()
    assert violated(container) == {}
    assert any("<unk>" in note for note in container.ledger.notes)


@pytest.mark.parametrize(
    ("changes", "measure"),
    [
        ({"tokenizer.merges": "a b"}, "tokenizer_arrays"),
        ({"tokenizer.merges": [["a", "b"]]}, "tokenizer_arrays"),
        ({"tokenizer.token_type": [1]}, "tokenizer_arrays"),
        ({"tokenizer.scores": ["x"]}, "tokenizer_arrays"),
        ({"tokenizer.model_type": 7}, "tokenizer_text"),
        ({"tokenizer.bos_token_id": 1.5}, "tokenizer_ids"),
        ({"tokenizer.add_bos_token": 1}, "tokenizer_flags"),
        ({"tokenizer.pre_type": 1}, "tokenizer_text"),
    ],
)
def test_a_part_of_a_tokenizer_of_the_wrong_type_is_a_violation(changes: dict[str, Any], measure: str) -> None:
    container = read(file_bytes({**VOCABULARY, **changes}, [A]))
    assert apr_tokenizer(container) is not None
    assert set(violated(container)) == {("format", measure)}


def test_gguf_s_word_for_the_algorithm_counts_where_it_came_from_one() -> None:
    stored = {**VOCABULARY, "tokenizer.model": "gpt2"}
    del stored["tokenizer.model_type"]
    tokenizer = apr_tokenizer(read(file_bytes(stored, [A])))
    assert tokenizer is not None
    assert tokenizer.algorithm == "BPE"


def test_a_tokenizer_without_a_named_algorithm_is_taken_for_bpe_and_that_is_said() -> None:
    container = read(file_bytes({**VOCABULARY, "tokenizer.model_type": None}, [A]))
    tokenizer = apr_tokenizer(container)
    assert tokenizer is not None
    assert tokenizer.algorithm == "BPE"
    assert violated(container) == {}
    assert any("tokenizer.model_type" in note and "BPE" in note for note in container.ledger.notes)


def test_without_a_vocabulary_there_is_no_tokenizer() -> None:
    assert apr_tokenizer(read(file_bytes({"tokenizer.merges": ["a b"]}, [A]))) is None
    container = read(file_bytes({"tokenizer.vocabulary": {"a": 0}}, [A]))
    assert apr_tokenizer(container) is None
    assert set(violated(container)) == {("format", "tokenizer_arrays")}


@pytest.mark.parametrize(
    ("name", "dtypes"),
    [
        ("imp-int4", {"F32", "APR_Q4"}),
        ("imp-int8", {"F32", "APR_Q8"}),
        ("imp-q4k", {"F32", "Q4_K", "Q6_K"}),
        ("q-Q4_K_M", {"F32", "Q4_K", "Q6_K"}),
        ("q-int4", {"F32", "Q4_K"}),
        ("q", {"F32", "BF16"}),
    ],
)
def test_files_that_apr_wrote_hold_in_every_topic(name: str, dtypes: set[str]) -> None:
    container = read_path(shared(APR_FILES / f"{name}.apr"))
    tokenizer = apr_tokenizer(container)
    assert container.ledger.violations == []
    assert container.readable
    assert {tensor.dtype for tensor in container.tensors} == dtypes
    assert len(container.tensors) == (50 if name == "imp-q4k" else 51)
    assert tokenizer is not None
    assert (tokenizer.size, tokenizer.algorithm, len(tokenizer.merges or ())) == (2000, "BPE", 1741)
    notes = " ".join(container.ledger.notes)
    assert ("no footer" in notes) is (name == "imp-q4k")
    assert ("stands for the tied embedding" in notes) is (name == "q")
