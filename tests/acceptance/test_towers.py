"""A mmproj is held to the towers of its source, and towers in a folder to what the folder declares of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases.gates import ALIVE, BIJECTION, CLAIMED, CONFIG, DECLARED, FAMILY, FINITE, LAYOUT, VALUES
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.outcome import Outcome, Verdict
from support.tower_files import Edit, Towers, Values

#: Of each kind of layout one: permuted rows, one added to a norm, halves of frames, mergers by layer, moved channels.
HONEST = ["mistral3", "gemma3", "qwen2vl", "qwen3vl", "lfm2vl", "voxtral"]


def outcomes(path: Path, against: Path | None = None) -> tuple[dict[str, Outcome], int]:
    evidence, run = check(CheckRequest((path,), against=against))
    return {one.gate_id: one for one in evidence}, run.decision.exit_code


def red(path: Path, against: Path | None = None) -> dict[str, tuple[str, Any, str | None]]:
    """Gate to measure, observed value and note of its first violated comparison."""
    found, code = outcomes(path, against)
    broken = {gate: one for gate, one in found.items() if one.outcome is Verdict.FALSIFIED}
    assert code == 1, {gate: one.reason for gate, one in found.items()}
    first = {gate: next(c for c in one.comparisons if not c.holds) for gate, one in broken.items()}
    return {gate: (one.measure, one.observed, one.note) for gate, one in first.items()}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of all records that are used, each written once."""
    place = tmp_path_factory.mktemp("sources")
    for name in HONEST:
        Towers(name).folder(place / name)
    return place


@pytest.mark.parametrize("name", HONEST)
def test_what_the_converter_writes_is_kept_beside_its_source(name: str, sources: Path, tmp_path: Path) -> None:
    found, code = outcomes(Towers(name).gguf(tmp_path / "mmproj.gguf"), sources / name)
    assert code == 0, {gate: one.reason for gate, one in found.items() if one.outcome is not Verdict.CORROBORATED}
    assert found[FAMILY].compared > 30
    assert found[VALUES].compared > 30


def _lose(name: str) -> Edit:
    return lambda values: values.__delitem__(name)


def _swap(a: str, b: str) -> Edit:
    def edit(values: Values) -> None:
        values[a], values[b] = values[b], values[a]

    return edit


def _scale(name: str, by: float) -> Edit:
    return lambda values: values.update({name: values[name] * np.float32(by)})


def _layer(values: Values) -> None:
    for name in [name for name in values if name.startswith("v.blk.2.")]:
        del values[name]


@pytest.mark.parametrize(
    ("name", "edit", "keys", "gates"),
    [
        ("mistral3", _layer, {}, {BIJECTION: "tensor_missing", FAMILY: "tensor_present", CONFIG: "num_hidden_layers"}),
        ("mistral3", _lose("mm.patch_merger.weight"), {}, {BIJECTION: "tensor_missing"}),
        ("qwen2vl", _swap("v.patch_embd.weight", "v.patch_embd.weight.1"), {}, {VALUES: "differing_values"}),
        ("qwen2vl", _swap("v.blk.0.attn_q.weight", "v.blk.0.attn_k.weight"), {}, {VALUES: "differing_values"}),
        ("qwen3vl", _swap("v.deepstack.1.fc1.weight", "v.deepstack.2.fc1.weight"), {}, {VALUES: "differing_values"}),
        ("gemma3", _scale("mm.input_projection.weight", 2.0), {}, {VALUES: "relative_rmse"}),
        ("voxtral", _scale("mm.a.mlp.1.weight", 0.5), {}, {VALUES: "differing_values"}),
        ("gemma3", lambda values: None, {"clip.vision.image_mean": [0.5, 0.5, 0.5]}, {DECLARED: "image_mean"}),
        ("mistral3", lambda values: None, {"clip.vision.attention.head_count": 4}, {DECLARED: "num_attention_heads"}),
        ("mistral3", lambda values: None, {"clip.projector_type": "gemma3"}, {FAMILY: "tensor_present"}),
    ],
    ids=[
        "layer-lost", "merger-lost", "frames-exchanged", "q-for-k", "mergers-exchanged", "projection-doubled",
        "audio-halved", "mean-of-another", "heads-of-another", "projector-of-another",
    ],
)  # fmt: skip
def test_a_broken_mmproj_is_falsified_where_it_is_broken(
    name: str, edit: Edit, keys: dict[str, Any], gates: dict[str, str], sources: Path, tmp_path: Path
) -> None:
    found = red(Towers(name).gguf(tmp_path / "mmproj.gguf", edit, **keys), sources / name)
    assert {gate: found[gate][0] for gate in gates if gate in found} == gates, found


def test_rows_of_pixtral_that_were_not_permuted_are_named(sources: Path, tmp_path: Path) -> None:
    plain = Towers("mistral3").values["vision_tower.transformer.layers.0.attention.q_proj.weight"]
    path = Towers("mistral3").gguf(tmp_path / "mmproj.gguf", lambda v: v.update({"v.blk.0.attn_q.weight": plain}))
    _, _, note = red(path, sources / "mistral3")[VALUES]
    assert note is not None
    assert "rows not permuted" in note


def _constant(name: str, value: float) -> Edit:
    return lambda values: values.update({name: np.full_like(values[name], value)})


FC1 = "vision_tower.vision_model.encoder.layers.1.mlp.fc1.weight"


@pytest.mark.parametrize(
    ("edit", "gate", "measure"),
    [
        (_lose(FC1), FAMILY, "tensor_present"),
        (lambda values: values.update({FC1: values[FC1][:10]}), LAYOUT, "shape"),
        (_constant(FC1, np.nan), FINITE, "nonfinite_values"),
        (_constant("multi_modal_projector.mm_input_projection_weight", 0.0), ALIVE, "tensor_varies"),
    ],
    ids=["tensor-lost", "shape-of-another", "not-finite", "dead"],
)
def test_a_tower_in_a_folder_is_falsified_where_it_is_broken(
    edit: Edit, gate: str, measure: str, tmp_path: Path
) -> None:
    found, code = outcomes(Towers("gemma3").folder(tmp_path / "gemma3", edit))
    broken = [one for one in found[gate].comparisons if not one.holds and "language" not in str(one.place.tensor)]
    assert code == 1
    assert measure in {one.measure for one in broken if not (one.place.tensor or "").startswith("model.")}


def test_towers_of_no_family_are_told_and_never_false(tmp_path: Path) -> None:
    folder = Towers("gemma3").folder(tmp_path / "other", architectures=["SomeVLForConditionalGeneration"])
    found, _ = outcomes(folder)
    broken = [one.place.tensor or "" for one in found[FAMILY].comparisons if not one.holds]
    assert [name for name in broken if not name.startswith(("model.layers", "model.embed", "model.norm"))] == []
    assert "of the vision encoder: which tensors that has is not known" in {u.reason for u in found[FAMILY].uncompared}


def test_a_mmproj_keeps_convolutions_and_positions_in_types_of_their_own(tmp_path: Path) -> None:
    found, _ = outcomes(Towers("gemma3").gguf(tmp_path / "mmproj.gguf"))
    assert found[CLAIMED].outcome is Verdict.CORROBORATED
