"""Small artifacts and what one gate's check yields of them: comparisons as they come, without a verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cases.interface import QWEN2
from model_contracts.checks import KINDS
from model_contracts.checks.drafts import written
from model_contracts.checks.trial import Trial
from model_contracts.engine.plan import CheckRequest, plan
from model_contracts.engine.run import examination_of
from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import Comparison, Uncompared
from support.mutations import Stored, write_safetensors

#: A matrix, and a vector, of the family of tiny-qwen2.
MATRIX, VECTOR = "model.layers.0.mlp.up_proj.weight", "model.layers.0.input_layernorm.weight"


def model_of(folder: Path, tensors: Mapping[str, Stored], **config: Any) -> Path:
    """A folder of just these tensors beside the config.json of tiny-qwen2; a key given as None is left out of it."""
    folder.mkdir(parents=True)
    said = json.loads((QWEN2 / "config.json").read_text("utf-8")) | config
    said = {key: value for key, value in said.items() if key not in config or value is not None}
    (folder / "config.json").write_text(json.dumps(said), "utf-8")
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def yielded(
    gate: str, target: Path, source: Path | None = None, **parameters: Any
) -> tuple[list[Comparison], list[Uncompared]]:
    """What a gate's check yields: what it compared, and what it could not; `parameters` replace the shipped ones."""
    request = CheckRequest((target,), against=source, only=(gate,))
    (step,) = plan(request, target).steps
    against = open_artifact(source) if source is not None else None
    examination = examination_of(request, open_artifact(target), against, None)
    held = step.parameters.model_copy(update=parameters)
    seen = [written(one) for one in KINDS[step.gate.check].run(examination, held, step.where, Trial(0, None))]
    return [one for one in seen if isinstance(one, Comparison)], [one for one in seen if isinstance(one, Uncompared)]


def violated(comparisons: list[Comparison]) -> set[str]:
    """The measures that do not hold."""
    return {comparison.measure for comparison in comparisons if not comparison.holds}


def the(comparisons: list[Comparison], measure: str, tensor: str | None = None) -> Comparison:
    """The one comparison of that measure (of that tensor)."""
    (found,) = [c for c in comparisons if c.measure == measure and tensor in (None, c.place.tensor)]
    return found
