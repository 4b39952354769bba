"""What tokenizer.json is read as, and that no content of it gets past the reader as anything but an outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_contracts.formats.source import FileBytes, MemoryBytes
from model_contracts.formats.tokenizer_json import read_tokenizer
from model_contracts.formats.tokenizer_members import ID_BOUND
from model_contracts.ledger import Ledger
from model_contracts.vocabulary import Tokenizer
from support.safetensors_files import Members, dumps
from support.shared_models import DATA

VOCAB = {"a": 0, "b": 1, "ab": 2}


def document(**changes: Any) -> dict[str, Any]:
    """A small BPE tokenizer; `changes` replace members of its model, `added_tokens` and the like of the file."""
    model = {"type": "BPE", "vocab": VOCAB, "merges": [["a", "b"]]}
    outer = {key: changes.pop(key) for key in ("added_tokens", "pre_tokenizer", "post_processor") if key in changes}
    return {"version": "1.0", **outer, "model": {**model, **changes}}


def read(value: Any, config: dict[str, Any] | None = None) -> tuple[Tokenizer | None, Ledger]:
    data = value if isinstance(value, bytes) else dumps(value).encode()
    ledger = Ledger()
    return read_tokenizer(MemoryBytes(data, Path("tokenizer.json")), ledger, config), ledger


def tokenizer(value: Any, config: dict[str, Any] | None = None) -> Tokenizer:
    found, ledger = read(value, config)
    assert ledger.violations == []
    assert found is not None
    return found


@pytest.mark.parametrize("merges", [[["a", "b"], ["ab", "a"]], ["a b", "ab a"]], ids=["pairs", "strings"])
def test_merges_are_the_same_pairs_in_both_spellings(merges: list[Any]) -> None:
    assert tokenizer(document(merges=merges)).merges == [("a", "b"), ("ab", "a")]


def test_ids_that_no_token_has_are_none() -> None:
    found = tokenizer(document(vocab={"b": 3, "a": 1}))
    assert found.tokens == [None, "a", None, "b"]
    assert found.size == 4


def test_added_tokens_are_laid_over_the_vocabulary_with_their_flags() -> None:
    added = [{"id": 4, "content": "<s>", "special": True, "lstrip": True}, {"id": 2, "content": "ab"}]
    found = tokenizer(document(added_tokens=added))
    assert found.tokens == ["a", "b", "ab", None, "<s>"]
    assert (found.added[4].special, found.added[4].lstrip, found.added[4].rstrip) == (True, True, False)
    assert found.duplicates == ()


@pytest.mark.parametrize(
    ("changes", "duplicates"),
    [
        ({"vocab": Members([("a", 0), ("b", 1), ("a", 2)])}, (("a", 0, 2),)),
        ({"vocab": Members([("a", 0), ("b", 1), ("a", 0)])}, (("a", 0, 0),)),
        ({"vocab": Members([(f"t{n}", n) for n in range(200)] + [("t7", 200)])}, (("t7", 7, 200),)),
        ({"vocab": {"a": 0, "b": 0}}, (("b", 0, 0),)),
        ({"added_tokens": [{"id": 3, "content": "b"}]}, (("b", 1, 3),)),
        ({"added_tokens": [{"id": 1, "content": "<s>"}]}, (("<s>", 1, 1),)),
        ({"type": "Unigram", "vocab": [["x", 0.0], ["y", -1.0], ["x", -2.0]]}, (("x", 0, 2),)),
    ],
    ids=[
        "key twice",
        "entry twice",
        "key twice in a large one",
        "id twice",
        "added again",
        "added over",
        "listed twice",
    ],
)
def test_a_token_with_two_ids_and_an_id_with_two_tokens_are_duplicates(changes: dict, duplicates: tuple) -> None:
    assert tokenizer(document(**changes)).duplicates == duplicates


def test_unigram_tokens_stand_at_their_place_with_their_score() -> None:
    found = tokenizer(document(type="Unigram", vocab=[["<unk>", 0], ["▁a", -1.5]], unk_id=0))
    assert (found.algorithm, found.tokens, found.scores) == ("Unigram", ["<unk>", "▁a"], [0.0, -1.5])
    assert found.special_ids["unk"] == (0, "tokenizer.json model.unk_id")
    assert found.merges is None


@pytest.mark.parametrize("kind", ["WordPiece", "WordLevel"])
def test_word_vocabularies_have_no_merges(kind: str) -> None:
    found = tokenizer(document(type=kind, merges=None, vocab={"[UNK]": 0}, unk_token="[UNK]"))
    assert (found.algorithm, found.merges) == (kind, None)
    assert found.special_ids["unk"] == (0, "tokenizer.json model.unk_token")


def test_an_older_file_without_a_type_is_told_by_its_parts() -> None:
    value = document()
    del value["model"]["type"]
    assert tokenizer(value).algorithm == "BPE"


def test_special_ids_come_from_strings_and_from_objects_with_the_key_they_stand_under() -> None:
    config = {"bos_token": "a", "eos_token": {"content": "ab", "lstrip": False}, "pad_token": None}
    assert tokenizer(document(), config).special_ids == {
        "bos": (0, "tokenizer_config.json bos_token"),
        "eos": (2, "tokenizer_config.json eos_token"),
    }


def test_a_special_token_that_the_vocabulary_lacks_is_said() -> None:
    found, ledger = read(document(), {"eos_token": "<end>"})
    assert found is not None and "eos" not in found.special_ids
    assert "'<end>' as eos_token" in ledger.notes[0]


TEMPLATE = {
    "type": "Sequence",
    "processors": [
        {"type": "ByteLevel"},
        {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]},
    ],
}


@pytest.mark.parametrize(
    ("post_processor", "config", "flags"),
    [
        (None, {}, (None, None)),
        (None, {"add_bos_token": True, "add_eos_token": False}, (True, False)),
        (TEMPLATE, {}, (True, False)),
        (TEMPLATE, {"add_bos_token": False}, (False, False)),
    ],
)
def test_flags_are_those_declared_and_else_those_of_the_template(
    post_processor: Any, config: dict[str, Any], flags: tuple[bool | None, bool | None]
) -> None:
    found = tokenizer(document(post_processor=post_processor), config)
    assert (found.add_bos, found.add_eos) == flags


BROKEN: dict[str, Any] = {
    "empty": b"",
    "not UTF-8": b'{"model": "\xff"}',
    "not an object": [],
    "no model": {},
    "model is a list": {"model": []},
    "an unknown algorithm": document(type="Morse"),
    "an algorithm that is a list": document(type=["BPE"]),
    "the vocabulary is a number": document(vocab=3),
    "the vocabulary is missing": document(vocab=None),
    "a negative id": document(vocab={"a": -1}),
    "an id that is a float": document(vocab={"a": 1.0}),
    "an id that is a boolean": document(vocab={"a": True}),
    "an id past the bound": document(vocab={"a": ID_BOUND}),
    "an id of 2^70": document(vocab={"a": 1 << 70}),
    "an id that is a list": document(vocab={"a": []}),
    "a listed token without a score": document(type="Unigram", vocab=[["a"]]),
    "a listed token that is a number": document(type="Unigram", vocab=[[1, 1.0]]),
    "a score past every float": document(type="Unigram", vocab=[["a", 10**400]]),
    "merges are a number": document(merges=3),
    "a merge of three": document(merges=[["a", "b", "c"]]),
    "a merge of numbers": document(merges=[[1, 2]]),
    "a merge without a space": document(merges=["ab"]),
    "a merge with two spaces": document(merges=["a b c"]),
    "merges in both spellings": document(merges=["a b", ["a", "b"]]),
    "added tokens are an object": document(added_tokens={}),
    "an added token is text": document(added_tokens=["<s>"]),
    "an added token without an id": document(added_tokens=[{"content": "<s>"}]),
    "an added token without content": document(added_tokens=[{"id": 3}]),
    "an added token with an id past the bound": document(added_tokens=[{"id": 1 << 40, "content": "<s>"}]),
    "nested too deep": b'{"model":' + b"[" * 100_000,
    "NaN": b'{"model":NaN}',
    "a number of 5,000 digits": b'{"model":' + b"9" * 5_000 + b"}",
    "half of a surrogate pair": b'{"model":{"type":"BPE","vocab":{"\\ud800":0},"merges":[]}}',
    "more members than the bound": b'{"model":"' + b":" * 600_001 + b'"}',
    "more values than the bound": b'{"model":[' + b"," * 2_400_001 + b"]}",
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_gives_no_tokenizer_and_one_violation_that_names_it(case: str) -> None:
    found, ledger = read(BROKEN[case])
    assert found is None
    ((topic, comparison),) = ledger.violations
    assert (topic, comparison.measure, comparison.place.file) == ("format", "tokenizer_json", "tokenizer.json")
    json.dumps(comparison.model_dump(mode="json"), allow_nan=False).encode()


HOSTILE: list[dict[str, Any]] = [
    {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Sequence", "pretokenizers": 3}]}},
    {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": 7}}},
    {"pre_tokenizer": 5},
    {"post_processor": {"type": "TemplateProcessing", "single": [5]}},
    {"post_processor": {"type": "Sequence", "processors": {}}},
    {"unk_token": {"a": 1}, "unk_id": "x"},
]


@pytest.mark.parametrize("changes", HOSTILE, ids=str)
def test_parts_that_are_of_no_use_are_passed_over(changes: dict[str, Any]) -> None:
    assert tokenizer(document(**changes)).tokens


def test_a_real_tokenizer_is_read_whole() -> None:
    config = json.loads((DATA / "tiny-qwen2" / "tokenizer_config.json").read_text("utf-8"))
    path = DATA / "tiny-qwen2" / "tokenizer.json"
    ledger = Ledger()
    with FileBytes(path) as source:
        found = read_tokenizer(source, ledger, config)
    stored = json.loads(path.read_text("utf-8"))
    assert found is not None and ledger.violations == []
    assert found.merges == [tuple(merge) for merge in stored["model"]["merges"]]
    assert {token: at for at, token in enumerate(found.tokens)} == {
        **stored["model"]["vocab"],
        **{token["content"]: token["id"] for token in stored["added_tokens"]},
    }
    assert found.special_ids["eos"] == (2, "tokenizer_config.json eos_token")
