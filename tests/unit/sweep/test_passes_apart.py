"""A pass in a process of its own, started early or late, sees what one beside its caller sees."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from model_contracts.sweep import apart, engines
from model_contracts.sweep.interface import Pairing, SweepRequest
from model_contracts.sweep.kernels.reduce_numpy import NumpyEngine
from model_contracts.sweep.sweep import sweep
from support.tensor_files import TensorFile, bf16

VALUES = np.linspace(-1, 1, 64, dtype=np.float32)


@pytest.fixture
def request_of_a_pair(tmp_path: Path) -> SweepRequest:
    target, source = (TensorFile(tmp_path / name, b"head") for name in ("target", "source"))
    ours = target.add("w", "F32", (2, 32), VALUES.astype("<f4").tobytes())
    theirs = source.add("w", "BF16", (2, 32), bf16(VALUES))
    return SweepRequest([ours], {"w": Pairing(ours, theirs)}, (ours.file, theirs.file))


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pass is large enough for a process of its own."""
    monkeypatch.setattr(apart, "LARGE", 0)
    monkeypatch.setattr(apart, "_may_fork", lambda: True)


def source_of(request: SweepRequest) -> tuple:
    source = request.pairings["w"].source
    return (source,), (source.file,)


def seen(sweep_result):
    return replace(sweep_result, seconds=0.0)


def test_a_pass_that_was_made_ready_sees_what_any_pass_sees(request_of_a_pair, forks):
    with apart.ahead(*source_of(request_of_a_pair)) as start:
        assert start is not None
        answer = start(request_of_a_pair)()
    assert seen(answer) == seen(sweep(request_of_a_pair)) == seen(apart.start(request_of_a_pair)())
    assert set(answer.digests) == set(request_of_a_pair.digest)


def test_why_numba_was_not_used_in_that_process_is_known_to_this_one(request_of_a_pair, forks, monkeypatch):
    def refuses(request, engine, threads):
        engines.remember("TypeError: no such kernel")
        return NumpyEngine()

    monkeypatch.setattr(engines, "_refused", [])
    monkeypatch.setattr("model_contracts.sweep.sweep.choose", refuses)
    assert apart.start(request_of_a_pair)().engine == "numpy"
    assert engines.refused() == "TypeError: no such kernel"


def test_a_source_that_changed_after_it_was_digested_is_digested_again(request_of_a_pair):
    _, (path,) = source_of(request_of_a_pair)
    known = apart._ready((), (path,))
    path.write_bytes(b"tail" + path.read_bytes()[4:])
    os.utime(path, ns=(1, 1))
    answer = apart._swept(request_of_a_pair, known, None)
    assert answer.digests[path] == f"blake3:{blake3(path.read_bytes()).hexdigest()}" != known[path][1]


def test_a_file_that_is_not_there_is_left_to_the_pass_which_says_so(request_of_a_pair, tmp_path):
    gone = tmp_path / "gone"
    known = apart._ready((), (gone,))
    answer = apart._swept(replace(request_of_a_pair, digest=(gone,)), known, None)
    assert known == {} and [problem.file for problem in answer.problems] == [gone]


def test_a_process_that_ends_without_an_answer_is_an_error_of_ours(request_of_a_pair, forks, monkeypatch):
    monkeypatch.setattr(apart, "_swept", lambda *_: os._exit(7))
    with apart.ahead(*source_of(request_of_a_pair)) as start:
        assert start is not None
        with pytest.raises(RuntimeError, match=r"ended without an answer \(exit 7\)"):
            start(request_of_a_pair)()


def test_what_a_pass_raises_in_its_process_is_said_in_words(request_of_a_pair, forks, monkeypatch):
    def broken(*_):
        raise ValueError("no such kernel")

    monkeypatch.setattr(apart, "_swept", broken)
    with pytest.raises(RuntimeError, match="ValueError: no such kernel"):
        apart.start(request_of_a_pair)()


def test_a_small_source_needs_no_process(request_of_a_pair):
    with apart.ahead(*source_of(request_of_a_pair)) as start:
        assert start is None


def test_a_process_that_was_asked_nothing_ends_with_its_block(request_of_a_pair, forks, monkeypatch):
    made: list = []
    real = apart._Child

    def child(*given):
        made.append(real(*given))
        return made[-1]

    monkeypatch.setattr(apart, "_Child", child)
    with apart.ahead(*source_of(request_of_a_pair)):
        pass
    assert made[0]._process.exitcode is not None
