"""How two sides cut text before merging: alike under two names, known to differ, or known to nobody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_contracts.anatomy.tokenizers.tokenizer_kinds import adds
from model_contracts.artifact import Artifact
from model_contracts.formats.opening import open_artifact
from support.gguf_models import gguf_of
from support.shared_models import DATA
from support.tokenizers import seen

FLAGS = "F-CONTRACT-I5-003"


def gguf(folder: Path, pre: str | None) -> Artifact:
    """A GGUF of Qwen2 whose pre-tokenizer has another name, or none."""
    path = shutil.copy(DATA / "tiny-qwen2-Q4_K_M.gguf", folder / "m.gguf")
    with gguf_of(path) as model:
        if pre is None:
            del model["tokenizer.ggml.pre"]
        else:
            model["tokenizer.ggml.pre"] = pre
    return open_artifact(path)


def qwen2(folder: Path, change: Callable[[dict[str, Any]], Any] = lambda section: None) -> Artifact:
    target = folder / "tiny-qwen2"
    shutil.copytree(DATA / "tiny-qwen2", target)
    document = json.loads((target / "tokenizer.json").read_text("utf-8"))
    change(document["pre_tokenizer"])
    (target / "tokenizer.json").write_text(json.dumps(document), "utf-8")
    return open_artifact(target)


def about(target: Artifact, source: Artifact, measure: str = "pre_tokenizer") -> tuple[list[Any], list[str]]:
    """Expected and observed of what is falsified, and why the rest stayed uncompared."""
    broken, left = seen(target, source).get(FLAGS, ([], []))
    return [(one.expected, one.observed) for one in broken if one.measure == measure], [one.reason for one in left]


@pytest.mark.parametrize("name", ["qwen2", "megrez", "stablelm2"])
def test_two_names_that_cut_alike_are_the_same(name: str, tmp_path: Path) -> None:
    assert about(gguf(tmp_path, name), qwen2(tmp_path)) == ([], [])


@pytest.mark.parametrize("name", ["llama-bpe", "qwen35", "ufakzeka", "default"])
def test_a_name_that_is_known_to_cut_otherwise_is_falsified(name: str, tmp_path: Path) -> None:
    assert about(gguf(tmp_path, name), qwen2(tmp_path)) == ([("qwen2", name)], [])


def test_a_name_that_nobody_knows_is_not_proven(tmp_path: Path) -> None:
    broken, left = about(gguf(tmp_path, "no-such-cut"), qwen2(tmp_path))
    assert broken == [] and left == ["whether 'qwen2' and 'no-such-cut' cut text alike is not known"]


def test_expressions_that_nobody_knows_are_not_proven(tmp_path: Path) -> None:
    def change(section: dict[str, Any]) -> None:
        section["pretokenizers"][0]["pattern"]["Regex"] = r"\p{N}{1,9}|\s+"

    broken, left = about(gguf(tmp_path, "qwen2"), qwen2(tmp_path, change))
    assert broken == [] and left == ["how the pre-tokenizer of the source cuts text is not known here"]


def test_a_name_that_was_lost_is_falsified(tmp_path: Path) -> None:
    assert about(gguf(tmp_path, None), qwen2(tmp_path)) == ([("qwen2", None)], [])


def test_two_spellings_of_one_way_of_cutting_are_the_same_between_two_folders(tmp_path: Path) -> None:
    def change(section: dict[str, Any]) -> None:
        section["pretokenizers"][0] |= {"behavior": "Removed", "invert": True}

    (tmp_path / "other").mkdir()
    assert about(qwen2(tmp_path, change), qwen2(tmp_path / "other")) == ([], [])


def test_a_name_whose_readers_add_a_bos_adds_one_where_the_file_does_not_say(tmp_path: Path) -> None:
    said: dict[str, bool | None] = {}
    for name in ("qwen2", "llama-bpe"):
        path = shutil.copy(DATA / "tiny-qwen2-Q4_K_M.gguf", tmp_path / f"{name}.gguf")
        with gguf_of(path) as model:
            assert "tokenizer.ggml.add_bos_token" not in model.keys
            model["tokenizer.ggml.pre"] = name
        artifact = open_artifact(path)
        assert artifact.tokenizer is not None
        said[name] = adds(artifact, artifact.tokenizer, "add_bos")
    assert said == {"qwen2": False, "llama-bpe": True}
