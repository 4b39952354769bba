"""Layers that predict tokens ahead: left out whole is honest where nobody owes them, left out in part is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from model_contracts.anatomy import prediction
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact, Tensor
from model_contracts.checks.static.configuration.declared_parts import declared_parts
from model_contracts.definitions import load_families
from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import Comparison
from support.shared_models import DATA


def glm(predicting: int, layers: Mapping[int, str]) -> Artifact:
    """A GLM-4.5 of two layers that declares so many that predict, with one tensor in each of these."""
    artifact = open_artifact(DATA / "tiny-qwen2")
    config = {"architectures": ["Glm4MoeForCausalLM"], "num_hidden_layers": 2, "num_nextn_predict_layers": predicting}
    first = next(iter(artifact.tensors.values()))
    names = [f"model.layers.{layer}.{end}" for layer, end in layers.items()]
    tensors: tuple[Tensor, ...] = tuple(replace(first, name=name) for name in names)
    return replace(artifact, config=config, containers=(replace(artifact.containers[0], tensors=tensors),))


BODY, AHEAD = "input_layernorm.weight", "eh_proj.weight"


@pytest.mark.parametrize(
    ("predicting", "layers", "holds"),
    [
        (1, {0: BODY, 1: BODY}, True),
        (1, {0: BODY, 1: BODY, 2: AHEAD}, True),
        (2, {0: BODY, 1: BODY, 2: AHEAD, 3: AHEAD}, True),
        (2, {0: BODY, 1: BODY, 2: AHEAD}, False),
        (1, {0: BODY, 1: BODY, 2: AHEAD, 3: AHEAD}, False),
    ],
)
def test_as_many_layers_are_stored_as_are_declared_or_none(
    predicting: int, layers: dict[int, str], holds: bool
) -> None:
    said = list(declared_parts(View(glm(predicting, layers), load_families())))
    found = [one for one in said if isinstance(one, Comparison) and one.measure == "num_nextn_predict_layers"]
    assert [one.holds for one in found] == [holds]


def ahead(lost: str = "", joined: int = 2) -> View:
    """A tiny Qwen2 with a layer of Qwen3-Next's names, which its family does not know."""
    artifact = open_artifact(DATA / "tiny-qwen2")
    own = [one for name, one in artifact.tensors.items() if name.startswith("model.layers.0.")]
    tensors = [replace(one, name=one.name.replace("model.layers.", "mtp.layers.")) for one in own]
    norm = next(one for one in own if one.name.endswith("input_layernorm.weight"))
    names = ("mtp.norm", "mtp.pre_fc_norm_embedding", "mtp.pre_fc_norm_hidden")
    tensors += [replace(norm, name=f"{name}.weight") for name in names]
    tensors += [replace(norm, name="mtp.fc.weight", shape=(*norm.shape, joined * norm.shape[0]))]
    held = tuple(one for one in (*artifact.tensors.values(), *tensors) if not lost or not one.name.endswith(lost))
    return View(replace(artifact, containers=(replace(artifact.containers[0], tensors=held),)), load_families())


def test_a_layer_that_no_family_spells_out_is_held_to_the_model_s_own_layers() -> None:
    view = ahead()
    said = [*prediction.complete(view), *prediction.shapes(view)]
    assert all(isinstance(one, Comparison) and one.holds for one in said)
    assert len(said) > 15


@pytest.mark.parametrize(
    ("view", "measure"),
    [
        (ahead("mtp.layers.0.self_attn.o_proj.weight"), "prediction_layer"),
        (ahead("mtp.fc.weight"), "tensor_present"),
        (ahead(joined=1), "shape"),
    ],
    ids=["tensor-lost", "matrix-lost", "half-the-width"],
)
def test_half_a_layer_that_predicts_ahead_is_falsified(view: View, measure: str) -> None:
    said = [*prediction.complete(view), *prediction.shapes(view)]
    assert {one.measure for one in said if isinstance(one, Comparison) and not one.holds} == {measure}
