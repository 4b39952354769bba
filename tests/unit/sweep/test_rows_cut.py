"""A row longer than what is read at once is cut, and what is said of it is said of the whole row."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from model_contracts.artifact import Tensor
from model_contracts.sweep.blocks import BlockLayout, Cut, logical_columns
from model_contracts.sweep.interface import Pairing, Sweep, SweepRequest
from model_contracts.sweep.sweep import sweep
from support.tensor_files import TensorFile

COLUMNS = 300_000
HALF = COLUMNS // 2
ENGINES = pytest.mark.parametrize("engine", ["numpy", "numba"])
RNG = np.random.default_rng(8)


def written(folder: Path, name: str, values: np.ndarray) -> Tensor:
    return TensorFile(folder / name).add(name, "F32", values.shape, np.ascontiguousarray(values, "<f4").tobytes())


def compared(folder: Path, target: np.ndarray, source: np.ndarray, engine: Literal["numpy", "numba"]) -> Sweep:
    pair = Pairing(written(folder, "t", target), written(folder, "s", source))
    return sweep(SweepRequest([pair.target], {"t": pair}), engine=engine)


def rows() -> np.ndarray:
    return RNG.standard_normal((6, COLUMNS)).astype(np.float32)


def test_such_a_row_is_in_more_than_one_chunk(tmp_path: Path) -> None:
    tensor = written(tmp_path, "t", rows())
    chunks = list(Cut.of([BlockLayout.of(tensor)], logical_columns(tensor)).chunks())
    assert len(chunks) > 6
    assert any(start % COLUMNS for start, _ in chunks)


@ENGINES
def test_dead_constant_and_nonfinite_rows_are_found_where_all_or_any_of_their_pieces_are(
    tmp_path: Path, engine: Literal["numpy", "numba"]
) -> None:
    values = rows()
    values[0] = 0
    values[1] = 3
    values[2, -1] = np.nan
    values[3, :HALF] = 0  # not dead: the rest of it lives
    values[4, :HALF], values[4, HALF:] = 1, 2  # not constant: two values
    seen = sweep(SweepRequest([written(tmp_path, "t", values)]), engine=engine).moments["t"]
    assert (seen.first_dead, seen.first_constant, seen.first_nonfinite) == ((0,), (1,), (2,))
    assert (seen.dead_rows, seen.constant_rows, seen.nonfinite_rows, seen.rows) == (1, 1, 1, 6)


@ENGINES
def test_dead_rows_of_an_expert_are_counted_where_rows_are_cut(
    tmp_path: Path, engine: Literal["numpy", "numba"]
) -> None:
    values = rows().reshape(3, 2, COLUMNS)
    values[1], values[2, 1, 5] = 0, np.inf
    seen = sweep(SweepRequest([written(tmp_path, "t", values)]), engine=engine).moments["t"]
    assert seen.experts == {1: (2, 0), 2: (0, 1)}


@ENGINES
def test_the_cosine_of_a_row_is_that_of_all_its_pieces(tmp_path: Path, engine: Literal["numpy", "numba"]) -> None:
    source = rows()
    target = source.copy()
    target[2, HALF:] = -target[2, HALF:]  # one piece is equal, the other is turned round: about 0
    target[4, :1000] = 0
    pair = compared(tmp_path, target, source, engine).pairs["t"]
    a, b = target.astype(np.float64), source.astype(np.float64)
    cosines = (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))
    assert (pair.min_row, pair.rows) == (2, 6)
    assert [row for row, _ in pair.worst_rows][:2] == [2, 4]
    assert dict(pair.worst_rows) == pytest.approx(dict(enumerate(cosines)), abs=1e-6)


@ENGINES
def test_the_largest_error_is_named_by_its_row_where_rows_are_cut(
    tmp_path: Path, engine: Literal["numpy", "numba"]
) -> None:
    source = rows()
    target = source.copy()
    target[3, -2] += 5
    target[5, 1] = np.nan
    pair = compared(tmp_path, target, source, engine).pairs["t"]
    assert (pair.max_error_row, pair.differing, pair.nonfinite, pair.nonfinite_differing) == (3, 1, 1, 1)
    assert pair.max_error == pytest.approx(5, rel=1e-5)
    assert pair.count == 6 * COLUMNS - 1
