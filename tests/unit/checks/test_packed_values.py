"""Values of packed weights: honest ones of every layout that is decoded are kept, and each mistake is named."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases.gates import MOMENTS, SCALES, SIZES, VALUES
from support.examining import violated, yielded
from support.mutations import Stored, safetensors_of, stored
from support.packed_parts import numbers
from support.quantised_parts import QUANTISED, awq, gptq, held, nvfp4, quantised_folder
from support.shared_models import DATA

QWEN2 = DATA / "tiny-qwen2"
Made = dict[str, Stored]


@pytest.mark.parametrize("name", QUANTISED)
def test_an_honest_folder_is_compared_value_by_value_and_kept(tmp_path: Path, name: str) -> None:
    compared, gaps = yielded(VALUES, quantised_folder(name, tmp_path), QWEN2)
    assert (violated(compared), gaps) == (set(), [])
    packed = {c.place.tensor for c in compared if "_proj.weight" in str(c.place.tensor)}
    assert len(packed) == 7


def swapped(end: str, made: Made) -> Made:
    raw = np.frombuffer(made[end].data, np.uint8)
    return {**made, end: Stored(made[end].dtype, made[end].shape, ((raw >> 4) | (raw << 4)).tobytes())}


def inverted(end: str, made: Made) -> Made:
    part = made[end]
    kind = np.float16 if part.dtype == "F16" else np.float32
    values = (1 / part.values.astype(np.float64)).astype(kind)
    if part.dtype == "BF16":
        return {**made, end: held("BF16", (values.view(np.uint32) >> 16).astype(np.uint16))}
    return {**made, end: held(part.dtype, values)}


def added(end: str, word: int, made: Made) -> Made:
    """Every 4-bit field of a part changed alike (the writer keeps away from the ends)."""
    words = np.frombuffer(made[end].data, np.uint32).reshape(made[end].shape)
    fields = [((words >> shift) + word % 16) & 15 for shift in range(0, 32, 4)]
    whole = sum(field.astype(np.uint32) << (4 * place) for place, field in enumerate(fields))
    return {**made, end: held("I32", whole.astype(np.uint32))}


def moved(end: str, made: Made) -> Made:
    """Scales of the next group."""
    part = made[end]
    width = {"BF16": 2, "F16": 2, "F32": 4, "U8": 1, "F8_E4M3": 1}[part.dtype]
    array = np.frombuffer(part.data, f"u{width}").reshape(part.shape)
    return {**made, end: held(part.dtype, np.roll(array, 1, axis=1))}


def lowered(end: str, made: Made) -> Made:
    """Scales of the next row."""
    part = made[end]
    array = np.frombuffer(part.data, np.uint16).reshape(part.shape)
    return {**made, end: held(part.dtype, np.roll(array, 1, axis=0))}


def stale(end: str, made: Made) -> Made:
    """One scale left from another state of the weight."""
    values = made[end].values.copy()
    values[0, 1] *= 1.5
    return {**made, end: held("F32", values.astype(np.float32))}


DEFECTS: list[tuple[str, Callable[[Made], Made], str]] = [
    ("fp8-block", partial(inverted, ".weight_scale_inv"), "scales that are inverted"),
    ("fp8-block", partial(stale, ".weight_scale_inv"), "scales off in 1 of"),
    ("ct-int8", partial(inverted, ".weight_scale"), "scales that are inverted"),
    ("ct-int4", partial(swapped, ".weight_packed"), "nibbles in the other order"),
    ("ct-int4", partial(inverted, ".weight_scale"), "scales that are inverted"),
    ("ct-int4", partial(moved, ".weight_scale"), "scales of the next group"),
    ("ct-int4", partial(lowered, ".weight_scale"), "scales of the next row"),
    ("ct-int4-zeros", partial(added, ".weight_zero_point", 1), "zero points that are one too high"),
    ("ct-int4-zeros", partial(added, ".weight_zero_point", -1), "zero points that are one too low"),
    ("ct-nvfp4", partial(swapped, ".weight_packed"), "nibbles in the other order"),
    ("ct-mxfp4", partial(moved, ".weight_scale"), "scales of the next group"),
    ("gptq", partial(added, ".qzeros", 1), "zero points that are one too high"),
    ("awq", partial(added, ".qzeros", -1), "zero points that are one too low"),
    ("nf4", partial(swapped, ".weight"), "nibbles in the other order"),
    ("mlx", partial(swapped, ".weight"), "nibbles in the other order"),
]


@pytest.mark.parametrize(("name", "defect", "words"), DEFECTS)
def test_a_mistake_of_writers_is_falsified_and_named(
    tmp_path: Path, name: str, defect: Callable[[Made], Made], words: str
) -> None:
    honest = QUANTISED[name][1]
    told(quantised_folder(name, tmp_path, lambda values: defect(honest(values))), words)


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("gptq", partial(gptq, less=0), "zero points that are one too high"),
        ("gptq-v2", partial(gptq, less=1), "zero points that are one too low"),
        ("awq", partial(awq, order=list(range(8))), "columns of each word in their own order"),
        ("ct-nvfp4", lambda values: reciprocal(nvfp4(values)), "a global scale that is inverted"),
    ],
)
def test_one_version_of_a_layout_taken_for_another_is_named(
    tmp_path: Path, name: str, write: Callable[[Any], Made], words: str
) -> None:
    told(quantised_folder(name, tmp_path, write), words)


def reciprocal(made: Made) -> Made:
    return inverted(".weight_global_scale", made)


def test_an_order_that_names_a_group_without_a_scale_is_falsified_as_storage(tmp_path: Path) -> None:
    def wrong(values: Any) -> Made:
        made = gptq(values)
        return {**made, ".g_idx": numbers(*range(values.shape[1]), dtype="I32")}

    folder = quantised_folder("gptq", tmp_path, wrong)
    assert violated(yielded(SCALES, folder)[0]) == {"group_order"}
    compared, gaps = yielded(VALUES, folder, QWEN2)
    assert not violated(compared) and len(gaps) == 7
    assert violated(yielded(SIZES, folder)[0]) == set()


def told(folder: Path, words: str) -> None:
    compared, _ = yielded(VALUES, folder, QWEN2)
    bad = [c for c in compared if not c.holds]
    assert len({c.place.tensor for c in bad}) == 7, "each of the seven is falsified"
    notes = [c.note for c in bad if c.note and "explains it" in c.note]  # others say which row of which head it is
    assert notes and all(words in note for note in notes), notes[:2]


def _folding(folder: Path, name: str, spoil: bool = False) -> Path:
    """As AWQ leaves a layer: columns multiplied, and the norm (the rows of the weight) before them divided."""
    random = np.random.default_rng(3)
    norms = {"input_layernorm": 256, "post_attention_layernorm": 256, "up": 512}
    scales = {key: np.exp(random.uniform(-1, 1, size)).astype(np.float32) for key, size in norms.items()}
    fed = {"gate_proj": "post_attention_layernorm", "up_proj": "post_attention_layernorm", "down_proj": "up"}
    fed |= dict.fromkeys(("q_proj", "k_proj", "v_proj"), "input_layernorm")

    def change(module: str, values: Any) -> Made:
        kind = module.rpartition(".")[2]
        values = values * scales[fed[kind]] if kind in fed else values
        return QUANTISED[name][1](values / scales["up"][:, None] if kind == "up_proj" else values)

    target = quantised_folder(name, folder, of_module=change)
    with safetensors_of(target / "model.safetensors") as tensors:
        for norm in ("input_layernorm", "post_attention_layernorm"):
            key = f"model.layers.0.{norm}.weight"
            divided = tensors[key].values / (scales[norm] ** (-1 if spoil else 1))
            tensors[key] = stored(divided, tensors[key].dtype)
    return target


@pytest.mark.parametrize("name", ["awq", "ct-int4-zeros"])
def test_scales_that_were_moved_into_the_norm_before_are_compared_under_them(tmp_path: Path, name: str) -> None:
    folder = _folding(tmp_path, name)
    for gate in (VALUES, MOMENTS):
        compared, gaps = yielded(gate, folder, QWEN2)
        assert (violated(compared), gaps) == (set(), [])
    notes = [c.note for c in yielded(VALUES, folder, QWEN2)[0] if c.note]
    assert sum("moved between layers" in note for note in notes) == 8


def test_scales_that_went_into_the_norm_the_wrong_way_are_falsified(tmp_path: Path) -> None:
    compared, _ = yielded(VALUES, _folding(tmp_path, "awq", spoil=True), QWEN2)
    assert {str(c.place.tensor).rpartition("layers.0.")[2] for c in compared if not c.holds} >= {
        "input_layernorm.weight", "self_attn.q_proj.weight", "mlp.gate_proj.weight",
    }  # fmt: skip


@pytest.mark.parametrize(("target", "source"), [("ct-int4", "nf4"), ("mlx", "ct-int8"), ("ct-int8", "fp8-block")])
def test_two_packings_of_one_model_may_be_off_by_what_both_may(tmp_path: Path, target: str, source: str) -> None:
    sides = quantised_folder(target, tmp_path / "target"), quantised_folder(source, tmp_path / "source")
    for gate in (VALUES, MOMENTS):
        compared, gaps = yielded(gate, *sides)
        assert (violated(compared), gaps) == (set(), [])


def test_a_packed_model_and_itself_may_not_differ_at_all(tmp_path: Path) -> None:
    sides = quantised_folder("gptq", tmp_path / "target"), quantised_folder("gptq", tmp_path / "source")
    compared, gaps = yielded(VALUES, *sides)
    assert {c.measure for c in compared} == {"differing_values"} and not gaps
