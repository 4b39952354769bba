"""A vocabulary padded to more rows than tokens goes through every format and back: each name of padding is kept."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from model_contracts.formats.opening import open_artifact
from model_contracts.formats.padding import fillers, names_padding
from support.command import contracts
from support.converting import assert_same_directory, convert, decided
from support.padded_models import ROWS, TOKENS, padded
from support.qualifying import blamed, not_holding, playbook, qualify

ENDINGS = {"safetensors": "", "gguf": ".gguf", "apr": ".apr"}
NAMES = {"gguf": "[PAD2000]", "apr": "<unk>"}
CHAINS = [
    *((first, last) for first, last in permutations(ENDINGS, 2)),
    *((first, middle, last) for first, middle, last in permutations(ENDINGS, 3)),
    *((first, middle, first) for first, middle in permutations(ENDINGS, 2)),
]


@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
def test_every_chain_of_conversions_keeps_it_and_names_padding_as_the_format_does(chain, tmp_path):
    source = original = padded(tmp_path)
    path = original
    for at, format in enumerate(chain):
        if (at, format) == (0, "safetensors"):
            continue
        path = tmp_path / f"{at}-{'-'.join(chain[: at + 1])}{ENDINGS[format]}"
        conversion = convert(source, path)
        assert decided(conversion) == ("kept", ())
        source = path
    tokenizer = open_artifact(path).tokenizer
    assert tokenizer is not None and tokenizer.used == TOKENS
    last = chain[-1]
    assert tokenizer.size == (TOKENS if last == "safetensors" else ROWS)
    assert tokenizer.stored(TOKENS) == NAMES.get(last) and set(tokenizer.tokens[TOKENS:]) <= {None}
    if last == "safetensors":
        assert_same_directory(path, original)
    done = contracts("check", path, "--against", original)
    assert done.code == 0, done.stdout


def test_a_whole_qualification_of_it_is_kept(tmp_path):
    book = playbook(tmp_path / "book", model={"id": "tests/padded-qwen2", "expected": {"vocab_size": ROWS}})
    result = qualify(tmp_path / "out", book, source=padded(tmp_path))
    assert (result.code, not_holding(result), blamed(result)) == (0, [], {})


def test_a_gguf_says_what_its_padding_is_called(tmp_path):
    convert(padded(tmp_path), tmp_path / "padded.gguf")
    said: Any = json.loads(contracts("inspect", tmp_path / "padded.gguf", "--format", "json").stdout)
    assert (said["tokenizer"]["tokens"], said["tokenizer"]["padding"]) == (TOKENS, ROWS - TOKENS)


@pytest.mark.parametrize(
    ("tokens", "types", "hole", "unknown", "padding"),
    [
        (["a", "[PAD1]", "[PAD2]"], [1, 5, 5], None, None, [1, 2]),
        (["a", "[PAD1]", "b"], [1, 5, 1], None, None, [1]),
        (["a", "[PAD1]", "b"], [1, 1, 1], None, None, []),
        (["a", "[PAD1]", "b"], None, None, None, []),
        (["a", "[PAD1]", "[PAD2]"], None, None, None, [1, 2]),
        (["a", "[PAD1]", "[PAD2]"], [1, 3, 1], None, None, [2]),
        (["a", "<|pad_0|>", "<|pad_1|>"], [1, 1, 1], None, None, [1, 2]),
        (["[PAD]", "<pad>", "[UNK]"], [3, 3, 3], None, None, []),
        (["<unk>", "a", "<unk>", "<unk>"], None, "<unk>", None, [2, 3]),
        (["<unk>", "a", "<unk>", "<unk>"], None, "<unk>", 2, [3]),
        (["a", "<unk>", "b", "<unk>"], [1, 5, 1, 5], "<unk>", None, [1, 3]),
        (["a", "b", "<unk>"], [1, 1, 2], "<unk>", 2, []),
        (["a", "b", "<unk>"], [1, 1, 2], None, None, []),
        (["[PAD0]", "[PAD1]"], None, None, None, [0, 1]),
        ([], None, None, None, []),
    ],
)
def test_padding_is_what_is_unused_or_what_ends_the_vocabulary(tokens, types, hole, unknown, padding):
    assert list(fillers(tokens, types, hole, unknown)) == padding


def test_a_name_of_padding_is_none_of_a_token_that_pads_texts():
    assert all(names_padding(name) for name in (None, "[PAD7]", "<|pad_7|>", "<unk>", "<unk>_7"))
    assert not any(names_padding(name) for name in ("[PAD]", "<pad>", "<|pad|>", "[PAD7] ", "x[PAD7]", "<unk>_", ""))
