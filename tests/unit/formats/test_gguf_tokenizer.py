"""What the GGUF reader makes of tokenizer.ggml.*, whatever types stand there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_contracts.artifact import Container
from model_contracts.formats.gguf import gguf_tokenizer, read_gguf
from model_contracts.formats.source import MemoryBytes
from support.containers import violated
from support.gguf_files import (
    ARRAY,
    BOOL,
    F32,
    I32,
    NAMED,
    STRING,
    U32,
    array,
    file_bytes,
    tokenizer_pairs,
)


def read(data: bytes) -> Container:
    return read_gguf(MemoryBytes(data, Path("model.gguf")))


def pairs(*extra: tuple[Any, int, Any]) -> list[tuple[Any, int, Any]]:
    return [NAMED, *extra]


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
