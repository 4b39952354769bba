"""Whatever the rank, the scale, the types and the sizes: a coefficient is recovered within the error that is told."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_contracts.anatomy.adapters.adaptation import adaptation
from model_contracts.anatomy.adapters.beside_pairs import with_added
from model_contracts.anatomy.adapters.coefficients import Coefficient, coefficients
from model_contracts.anatomy.pairing.match import match
from model_contracts.anatomy.view import View
from model_contracts.definitions import load_families
from model_contracts.formats.opening import open_artifact
from model_contracts.sweep.interface import SweepRequest
from model_contracts.sweep.sweep import sweep
from support.adapters import Weights, folder, gguf, lora, merged
from support.mutations import stored

TYPES = ("F32", "F16", "BF16", "Q8_0", "Q4_0")
Q = "model.layers.0.self_attn.q_proj.weight"


def measured(base: Path, target: Path, adapter: Path) -> list[Coefficient]:
    """Every coefficient, as the pass gives it."""
    families, source, ours = load_families(), open_artifact(base), open_artifact(target)
    plain = View(source, families, ours)
    adapted = adaptation(open_artifact(adapter), plain)
    view = View(ours, families, source)
    found = with_added(match(view, View(source, families, ours, adapted.instead)), adapted)
    tensors = [tensor for container in view.artifact.containers for tensor in container.tensors]
    return list(coefficients(sweep(SweepRequest(tensors, found.pairings), threads=1), found.pairings))


@settings(deadline=None, max_examples=40, database=None)
@given(
    rank=st.integers(1, 8),
    alpha=st.floats(0.25, 64),
    rooted=st.booleans(),
    times=st.floats(-2.5, 2.5).map(lambda value: round(value, 3)),
    share=st.sampled_from((0.01, 0.05, 0.4)),
    dtype=st.sampled_from(TYPES),
    of=st.sampled_from(("F32", "BF16")),
    seed=st.integers(0, 2**16),
)
def test_a_coefficient_is_recovered_within_its_error(
    rank: int, alpha: float, rooted: bool, times: float, share: float, dtype: str, of: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    weights: Weights = {Q: stored(0.02 * random.standard_t(6, size=(64, 64)), of).values}
    adapter = lora(weights, share, rank, seed + 1, targets=["q_proj"], lora_alpha=alpha, use_rslora=rooted)
    if dtype in ("F16", "BF16"):  # what is rounded away is told from what is there for whole numbers alone
        times = float(round(times) % 2)
    with tempfile.TemporaryDirectory() as room:
        base = folder(Path(room) / "base", weights, of)
        target = gguf(Path(room) / "target.gguf", merged(weights, adapter, lambda module: times), dtype)
        (found,) = measured(base, target, adapter.folder(Path(room) / "adapter"))
    assert found.name == Q and found.change == pytest.approx(share, rel=0.5)
    assert abs(found.value - times) <= 1.25 * found.error + 1e-4 * (1 + abs(times)) + 2e-6 / share
    limit = {"F32": 1e-4, "F16": 0.02, "BF16": 0.1, "Q8_0": 0.02, "Q4_0": 0.2}[dtype] * 0.05 / share
    assert found.error <= limit + 0.02
