"""The one filter of pairs: each reason for which the values of a pair cannot be compared, and none where they can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from model_contracts.artifact import Tensor
from model_contracts.sweep.interface import Pairing, Sweep, SweepRequest
from model_contracts.sweep.kernels.reduce_numpy import NumpyEngine
from model_contracts.sweep.plan import incomparable
from model_contracts.sweep.sweep import sweep
from support.tensor_files import TensorFile

ROWS, COLUMNS = 8, 32
VALUES = np.random.default_rng(9).standard_normal((ROWS, COLUMNS)).astype("<f4")


def sound(folder: Path) -> Pairing:
    target, source = (TensorFile(folder / name).add(name, "F32", VALUES.shape, VALUES.tobytes()) for name in ("t", "s"))
    return Pairing(target, source)


def on(side: Literal["target", "source"], **changes: Any) -> Callable[[Pairing], Pairing]:
    return lambda pair: replace(pair, **{side: replace(getattr(pair, side), **changes)})


REASONS: dict[str, tuple[Callable[[Pairing], Pairing], str]] = {
    "target-placeholder": (on("target", placeholder=True), "the entry has no bytes"),
    "source-placeholder": (on("source", placeholder=True), "the source's entry has no bytes"),
    "target-cut": (on("target", readable=False), "its bytes are not there"),
    "source-cut": (on("source", readable=False), "the source's bytes are not there"),
    **{
        f"{side}-{dtype}": (on(side, dtype=dtype), f"nothing decodes {whose}type {dtype}")
        for side, whose in (("target", ""), ("source", "the source's "))
        for dtype in ("F4", "F6_E2M3", "F6_E3M2", "C64")
    },
    "shapes": (on("source", shape=(COLUMNS, ROWS)), "the shapes differ"),
    "one-axis-more": (on("source", shape=(1, ROWS, COLUMNS)), "the shapes differ"),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_pair_that_cannot_be_compared_is_left_out_of_the_pass_with_its_reason(name: str, tmp_path: Path) -> None:
    change, reason = REASONS[name]
    pair = change(sound(tmp_path))
    assert incomparable(pair, NumpyEngine()) == reason
    seen = sweep(SweepRequest([pair.target], {"t": pair}), engine="numpy")
    assert (seen.uncompared, seen.pairs) == ({"t": reason}, {})


def test_a_pair_that_can_be_compared_is(tmp_path: Path) -> None:
    pair = sound(tmp_path)
    assert incomparable(pair, NumpyEngine()) is None
    seen = sweep(SweepRequest([pair.target], {"t": pair}), engine="numpy")
    assert (seen.uncompared, seen.pairs["t"].count) == ({}, ROWS * COLUMNS)


def _shortened(folder: Path, which: Literal["t", "s"]) -> Sweep:
    pair = sound(folder)
    (folder / which).write_bytes(b"\0" * 100)
    return sweep(SweepRequest([pair.target], {"t": pair}), engine="numpy")


@pytest.mark.parametrize(("which", "whose"), [("t", ""), ("s", "the source: ")])
def test_a_file_that_has_shrunk_since_its_header_was_read_leaves_its_pair_uncompared(
    which: Literal["t", "s"], whose: str, tmp_path: Path
) -> None:
    seen = _shortened(tmp_path, which)
    assert seen.pairs == {}
    assert seen.uncompared["t"].startswith(whose)
    assert seen.problems


def test_a_pair_whose_target_the_pass_never_met_is_told_as_not_read(tmp_path: Path) -> None:
    pair = sound(tmp_path)
    other: Tensor = replace(pair.target, name="other", file=tmp_path / "elsewhere")
    seen = sweep(SweepRequest([pair.target], {"other": Pairing(other, pair.source)}), engine="numpy")
    assert (seen.uncompared, seen.pairs) == ({"other": "its values were not read"}, {})
