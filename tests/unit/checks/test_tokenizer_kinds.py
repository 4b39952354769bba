"""What a conversion does to each kind of tokenizer is held: honest ones stay quiet, each fault is seen at its gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.gguf_models import GgufModel
from support.tokenizers import KIND_NAMES, published, seen, stored

TOKENS, MERGES, FLAGS = (f"F-CONTRACT-I5-00{number}" for number in (1, 2, 3))
MARKED, PRESENT, UNIQUE = (f"G0-TOKENIZER-00{number}" for number in (6, 1, 2))
_OWN = "tokenizer.ggml."
Edit = Callable[[GgufModel], Any]


def put(key: str, value: Any, at: int | None = None) -> Edit:
    """One value of a key, or one entry of its list, replaced."""

    def edit(model: GgufModel) -> None:
        if at is None:
            model[_OWN + key] = value
        else:
            model[_OWN + key][at] = value

    return edit


def dropped(key: str) -> Edit:
    return lambda model: model.__delitem__(_OWN + key)


def swapped(a: int, b: int) -> Edit:
    def edit(model: GgufModel) -> None:
        tokens = model[_OWN + "tokens"]
        tokens[a], tokens[b] = tokens[b], tokens[a]

    return edit


def replaced(old: str, new: str) -> Edit:
    def edit(model: GgufModel) -> None:
        model[_OWN + "tokens"][:] = [token.replace(old, new) for token in model[_OWN + "tokens"]]

    return edit


def faults(target: Any, source: Any) -> dict[str, str]:
    """Gate to the measure of the first comparison that does not hold."""
    return {gate: broken[0].measure for gate, (broken, _) in seen(target, source).items() if broken}


def gaps(target: Any, source: Any) -> dict[str, str]:
    """Gate to the first reason why something stayed uncompared."""
    return {gate: uncompared[0].reason for gate, (_, uncompared) in seen(target, source).items() if uncompared}


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("backwards", [False, True])
def test_an_honest_conversion_is_held_to_its_source_and_nothing_is_left_uncompared(
    kind: str, backwards: bool, tmp_path: Path
) -> None:
    pair = (stored(kind, tmp_path), published(kind, tmp_path))
    target, source = reversed(pair) if backwards else pair
    told = seen(target, source)
    assert {TOKENS, FLAGS, UNIQUE, PRESENT} <= set(told)
    assert (MERGES in told) is (kind == "sentencepiece")
    assert all(found == ([], []) for found in told.values()), told


@pytest.mark.parametrize(
    ("kind", "edit", "expected"),
    [
        ("sentencepiece", swapped(400, 401), {TOKENS: "token_at_id"}),
        ("sentencepiece", put("scores", -1.0, 400), {TOKENS: "score_at_id"}),
        ("sentencepiece", dropped("scores"), {TOKENS: "score_at_id", MERGES: "merge_of_scores"}),
        ("sentencepiece", replaced("▁", " "), {TOKENS: "token_at_id", MERGES: "merge_of_scores"}),
        ("sentencepiece", put("token_type", 1, 30), {FLAGS: "token_type", MARKED: "byte_token_type"}),
        ("sentencepiece", put("token_type", 1, 2), {FLAGS: "added_token_type", MARKED: "special_token_type"}),
        ("sentencepiece", put("token_type", 3, 400), {FLAGS: "token_type"}),
        ("sentencepiece", put("add_bos_token", False), {FLAGS: "add_bos"}),
        ("sentencepiece", put("add_eos_token", True), {FLAGS: "add_eos"}),
        ("wordpiece", swapped(400, 401), {TOKENS: "token_at_id"}),
        ("wordpiece", put("token_type", 1, 4), {FLAGS: "added_token_type"}),
        ("wordpiece", put("normalizer.lowercase", False), {FLAGS: "lowercase"}),
        ("wordpiece", put("add_eos_token", False), {FLAGS: "add_eos"}),
        ("wordpiece", put("bos_token_id", 1), {FLAGS: "bos_of_post_processor"}),
        ("unigram", put("scores", -1.0, 400), {TOKENS: "score_at_id"}),
        ("unigram", put("token_type", 1, 1), {FLAGS: "added_token_type", MARKED: "special_token_type"}),
        ("unigram", put("add_space_prefix", False), {FLAGS: "add_space_prefix"}),
        ("unigram", put("remove_extra_whitespaces", False), {FLAGS: "remove_extra_whitespaces"}),
        ("unigram", put("add_eos_token", False), {FLAGS: "add_eos"}),
    ],
)
def test_each_fault_of_a_conversion_is_seen_at_its_gate(
    kind: str, edit: Edit, expected: dict[str, str], tmp_path: Path
) -> None:
    assert faults(stored(kind, tmp_path, edit), published(kind, tmp_path)) == expected


def test_a_vocabulary_under_the_word_for_another_kind_is_no_conversion(tmp_path: Path) -> None:
    found = faults(stored("unigram", tmp_path, put("model", "gpt2")), published("unigram", tmp_path))
    assert found[TOKENS] == "tokenizer_kind"


def test_marks_of_words_are_part_of_their_tokens(tmp_path: Path) -> None:
    found = faults(stored("wordpiece", tmp_path, replaced("▁", "")), published("wordpiece", tmp_path))
    assert found[TOKENS] == "token_at_id"
    assert found[UNIQUE] == "token_unique"


def test_without_a_sentencepiece_model_scores_are_held_to_the_order_of_the_merges(tmp_path: Path) -> None:
    source = published("sentencepiece", tmp_path, None, "tokenizer.model")
    assert faults(stored("sentencepiece", tmp_path), source) == {}
    assert faults(stored("sentencepiece", tmp_path, put("scores", -500.0, 300)), source) == {MERGES: "merge_of_scores"}


def test_scores_that_allow_more_than_the_source_lists_leave_the_merges_unproven(tmp_path: Path) -> None:
    source = published("sentencepiece", tmp_path, lambda document: document["model"]["merges"].pop(50))
    target = stored("sentencepiece", tmp_path)
    assert faults(target, source) == {}
    assert "merges that are not listed" in gaps(target, source)[MERGES]


def test_token_types_that_are_not_declared_leave_markers_unproven(tmp_path: Path) -> None:
    target = stored("sentencepiece", tmp_path, dropped("token_type"))
    assert "no token types" in gaps(target, None)[MARKED]
    assert faults(target, None) == {}


def test_a_flag_that_nothing_declares_is_what_readers_assume(tmp_path: Path) -> None:
    source = published("sentencepiece", tmp_path)
    assert faults(stored("sentencepiece", tmp_path, dropped("add_bos_token")), source) == {}
    told = stored("unigram", tmp_path, dropped("add_space_prefix"))
    assert faults(told, published("unigram", tmp_path)) == {FLAGS: "add_space_prefix"}


def test_a_prefix_that_the_source_spells_as_null_stays_unproven(tmp_path: Path) -> None:
    target = stored("sentencepiece", tmp_path, put("add_space_prefix", False))
    source = published("sentencepiece", tmp_path)
    assert faults(target, source) == {}
    assert "null" in gaps(target, source)[FLAGS]
    plain = published("sentencepiece", tmp_path / "plain", None, "tokenizer_config.json")
    assert faults(target, plain) == {FLAGS: "add_space_prefix"}


def test_a_normaliser_without_a_place_in_the_container_is_said(tmp_path: Path) -> None:
    source = published("unigram", tmp_path, lambda document: document.update(normalizer={"type": "NFKC"}))
    assert "no place for the normalizer NFKC" in gaps(stored("unigram", tmp_path), source)[FLAGS]


@pytest.mark.parametrize("kind", KIND_NAMES[:2])
def test_a_folder_without_tokenizer_json_is_read_by_its_other_files(kind: str, tmp_path: Path) -> None:
    source = published(kind, tmp_path, None, "tokenizer.json")
    assert source.tokenizer is not None
    told = seen(stored(kind, tmp_path), source)
    assert told[TOKENS] == told[FLAGS] == ([], [])


def _lists(kind: str) -> list[tuple[str, Callable[[dict[str, Any]], Any], str]]:
    token = {"single_word": "single_word", "lstrip": "lstrip", "rstrip": "rstrip", "normalized": "normalized"}
    flags = [
        (kind, lambda value, flag=flag: value["added_tokens"][0].update({flag: True}), f"added_token_{flag}")
        for flag in token
    ]
    return [
        *flags,
        (kind, lambda value: value["added_tokens"][0].update(special=False), "added_token_special"),
        (kind, lambda value: value["added_tokens"].pop(), "added_token"),
        (kind, lambda value: value.update(normalizer={"type": "Lowercase"}), "normalizer"),
        (kind, lambda value: value.update(pre_tokenizer={"type": "Whitespace"}), "pre_tokenizer"),
        (kind, lambda value: value.update(decoder=None), "decoder"),
        (kind, lambda value: value.update(padding={"pad_id": 0}), "padding"),
        (kind, lambda value: value.update(truncation={"max_length": 8}), "truncation"),
        (kind, lambda value: value["post_processor"].update(pair=[]), "post_processor"),
        (kind, lambda value: value["model"].update(byte_fallback=7), "model"),
    ]


@pytest.mark.parametrize(("kind", "edit", "measure"), [case for kind in KIND_NAMES for case in _lists(kind)])
def test_every_section_and_flag_of_two_tokenizer_json_is_compared(
    kind: str, edit: Callable[[dict[str, Any]], Any], measure: str, tmp_path: Path
) -> None:
    source = published(kind, tmp_path / "source")
    assert faults(published(kind, tmp_path / "target", edit), source) == {FLAGS: measure}


def _respelled(document: dict[str, Any]) -> None:
    """The same behaviour in other words: nested sequences of one, defaults spelled, keys in another order."""
    document["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [document["pre_tokenizer"]]}
    before = document["normalizer"]
    document["normalizer"] = {"type": "Sequence", "normalizers": [] if before is None else [before]}
    document["post_processor"] = {
        "type": "Sequence",
        "processors": [{"type": "ByteLevel", "trim_offsets": False}, document["post_processor"]],
    }
    document["model"] = dict(reversed(document["model"].items()))
    if document["model"]["type"] == "BPE":
        document["model"]["merges"] = [" ".join(merge) for merge in document["model"]["merges"]]
        document["model"].pop("dropout")
        document["model"]["end_of_word_suffix"] = ""


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_two_spellings_of_one_tokenizer_are_one(kind: str, tmp_path: Path) -> None:
    told = seen(published(kind, tmp_path / "target", _respelled), published(kind, tmp_path / "source"))
    assert all(found == ([], []) for found in told.values()), told
