"""A tokenizer rebuilt from a vocabulary cuts text as its name says, or says why it cannot be rebuilt."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_contracts.formats.opening import open_artifact
from model_contracts.runtimes.interface import Refused
from model_contracts.runtimes.text.tokenizers import encoder, rebuilt
from model_contracts.vocabulary import AddedToken, Tokenizer
from support.shared_models import DATA

pytest.importorskip("tokenizers", reason="the tokenizers library is not installed")

#: "a"…"c", a space and digits as byte-level text, and what the merges make.
LETTERS = ("a", "b", "c", "Ġ", "1", "2", "é", "Ã", "©")


def tokenizer(tokens=(), merges=(), *, algorithm="BPE", **fields) -> Tokenizer:
    return Tokenizer(Path("x.gguf"), algorithm, (*LETTERS, *tokens), list(merges), **fields)


def words(tokenizer: Tokenizer, text: str) -> list[str]:
    return rebuilt(tokenizer).encode(text, add_special_tokens=False).tokens


@pytest.mark.parametrize(
    ("pre", "expected"),
    [("qwen2", ["1", "2"]), ("llama-bpe", ["12"]), ("gpt-2", ["12"]), ("starcoder", ["1", "2"])],
)
def test_the_name_of_the_pre_tokenizer_decides_how_digits_are_cut(pre, expected):
    assert words(tokenizer(("12",), (("1", "2"),), pre=pre), "12") == expected


def test_only_some_names_compose_accents():
    assert words(tokenizer(("Ã©",), (("Ã", "©"),), pre="qwen2"), "é") == ["Ã©"]


def test_a_whole_word_is_taken_where_its_name_says_so():
    parts = {"tokens": ("ab", "abc"), "merges": (("a", "b"),)}
    assert words(tokenizer(**parts, pre="llama-bpe"), "abc") == ["abc"]
    assert words(tokenizer(**parts, pre="gpt-2"), "abc") == ["ab", "c"]


def test_added_tokens_keep_their_ids():
    added = {9: AddedToken(9, "<|x|>", special=True), 10: AddedToken(10, "[y]")}
    engine = rebuilt(tokenizer(("<|x|>", "[y]"), pre="gpt-2", added=added))
    assert engine.encode("a<|x|>[y]b", add_special_tokens=False).ids == [0, 9, 10, 1]


def test_sentence_piece_merges_follow_the_scores():
    vocabulary = ("<unk>", "\u2581", "a", "b", "c", "ab", "bc", "\u2581ab")
    made = Tokenizer(Path("x"), "SPM", vocabulary, None, scores=(0, -9, -9, -9, -9, -2, -1, -3), special_ids={})
    assert words(made, "abc") == ["\u2581", "a", "bc"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (tokenizer(pre="no-such-cut"), "how the pre-tokenizer .no-such-cut. splits is not known"),
        (tokenizer(merges=(("a", "z"),), pre="gpt-2"), "'a' 'z' has a part"),
        (tokenizer(algorithm="WordLevel"), "from a WordLevel vocabulary alone"),
        (tokenizer(algorithm="Unigram"), "a Unigram vocabulary without scores"),
        (Tokenizer(Path("x"), "BPE", LETTERS, None, pre="gpt-2"), "without merges"),
        (Tokenizer(Path("x"), "SPM", LETTERS, None), "neither scores nor merges"),
    ],
)
def test_what_cannot_be_rebuilt_says_why(made, said):
    with pytest.raises(Refused, match=said):
        rebuilt(made)


def test_both_containers_give_the_same_ids():
    texts = ["What is 2+2?", "it's <|im_start|>\n\n 12", "日本 🎉", " "]
    folder, file = (encoder(open_artifact(DATA / name)) for name in ("tiny-llama", "tiny-llama-Q8_0.gguf"))
    assert [folder.encode(text) for text in texts] == [file.encode(text) for text in texts]
    assert file.encode_many(texts) == [file.encode(text) for text in texts]
    assert [file.decode(file.encode(text)) for text in texts] == texts
    assert file.origin == "rebuilt from tiny-llama-Q8_0.gguf"
