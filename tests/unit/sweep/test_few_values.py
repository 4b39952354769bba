"""Tensors of few values are read and reduced together, and give what each gives by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.artifact import Tensor
from model_contracts.dtypes import DTYPES
from model_contracts.sweep import plan
from model_contracts.sweep.few import MOST_BYTES
from model_contracts.sweep.interface import Pairing, Sweep, SweepRequest
from model_contracts.sweep.reads import File
from model_contracts.sweep.sweep import sweep
from support.tensor_files import TensorFile, random_blocks

RNG = np.random.default_rng(3)
SHAPES: list[tuple[int, ...]] = [(), (1,), (2,), (7,), (3, 5), (1, 64), (96,), (2, 3, 4), (256,), (1023,)]


def small(path: Path, dtypes: tuple[str, ...], count: int = 400) -> list[Tensor]:
    """A file of tensors of few values of every shape and type: random, zeros, one value, NaN and infinities."""
    file, tensors = TensorFile(path, b"header"), []
    for index in range(count):
        dtype, shape = dtypes[index % len(dtypes)], SHAPES[RNG.integers(len(SHAPES))]
        kind = DTYPES[dtype]
        shape = shape if kind.block == 1 else (kind.block * int(RNG.integers(1, 4)),)
        blocks = int(np.prod(shape)) // kind.block
        data = random_blocks(dtype, blocks, index)
        if index % 7 == 0:
            data[...] = 0
        if index % 11 == 0:
            data[...] = data[:1]
        if dtype == "F32" and index % 5 == 0:
            odd = RNG.choice(np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5], "<f4"), blocks)
            data = odd.view(np.uint8).reshape(blocks, 4)
        tensors.append(file.add(f"t{index}", dtype, shape, data.tobytes()))
        if index % 13 == 0:
            file.pad(b"gap" * int(RNG.integers(1, 3000)))
    return tensors


def alone(request: SweepRequest, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """The same pass with every tensor by itself."""
    with monkeypatch.context() as patch:
        patch.setattr(plan, "is_few", lambda tensor, file: False)
        return sweep(request, engine="numpy")


def same(together: Sweep, one_by_one: Sweep) -> None:
    assert list(together.moments) == list(one_by_one.moments)
    assert together.moments == one_by_one.moments
    assert together.pairs == one_by_one.pairs
    assert together.source_moments == one_by_one.source_moments
    assert (together.digests, together.problems) == (one_by_one.digests, one_by_one.problems)
    assert (together.values, together.uncompared) == (one_by_one.values, one_by_one.uncompared)


@pytest.mark.parametrize("dtypes", [("F32",), ("BF16", "F16", "F32", "F64", "I8"), ("Q8_0", "Q4_K", "F32")])
def test_moments_and_digests_are_those_of_each_tensor_by_itself(
    dtypes: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = small(tmp_path / "t", dtypes)
    request = SweepRequest(tensors, {}, [tmp_path / "t"])
    same(sweep(request, engine="numpy"), alone(request, monkeypatch))


def test_a_large_tensor_between_them_keeps_its_place_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = small(tmp_path / "t", ("F32",), 30)
    file = TensorFile(tmp_path / "u", b"head")
    for index, tensor in enumerate(tensors):
        data = RNG.standard_normal(5000 if index % 10 == 4 else 3).astype("<f4")
        tensors[index] = file.add(tensor.name, "F32", data.shape, data.tobytes())
    request = SweepRequest(tensors, {}, [tmp_path / "u"])
    same(sweep(request, engine="numpy"), alone(request, monkeypatch))


def test_pair_measures_are_those_of_each_pair_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    targets = small(tmp_path / "t", ("F32", "BF16"))
    file, pairings = TensorFile(tmp_path / "s"), {}
    order = RNG.permutation(len(targets))
    stored = (tmp_path / "t").read_bytes()
    for at in order:
        target = targets[at]
        data: Any = np.frombuffer(stored, np.uint8, target.nbytes, target.offset).copy()
        if at % 3 == 0:
            data[-2] ^= 1
        source = file.add(f"s{at}", target.dtype, target.shape, data.tobytes())
        pairings[target.name] = Pairing(target, source)
    request = SweepRequest(targets, pairings, [tmp_path / "t", tmp_path / "s"])
    together = sweep(request, engine="numpy")
    same(together, alone(request, monkeypatch))
    assert sum(pair.differing > 0 for pair in together.pairs.values()) > 50


def test_many_small_tensors_take_few_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = TensorFile(tmp_path / "t", b"header")
    first = file.add("t0", "F32", (2,), bytes(8 * 5000))
    tensors = [Tensor(f"t{i}", "F32", (2,), first.file, first.offset + 8 * i, 8) for i in range(5000)]
    reads: list[int] = []
    read = File.read

    def counted(self: File, buffer: Any, offset: int) -> None:
        reads.append(offset)
        read(self, buffer, offset)

    monkeypatch.setattr(File, "read", counted)
    pairings = {tensor.name: Pairing(tensor, tensor) for tensor in tensors}
    seen = sweep(SweepRequest(tensors, {}, [first.file]), engine="numpy")
    assert (len(seen.moments), len(reads)) == (5000, 2)
    seen = sweep(SweepRequest(tensors, pairings, [first.file]), engine="numpy")
    assert (len(seen.pairs), len(reads)) == (5000, 5)
    assert MOST_BYTES > 8 * 5000


def test_a_file_that_ends_early_names_the_tensors_that_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = TensorFile(tmp_path / "t")
    tensors = [file.add(f"t{i}", "F32", (2,), bytes(8)) for i in range(100)]
    read = File.read

    def cut(self: File, buffer: Any, offset: int) -> None:
        if offset + len(buffer) == 800:
            (tmp_path / "t").write_bytes(bytes(400))
        read(self, buffer, offset)

    monkeypatch.setattr(File, "read", cut)
    seen = sweep(SweepRequest(tensors, {}, [file.path]), engine="numpy")
    assert list(seen.moments) == [f"t{i}" for i in range(50)]
    assert [problem.tensor for problem in seen.problems if problem.tensor] == [f"t{i}" for i in range(50, 100)]
    assert not seen.digests
