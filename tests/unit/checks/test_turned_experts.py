"""Packed experts of gpt-oss are honest turned to the plain tensor, of any shape; what is not turned so is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cases.gates import BIJECTION, LAYOUT, MOMENTS, PAIR_SHAPES, PARTS, VALUES
from model_contracts.definitions import load_families
from model_contracts.sweep.schemes.float4 import E2M1
from support.converting import convert, decided
from support.examining import violated, yielded
from support.made_pairs import SIZES, MadePair
from support.mutations import Stored, json_of, read_safetensors_model, safetensors_of, stored
from support.quantised_parts import held, mxfp4
from support.shared_models import DATA

(GPT_OSS,) = (family for family in load_families() if family.id == "families/gpt_oss")
EXPERTS = ("gate_up_proj", "down_proj")
#: What a conversion owes that no shape follows from.
SAID = {"rms_norm_eps": 1e-5, "sliding_window": 16, "rope_theta": 150000.0, "torch_dtype": "float32"}
Packed = dict[str, tuple[Stored, Stored]]


@pytest.fixture(params=[96, 64], ids=["oblong", "square"])
def pair(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MadePair:
    """A small gpt-oss; its `down_proj` is square where both sizes are 64, and no shape tells how it is turned."""
    monkeypatch.setitem(SIZES, "intermediate_size", request.param)
    monkeypatch.setitem(SIZES, "declared_size", request.param)
    return MadePair(GPT_OSS)


def blocks(rows: np.ndarray) -> tuple[Stored, Stored]:
    """Experts [E, rows, columns] as blocks along the columns, and their scales."""
    parts = mxfp4(rows.reshape(-1, rows.shape[-1]))
    groups = (*rows.shape[:2], rows.shape[-1] // 32)
    codes = np.frombuffer(parts[".weight_packed"].data, np.uint8).reshape(*groups, 16)
    scales = np.frombuffer(parts[".weight_scale"].data, np.uint8).reshape(groups)
    return held("U8", codes), held("U8", scales)


def values(parts: tuple[Stored, Stored]) -> np.ndarray:
    """What blocks hold, as float32 [E, rows, columns]: the low half of a byte is the even column's."""
    codes, scales = (np.frombuffer(part.data, np.uint8).reshape(part.shape) for part in parts)
    pairs = np.stack([E2M1[codes & 15], E2M1[codes >> 4]], axis=-1).reshape(*scales.shape, 32)
    return (pairs * np.exp2(scales.astype(np.float32) - 127)[..., None]).reshape(*scales.shape[:2], -1)


def packed(pair: MadePair) -> Packed:
    """Experts by module as gpt-oss publishes them: rows are outputs, those of gate and up alternate."""
    return {
        name: blocks(plain.swapaxes(1, 2))
        for name, plain in pair.stored.items()
        if name.endswith(EXPERTS) and plain.ndim == 3
    }


def with_experts(pair: MadePair, folder: Path, experts: Packed) -> Path:
    """The folder with its experts packed."""
    pair.folder(folder)
    with json_of(folder / "config.json") as config:
        config["quantization_config"] = {"quant_method": "mxfp4"}
    with safetensors_of(folder / "model.safetensors") as tensors:
        for name, parts in experts.items():
            del tensors[name]
            tensors[f"{name}_blocks"], tensors[f"{name}_scales"] = parts
    return folder


def plain(pair: MadePair, folder: Path, experts: Packed) -> Path:
    """The folder with its experts unpacked, as transformers writes them: [E, inputs, outputs]."""
    pair.folder(folder)
    with safetensors_of(folder / "model.safetensors") as tensors:
        for name, parts in experts.items():
            tensors[name] = stored(values(parts).swapaxes(1, 2), "F32")
    return folder


def of_gguf(experts: Packed) -> dict[str, np.ndarray]:
    """The experts as llama.cpp has them: [E, outputs, inputs], gate and up apart."""
    found: dict[str, np.ndarray] = {}
    for name, parts in experts.items():
        layer, rows = name.split(".")[2], values(parts)
        if name.endswith("down_proj"):
            found[f"blk.{layer}.ffn_down_exps.weight"] = rows
        else:
            found[f"blk.{layer}.ffn_gate_exps.weight"] = rows[:, ::2]
            found[f"blk.{layer}.ffn_up_exps.weight"] = rows[:, 1::2]
    return found


def quiet(target: Path, source: Path) -> None:
    """Every expert is compared, and nothing is told of."""
    for gate in (BIJECTION, PAIR_SHAPES, MOMENTS, VALUES):
        compared, gaps = yielded(gate, target, source)
        assert (violated(compared), gaps) == (set(), []), gate
    layers, names = SIZES["num_hidden_layers"], {str(one.place.tensor) for one in compared}
    assert len([name for name in names if name.endswith((*EXPERTS, "exps.weight"))]) in (2 * layers, 3 * layers)


def told(target: Path, source: Path) -> dict[str, str]:
    """Tensors whose values do not hold, and what is said of them."""
    notes: dict[str, str] = {}
    for one in yielded(VALUES, target, source)[0]:
        if not one.holds:
            notes[str(one.place.tensor)] = f"{notes.get(str(one.place.tensor), '')} {one.note}"
    return notes


def test_honest_pairs_of_packed_experts_are_quiet(pair: MadePair, tmp_path: Path) -> None:
    experts = packed(pair)
    source, unpacked = with_experts(pair, tmp_path / "packed", experts), plain(pair, tmp_path / "plain", experts)
    gguf = pair.gguf(tmp_path / "m.gguf", of_gguf(experts))
    for gate in (LAYOUT, PARTS):
        compared, gaps = yielded(gate, source)
        assert (violated(compared), gaps) == (set(), [])
    for target, against in ((gguf, source), (source, gguf), (gguf, unpacked), (source, unpacked), (unpacked, source)):
        quiet(target, against)


@pytest.mark.parametrize("pair", [64], indirect=True, ids=["square"])
def test_experts_of_a_gguf_that_are_not_turned_are_named(pair: MadePair, tmp_path: Path) -> None:
    experts = packed(pair)
    source, honest = with_experts(pair, tmp_path / "packed", experts), of_gguf(experts)
    names = ("blk.0.ffn_down_exps.weight", "blk.1.ffn_gate_exps.weight")
    wrong = {name: np.ascontiguousarray(honest[name].swapaxes(1, 2)) for name in names}
    notes = told(pair.gguf(tmp_path / "m.gguf", honest | wrong), source)
    assert notes.keys() == wrong.keys()
    assert all("transposed explains it: relative RMSE" in note for note in notes.values()), notes


def test_experts_packed_as_the_plain_tensor_lies_are_told_of(pair: MadePair, tmp_path: Path) -> None:
    """By their shape where it differs, by their values where it does not."""
    experts = packed(pair)
    name = "model.layers.0.mlp.experts.down_proj"
    wrong = experts | {name: blocks(pair.stored[name])}
    source = with_experts(pair, tmp_path / "packed", wrong)
    if SIZES["intermediate_size"] != SIZES["hidden_size"]:
        assert {one.place.tensor for one in yielded(LAYOUT, source)[0] if not one.holds} == {name}
        return
    notes = told(source, plain(pair, tmp_path / "plain", experts))
    assert notes.keys() == {name}
    assert "transposed explains it: relative RMSE" in notes[name]


@pytest.mark.parametrize("target", ["m.gguf", "m.apr", "m"])
def test_packed_experts_are_written_plain_and_there_and_back(
    pair: MadePair, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "vocab_size", 2000)
    experts = packed(pair)
    source = with_experts(pair, tmp_path / "packed", experts)
    with json_of(source / "config.json") as config:
        config.update(SAID)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(DATA / "tiny-qwen2" / name, source / name)
    assert decided(convert(source, tmp_path / target)) == ("kept", ())
    assert decided(convert(tmp_path / target, tmp_path / "back")) == ("kept", ())
    tensors, _ = read_safetensors_model(tmp_path / "back" / "model.safetensors")
    for name, parts in experts.items():
        assert np.array_equal(tensors[name].values, values(parts).swapaxes(1, 2))
