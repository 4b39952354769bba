"""Layers that predict tokens ahead: left out whole is honest where nobody owes them, left out in part is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

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
