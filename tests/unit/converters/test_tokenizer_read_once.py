"""The tokenizer.json that a conversion carries is the one its check reads, parsed once and as strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_contracts.artifact import Artifact
from model_contracts.converters.gather import with_tokenizer
from model_contracts.converters.interface import ConversionRefused
from model_contracts.formats.opening import open_artifact

TINY = Path(__file__).resolve().parents[2] / "data" / "tiny-qwen2"


def beside_weights(folder: Path, tokenizer: str) -> Artifact:
    """The small model with another tokenizer.json."""
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((TINY / name).read_bytes())
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    return open_artifact(folder)


def test_the_tokenizer_is_what_the_reader_of_artifacts_makes_of_the_file():
    chosen, read = with_tokenizer(open_artifact(TINY), None), open_artifact(TINY).tokenizer
    assert read is not None and chosen.artifact.tokenizer == read


def test_a_token_that_stands_twice_is_seen_although_the_document_that_is_carried_holds_it_once(tmp_path):
    text = '{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "a": 2}, "merges": []}}'
    chosen = with_tokenizer(beside_weights(tmp_path, text), None)
    assert chosen.artifact.tokenizer is not None and chosen.document is not None
    assert chosen.artifact.tokenizer.duplicates == (("a", 0, 2),)
    assert chosen.document["model"]["vocab"] == {"a": 2, "b": 1}


def test_an_object_whose_key_stands_twice_is_refused_as_a_check_refuses_it(tmp_path):
    text = '{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, "model": {}}'
    with pytest.raises(
        ConversionRefused, match=r"tokenizer\.json: expected each key of the file once, found a key twice"
    ):
        with_tokenizer(beside_weights(tmp_path, text), None)
