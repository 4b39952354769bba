"""`contracts stats`: the figures of every tensor, alone and against a source."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model_contracts.cli.main import main
from model_contracts.cli.stats import _rank
from support.safetensors_files import write_file

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture
def pair(tmp_path):
    """A source, and a target with one tensor moved by a half, one equal, one alone and a NaN."""
    rng = np.random.default_rng(3)
    base = {name: rng.normal(size=(4, 32)).astype(np.float32) for name in ("a.weight", "b.weight", "c.weight")}
    moved = {"a.weight": base["a.weight"].copy(), "b.weight": base["b.weight"] * 1.5, "d.weight": base["c.weight"]}
    moved["d.weight"][0, :2] = [np.nan, 0]
    source, target = tmp_path / "source.safetensors", tmp_path / "Qwen2.5-0.5B.safetensors"
    write_file(source, base)
    write_file(target, moved)
    return target, source, moved


def stats(capsys, *words):
    assert main(["stats", *map(str, words), "--format", "json"]) == 0
    return {tensor["name"]: tensor for tensor in json.loads(capsys.readouterr().out)["tensors"]}


def test_moments_are_those_of_numpy(pair, capsys):
    target, _, arrays = pair
    found = stats(capsys, target)
    values = arrays["b.weight"].astype(np.float64)
    expected = {"mean": values.mean(), "std": values.std(), "min": values.min(), "max": values.max()}
    assert {key: found["b.weight"][key] for key in expected} == pytest.approx(expected)
    assert (found["d.weight"]["nan"], found["d.weight"]["zeros"]) == (1, 1)
    assert "gain" not in found["b.weight"]


def test_against_a_source_each_tensor_says_how_far_it_moved(pair, capsys):
    target, source, _ = pair
    found = stats(capsys, target, "--against", source)
    assert found["a.weight"]["relative_rmse"] == 0 and found["a.weight"]["sqnr"] == "inf"
    assert found["b.weight"]["gain"] == pytest.approx(1.5, rel=1e-5)
    assert found["b.weight"]["relative_rmse"] == pytest.approx(0.5, rel=1e-5)
    assert found["b.weight"]["cosine"] == pytest.approx(1.0)
    assert found["d.weight"]["source"] is None and found["d.weight"]["gain"] is None


def test_the_worst_tensor_comes_first(pair, capsys):
    target, source, _ = pair
    assert next(iter(stats(capsys, target, "--against", source, "--sort", "relative_rmse"))) == "b.weight"
    assert next(iter(stats(capsys, target, "--sort", "nan"))) == "d.weight"


def test_the_text_is_aligned_columns_and_says_what_has_no_counterpart(pair, capsys):
    target, source, _ = pair
    assert main(["stats", str(target), "--against", str(source)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:5] == ["tensor", "type", "shape", "mean", "std"]
    for name in ("c.weight", "d.weight"):  # no family is known, by which one could be the other
        assert any(line.startswith(f"{name}: no counterpart by its name, and ") for line in lines)
    assert "\x1b" not in "".join(lines)


def test_a_pair_measure_without_a_source_is_a_usage_error(pair, capsys):
    assert main(["stats", str(pair[0]), "--sort", "gain"]) == 2
    assert capsys.readouterr().err == "contracts: --sort gain needs a source (--against SOURCE)\n"


def test_a_quantised_file_is_compared_under_its_declared_row_order(capsys):
    found = stats(capsys, DATA / "tiny-llama-Q8_0.gguf", "--against", DATA / "tiny-llama")
    assert found["blk.0.attn_q.weight"]["source"] == "model.layers.0.self_attn.q_proj.weight"
    assert 0 < max(tensor["relative_rmse"] for tensor in found.values()) < 0.02
    assert min(tensor["min_row_cosine"] for tensor in found.values()) > 0.999


def test_what_is_not_finite_is_the_worst_and_what_is_not_known_comes_last():
    values = [1.0, None, float("nan"), -3.0, float("inf")]
    order = sorted(values, key=lambda value: _rank(value, False))
    assert [str(value) for value in order] == ["nan", "inf", "-3.0", "1.0", "None"]


def test_several_files_are_told_one_by_one_under_a_table_of_all(tmp_path, capsys):
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes((DATA / "tiny-qwen2-Q4_K_M.gguf").read_bytes())
    assert main(["stats", str(tmp_path), "--against", str(DATA / "tiny-qwen2")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["file", "tensors", "nan", "inf", "mean", "relative", "rmse", "worst", "tensor"]
    assert [line.split()[0] for line in lines[1:3]] == ["a.gguf", "b.gguf"]
    assert [line for line in lines if line in ("a.gguf", "b.gguf")] == ["a.gguf", "b.gguf"]
    assert main(["stats", str(tmp_path / "*.gguf"), "--format", "json"]) == 0
    assert [one["path"] for one in json.loads(capsys.readouterr().out)] == [
        str(tmp_path / n) for n in ("a.gguf", "b.gguf")
    ]
