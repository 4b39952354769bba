"""One pass digests whole files, and says what a file did instead of giving its bytes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from model_contracts.sweep.interface import Pairing, SweepRequest
from model_contracts.sweep.reads import same_bytes
from model_contracts.sweep.sweep import sweep
from support.tensor_files import TensorFile, bf16

RNG = np.random.default_rng(5)


def digest(path: Path) -> str:
    return f"blake3:{blake3(path.read_bytes()).hexdigest()}"


@pytest.mark.parametrize("threads", [1, 3])
def test_a_digest_covers_header_tensors_gaps_and_tail(tmp_path: Path, threads: int) -> None:
    file = TensorFile(tmp_path / "t", RNG.bytes(700_000))
    first = file.add("a", "BF16", (700, 1000), bf16(RNG.standard_normal((700, 1000))))
    file.pad(RNG.bytes(13))
    second = file.add("b", "F32", (9,), RNG.bytes(36))
    file.pad(RNG.bytes(600_001))
    request = SweepRequest([second, first], {}, [file.path])
    assert sweep(request, engine="numpy", threads=threads).digests == {file.path: digest(file.path)}


def test_tensors_that_share_their_bytes_are_each_measured_and_digested_once(tmp_path: Path) -> None:
    file = TensorFile(tmp_path / "t", b"head")
    values = RNG.standard_normal((64, 64), dtype=np.float32)
    whole = file.add("embedding", "F32", (64, 64), values.tobytes())
    twin = replace(whole, name="head")
    half = replace(whole, name="half", shape=(32, 64), nbytes=whole.nbytes // 2, offset=whole.offset + 8192)
    seen = sweep(SweepRequest([whole, twin, half], {}, [file.path]), engine="numpy")
    assert seen.moments["embedding"] == seen.moments["head"]
    assert seen.moments["half"].maximum == values[32:].max()
    assert seen.digests == {file.path: digest(file.path)}


def test_a_thousand_tensors_over_the_same_bytes_do_not_make_a_thousand_passes(tmp_path: Path) -> None:
    file = TensorFile(tmp_path / "t")
    whole = file.add("0", "U8", (1000, 1000), RNG.bytes(1_000_000))
    tensors = [replace(whole, name=str(n), nbytes=999_000 - n, shape=(999_000 - n,)) for n in range(1000)]
    seen = sweep(SweepRequest(tensors), engine="numpy")
    assert len(seen.moments) == 8
    assert len(seen.problems) == 992
    assert "share their bytes" in seen.problems[0].reason


def test_files_of_a_source_are_digested_although_its_tensors_are_read_elsewhere(tmp_path: Path) -> None:
    data = bf16(RNG.standard_normal((16, 64)))
    target = TensorFile(tmp_path / "t").add("w", "BF16", (16, 64), data)
    source = TensorFile(tmp_path / "s", b"header").add("w", "BF16", (16, 64), data)
    request = SweepRequest([target], {"w": Pairing(target, source)}, [target.file, source.file])
    seen = sweep(request, engine="numpy")
    assert seen.digests == {path: digest(path) for path in (target.file, source.file)}


@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_that_ends_early_is_a_problem_and_other_tensors_are_still_measured(tmp_path: Path, threads: int) -> None:
    file = TensorFile(tmp_path / "t")
    fine = file.add("fine", "F32", (8, 16), np.ones(128, np.float32).tobytes())
    short = file.add("short", "F32", (4000, 1000), bytes(16_000_000))
    os.truncate(file.path, 1_000_000)
    seen = sweep(SweepRequest([fine, short], {}, [file.path]), engine="numpy", threads=threads)
    (problem,) = seen.problems
    assert (problem.tensor, problem.file) == ("short", file.path)
    assert problem.observed < problem.expected
    assert list(seen.moments) == ["fine"]
    assert seen.digests == {file.path: digest(file.path)}


def test_a_file_that_shrinks_while_it_is_read_is_a_problem_of_each_tensor_it_no_longer_holds(tmp_path: Path) -> None:
    file = TensorFile(tmp_path / "t")
    tensors = [file.add(str(n), "F32", (300, 1000), bytes(1_200_000)) for n in range(3)]

    def shrink(done: int, total: int) -> None:
        os.truncate(file.path, 1_300_000)

    seen = sweep(SweepRequest(tensors, {}, [file.path]), engine="numpy", threads=1, progress=shrink)
    assert [problem.tensor for problem in seen.problems] == ["1", "2", None]
    assert list(seen.moments) == ["0"]
    assert seen.digests == {}


def test_a_source_that_ends_early_is_a_problem_and_its_target_is_still_measured(tmp_path: Path) -> None:
    data = bf16(RNG.standard_normal((16, 64)))
    target = TensorFile(tmp_path / "t").add("w", "BF16", (16, 64), data)
    source = TensorFile(tmp_path / "s").add("v", "BF16", (16, 64), data)
    os.truncate(source.file, 100)
    seen = sweep(SweepRequest([target], {"w": Pairing(target, source)}), engine="numpy")
    assert [(problem.file, problem.tensor) for problem in seen.problems] == [(source.file, "w")]
    assert list(seen.moments) == ["w"] and seen.pairs == {}


def test_a_file_that_changes_while_it_is_read_is_a_problem_and_has_no_digest(tmp_path: Path) -> None:
    file = TensorFile(tmp_path / "t")
    tensor = file.add("w", "F32", (8, 16), bytes(512))

    def touch(done: int, total: int) -> None:
        os.utime(file.path, ns=(1, 1))

    seen = sweep(SweepRequest([tensor], {}, [file.path]), engine="numpy", progress=touch)
    assert [problem.reason for problem in seen.problems] == ["changed while it was read"]
    assert seen.digests == {}


@pytest.mark.parametrize("kind", ["absent", "folder", "fifo"])
def test_what_is_no_readable_file_is_one_problem(tmp_path: Path, kind: str) -> None:
    tensor = TensorFile(tmp_path / "t").add("w", "F32", (8, 16), bytes(512))
    tensor.file.unlink()
    if kind == "folder":
        tensor.file.mkdir()
    elif kind == "fifo":
        os.mkfifo(tensor.file)
    seen = sweep(SweepRequest([tensor], {}, [tensor.file]), engine="numpy")
    assert [problem.file for problem in seen.problems] == [tensor.file]
    assert seen.moments == {} and seen.digests == {}


def test_fewer_bytes_than_the_shape_takes_is_a_problem(tmp_path: Path) -> None:
    tensor = TensorFile(tmp_path / "t").add("w", "F32", (8, 16), bytes(100))
    (problem,) = sweep(SweepRequest([tensor]), engine="numpy").problems
    assert (problem.expected, problem.observed) == (512, 100)


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_ends_at_the_total(tmp_path: Path, threads: int) -> None:
    tensor = TensorFile(tmp_path / "t").add("w", "U8", (3000, 1000), bytes(3_000_000))
    calls: list[tuple[int, int]] = []
    sweep(SweepRequest([tensor]), engine="numpy", threads=threads, progress=lambda *call: calls.append(call))
    assert calls[-1] == (3_000_000, 3_000_000)


def test_same_bytes_sees_one_different_byte(tmp_path: Path) -> None:
    data = RNG.bytes(2_500_000)
    file = TensorFile(tmp_path / "t")
    first = file.add("a", "U8", (2_500_000,), data)
    equal = file.add("b", "U8", (2_500_000,), data)
    other = file.add("c", "U8", (2_500_000,), data[:-1] + bytes([data[-1] ^ 1]))
    assert same_bytes(first, equal)
    assert not same_bytes(first, other)
    assert not same_bytes(first, replace(equal, file=tmp_path / "absent"))
