"""`contracts inspect` tells what a file is, of any file, without judging it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from model_contracts.cli.main import main

DATA = Path(__file__).resolve().parents[2] / "data"


def inspected(path, capsys):
    assert main(["inspect", str(path), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_folder_is_told_by_files_types_hyperparameters_and_tokenizer(capsys):
    told = inspected(DATA / "tiny-qwen2", capsys)
    assert (told["name"], told["format"], told["layout"]) == ("tiny-qwen2", "safetensors", "directory")
    assert told["family"] == "families/qwen2" and told["architecture"] == "Qwen2ForCausalLM"
    assert {name: found["tensors"] for name, found in told["types"].items()} == {"BF16": len(told["tensors"])}
    assert told["hyperparameters"]["hidden_size"]["from"] == "config.json · hidden_size"
    assert told["sidecars"]["config"]["file"] == "config.json"
    assert told["tokenizer"]["algorithm"] == "BPE" and told["violations"] == []


def test_a_gguf_file_is_told_by_its_own_metadata(capsys):
    told = inspected(DATA / "tiny-llama-Q8_0.gguf", capsys)
    assert (told["format"], told["files"][0]["version"]) == ("gguf", "3")
    assert "llama.embedding_length" in told["hyperparameters"]["hidden_size"]["from"]
    assert set(told["types"]) == {"F32", "Q8_0"}


def test_text_names_every_tensor_only_where_it_is_asked_for(capsys):
    assert main(["inspect", str(DATA / "tiny-qwen2")]) == 0
    short = capsys.readouterr().out
    assert main(["inspect", str(DATA / "tiny-qwen2"), "--tensors"]) == 0
    long = capsys.readouterr().out
    assert "model.embed_tokens.weight" not in short and re.search(r"model\.embed_tokens\.weight +BF16 ", long)


@pytest.mark.parametrize("data", [b"", b"<html>no</html>", b"GGUF\x03\0\0\0", b"\xff" * 64, b"PK\x03\x04" + bytes(64)])
def test_a_file_that_is_no_model_is_told_with_its_violations_and_no_traceback(tmp_path, capsys, data):
    path = tmp_path / "Qwen2.5-0.5B.gguf"
    path.write_bytes(data)
    told = inspected(path, capsys)
    assert told["readable"] is False and told["violations"] != [] and told["hyperparameters"] == {}
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "(not readable)" in shown.splitlines()[0] and "Violations" in shown


def test_a_path_that_is_not_there_is_one_line_and_exit_2(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "none.gguf")]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and "none.gguf" in shown.err
