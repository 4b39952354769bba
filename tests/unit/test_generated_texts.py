"""Generated texts reach every corner, encode as UTF-8, and name real tokens; conversations are JSON."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from model_contracts.definitions import load_corpus, load_invariant, shipped_ids
from model_contracts.formats.opening import open_artifact
from model_contracts.strategies.conversations import conversations
from model_contracts.strategies.texts import batches, spelt, texts, words
from support.shared_models import DATA


def drawn(strategy, examples=400):
    """What a strategy makes."""
    made = []

    @seeded(3)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def take(value):
        made.append(value)

    take()
    return made


def tokenizer():
    found = open_artifact(Path(DATA / "tiny-qwen2")).tokenizer
    assert found is not None
    return found


def test_texts_hold_every_category_but_surrogates_and_every_added_token():
    made = drawn(batches(words(tokenizer()), ("<|im_end|>", "<|im_start|>")))
    whole = "".join(text for batch in made for text in batch)
    categories = {unicodedata.category(letter) for letter in whole}
    assert "Cs" not in categories
    assert len(categories) == 29
    assert "<|im_end|>" in whole and "<|im_start|>" in whole
    assert {"'", "’", "\u200d", "\u202e", "\u0301", "\0"} <= set(whole)
    whole.encode("utf-8")


def test_most_generated_texts_are_different_ones():
    made = [text for batch in drawn(batches(words(tokenizer()), ())) for text in batch]
    assert len(set(made)) > 0.7 * len(made)


def test_a_tokenizer_without_words_or_added_tokens_has_texts_too():
    assert any(len(text) > 3 for text in drawn(texts((), ()), 50))


def test_a_stored_token_is_spelt_as_the_text_it_stands_for():
    assert spelt("Ġhello") == " hello"
    assert spelt("▁hello") == " hello"
    assert spelt("Ã©") == "é"
    assert spelt("Ã") == ""
    assert spelt("<|im_end|>") == "<|im_end|>"


def test_conversations_are_json_and_come_with_tools_and_without():
    made = drawn(conversations(), 100)
    assert json.loads(json.dumps(made)) == made
    assert {bool(one["tools"]) for one in made} == {True, False}
    assert {message["role"] for one in made for message in one["messages"]} == {"system", "user", "assistant", "tool"}


def test_every_pinned_input_is_of_a_property_of_its_invariant():
    for name in shipped_ids("corpus"):
        corpus = load_corpus(name.removeprefix("corpus/"))
        assert corpus is not None
        assert f"corpus/{corpus.invariant}" == name
        checks = {gate.check for gate in load_invariant(corpus.invariant).gates}
        assert {pinned.check for pinned in corpus.inputs} <= checks


def test_at_least_seven_conversations_are_pinned():
    corpus = load_corpus("inference/tokenizer-pair")
    assert corpus is not None
    pinned = corpus.of("same_rendering")
    assert len(pinned) >= 7
    assert any(one.get("tools") for one in pinned)
    assert any(one.get("add_generation_prompt") is False for one in pinned)
    assert any(message["role"] == "system" for one in pinned for message in one["messages"])
