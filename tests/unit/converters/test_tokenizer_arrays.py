"""tokenizer.json as arrays and back, without loss where it is carried; refusals where arrays cannot hold it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_contracts.converters.interface import ConversionRefused
from model_contracts.converters.tokenizer_arrays import CONTROL, NORMAL, UNUSED, USER_DEFINED, arrays_of
from model_contracts.converters.tokenizer_packed import pack, unpack


def tokenizer(vocab: dict[str, int], merges: list[Any], added: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "version": "1.0",
        "added_tokens": added or [],
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges, "fuse_unk": False},
    }


def test_ids_without_a_token_are_padding_and_added_tokens_lie_over_the_vocabulary() -> None:
    added = [{"id": 1, "content": "b", "special": True}, {"id": 3, "content": "<x>", "special": False}]
    arrays = arrays_of(tokenizer({"a": 0, "b": 1}, [["a", "b"]], added), 5, "byte-level")
    assert arrays.tokens == ["a", "b", None, "<x>", None]
    assert arrays.types == [NORMAL, CONTROL, UNUSED, USER_DEFINED, UNUSED]
    assert arrays.filled("[PAD{id}]") == ["a", "b", "[PAD2]", "<x>", "[PAD4]"]
    assert arrays.merges == ["a b"]


@given(
    tokens=st.lists(st.text(st.characters(exclude_characters=" ", exclude_categories=["Cs"]), min_size=1), unique=True),
    shift=st.integers(0, 3),
    pairs=st.booleans(),
    data=st.data(),
)
def test_what_is_packed_comes_back_from_the_arrays(tokens: list[str], shift: int, pairs: bool, data: Any) -> None:
    vocab = {token: at + shift for at, token in enumerate(tokens)}
    merges = data.draw(st.lists(st.tuples(st.sampled_from(tokens), st.sampled_from(tokens)))) if tokens else []
    document = tokenizer(vocab, [list(pair) if pairs else " ".join(pair) for pair in merges])
    arrays = arrays_of(document, len(tokens) + shift + 2, "byte-level")
    packed = pack(document, arrays)
    assert unpack(packed, arrays) == document


def test_a_token_under_another_added_token_is_carried_by_its_id() -> None:
    document = tokenizer({"a": 0, "b": 1}, [], [{"id": 1, "content": "other", "special": True}])
    arrays = arrays_of(document, 2, "byte-level")
    packed = pack(document, arrays)
    assert packed["model_contracts"]["others"] == [[1, "b"]] and "vocab" not in packed["model"]
    assert unpack(packed, arrays) == document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (tokenizer({"a": 9}, []), "'a' the id 9, and the embedding has 4 rows"),
        (tokenizer({"a": 0, "b ": 1}, [["a", "b "]]), "holds a space"),
        (tokenizer({"a": 0}, [["a"]]), "merges that are not two tokens"),
        ({"model": {"type": "Unigram", "vocab": [["a"]]}}, "pieces that are not a token and its score"),
        (tokenizer({"\ud800": 0}, []), "a token that is no text"),
        ({"model": {"type": "Unigram", "vocab": [["a", 1e300]]}}, "the score 1e.300, which 32 bits do not hold"),
        ({"model": {"type": "BPE"}}, "the tokenizer is BPE of a kind that GGUF and .apr have no form for"),
    ],
)
def test_what_arrays_cannot_hold_is_refused(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ConversionRefused, match=said):
        arrays_of(document, 4, "unigram" if document["model"]["type"] == "Unigram" else "byte-level")
