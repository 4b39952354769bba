"""What an artifact says of itself: bits per weight, axes that nobody declares, and a head that its source has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cases.gates import BIJECTION, CLAIMED, LAYOUT
from cases.interface import LLAMA, QWEN2
from cases.makers import converted, unchanged
from support.examining import the, violated, yielded
from support.gguf_models import GgufModel
from support.mutations import copied, json_of, safetensors_of, stored


@pytest.mark.parametrize(("stored_as", "bits", "holds"), [("Q8_0", 8.5, True), ("F16", 16.0, False)])
def test_bits_per_weight_are_those_of_the_recipe_that_the_file_claims(
    tmp_path: Path, stored_as: str, bits: float, holds: bool
) -> None:
    def claims_q8_0(model: GgufModel) -> None:
        model["general.file_type"] = 7

    target = converted(QWEN2, stored_as, claims_q8_0, against=False, label=False)(tmp_path).path
    found = the(yielded(CLAIMED, target, minimum_parameters=1)[0], "bits_per_weight")
    assert (found.holds, found.expected) == (holds, 8.5)
    assert found.observed == pytest.approx(bits, rel=0.01)
    assert found.smallest_passing_tolerance == pytest.approx(abs(bits / 8.5 - 1), abs=0.01)


def _without_intermediate_size(folder: Path, rows: int) -> Path:
    """tiny-qwen2 that does not say how wide its layers are inside; the third one's gate has so many rows."""
    target = copied(QWEN2, folder)
    with json_of(target / "config.json") as config:
        del config["intermediate_size"]
    with safetensors_of(target / "model.safetensors") as tensors:
        name = "model.layers.2.mlp.gate_proj.weight"
        tensors[name] = stored(tensors[name].values[:rows], "BF16")
    return target


def test_an_axis_that_nobody_declares_is_the_same_in_every_tensor_that_has_it(tmp_path: Path) -> None:
    comparisons, _ = yielded(LAYOUT, _without_intermediate_size(tmp_path, 500))
    (found,) = [comparison for comparison in comparisons if not comparison.holds]
    assert (found.place.tensor, found.expected, found.observed) == (
        "model.layers.2.mlp.gate_proj.weight",
        [512, 256],
        [500, 256],
    )


def test_an_axis_that_nobody_declares_is_no_fault_where_all_tensors_agree(tmp_path: Path) -> None:
    comparisons, gaps = yielded(LAYOUT, _without_intermediate_size(tmp_path, 512))
    assert (violated(comparisons), gaps) == (set(), [])


def _headless(folder: Path, tied: bool) -> Path:
    """tiny-llama without its output head, and what its config says of a tie."""
    source = copied(LLAMA, folder)
    with json_of(source / "config.json") as config:
        config["tie_word_embeddings"] = tied
    for shard in source.glob("*.safetensors"):
        with safetensors_of(shard) as tensors:
            tensors.pop("lm_head.weight", None)
    with json_of(source / "model.safetensors.index.json") as index:
        index["weight_map"].pop("lm_head.weight", None)
    return source


def test_a_head_that_an_untied_source_lacks_is_an_extra_without_explanation(tmp_path: Path) -> None:
    target = converted(LLAMA, "F16", unchanged, against=False)(tmp_path).path
    source = _headless(tmp_path, tied=False)
    found = the(yielded(BIJECTION, target, source)[0], "tensor_extra")
    assert (found.holds, found.place.tensor) == (False, "output.weight")


def test_a_head_that_a_tied_source_lacks_is_its_embedding(tmp_path: Path) -> None:
    target = converted(LLAMA, "F16", unchanged, against=False)(tmp_path).path
    source = _headless(tmp_path, tied=True)
    found = the(yielded(BIJECTION, target, source)[0], "tensor_extra")
    assert found.holds
    assert "compared with the source's embedding" in (found.note or "")
