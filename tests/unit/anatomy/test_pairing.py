"""Pairs that differ by axes of 1 only hold the same values, and are compared whatever the family."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.outcome import Verdict
from support.mutations import stored, write_safetensors

VALUES = np.arange(24, dtype=np.float32).reshape(6, 1, 4)


def outcomes(folder: Path, ours: np.ndarray, theirs: np.ndarray) -> dict[str, Verdict]:
    for name, values in (("ours", ours), ("theirs", theirs)):
        write_safetensors(folder / f"{name}.safetensors", {"conv1d.weight": stored(values, "F32")})
    against = folder / "theirs.safetensors"
    evidence, _ = check(CheckRequest((folder / "ours.safetensors",), against=against))
    return {o.gate_id: o.outcome for o in evidence}


def test_an_axis_of_one_that_was_squeezed_holds_no_value(tmp_path: Path) -> None:
    found = outcomes(tmp_path, VALUES.reshape(6, 4), VALUES)
    for gate in ("F-CONTRACT-I2-001", "F-CONTRACT-I2-002", "F-CONTRACT-I4-001", "F-CONTRACT-I4-002"):
        assert found[gate] is Verdict.CORROBORATED, gate


def test_values_that_moved_under_a_squeezed_axis_are_seen(tmp_path: Path) -> None:
    found = outcomes(tmp_path, VALUES.reshape(6, 4)[::-1], VALUES)
    assert found["F-CONTRACT-I2-002"] is Verdict.CORROBORATED
    assert found["F-CONTRACT-I4-002"] is Verdict.FALSIFIED


def test_other_shapes_of_the_same_size_are_another_layout(tmp_path: Path) -> None:
    found = outcomes(tmp_path, VALUES.reshape(4, 6), VALUES)
    assert found["F-CONTRACT-I2-002"] is Verdict.FALSIFIED
