"""A pass takes numba where it pays, keeps what was compiled, and does without it where it must."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from model_contracts import log
from model_contracts.artifact import Tensor
from model_contracts.engine.environment import environment
from model_contracts.sweep import engines
from model_contracts.sweep.interface import Pairing, SweepRequest
from model_contracts.sweep.kernels import engine_numba
from model_contracts.sweep.sweep import sweep
from support.tensor_files import TensorFile

SCRIPT = """
import sys
from pathlib import Path
from model_contracts.artifact import Tensor
from model_contracts.sweep.interface import SweepRequest
from model_contracts.sweep.sweep import sweep
path, engine = Path(sys.argv[1]), sys.argv[2]
tensor = Tensor("w", "APR_Q8", (8, 32), path, 0, 260)
for _ in range(2):
    seen = sweep(SweepRequest([tensor]), engine=engine)
print(seen.engine, seen.moments["w"].count, "numba" in sys.modules)
"""


def run(folder: Path, engine: str, cache: str) -> tuple[list[str], str]:
    """A process of its own: what it printed, and what it said on stderr."""
    path = folder / "t"
    path.write_bytes(bytes(260))
    environment = {**os.environ, "XDG_CACHE_HOME": cache, "HOME": cache}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), engine], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split(), done.stderr


def large(dtype: str, elements: int) -> Tensor:
    return Tensor("w", dtype, (elements // 1024, 1024), Path("absent"), 0, 0)


def test_a_small_file_never_imports_numba(tmp_path: Path) -> None:
    assert run(tmp_path, "auto", str(tmp_path))[0] == ["numpy", "256", "False"]


def test_kernels_are_compiled_once_said_once_and_kept_for_the_next_process(tmp_path: Path) -> None:
    first, second = (run(tmp_path, "numba", str(tmp_path / "cache")) for _ in range(2))
    assert first[0] == second[0] == ["numba", "256", "True"]
    assert first[1].count("compiling kernels once for this machine") == 1
    assert second[1] == ""
    (folder,) = (tmp_path / "cache" / "model-contracts").iterdir()
    assert {path.name for path in folder.glob("*.compiled")} == {"APR_Q8.compiled", "moments.compiled"}


def test_a_cache_folder_that_cannot_be_made_is_replaced_by_a_private_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = engine_numba._folder.__wrapped__()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("error", [ImportError("No module named 'numba'"), TypeError("no such kernel\nat line 1")])
def test_where_numba_is_absent_or_fails_the_pass_runs_in_numpy_and_says_so_once(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(engine_numba, "_code", fails)
    monkeypatch.setattr(engines, "_refused", [])
    monkeypatch.setattr(log, "_configured", None)
    assert "kernels" not in environment()
    tensor = TensorFile(tmp_path / "t").add("w", "U8", (8, 32), bytes(256))
    for _ in range(2):
        seen = sweep(SweepRequest([tensor]), engine="numba")
        assert (seen.engine, seen.moments["w"].count) == ("numpy", 256)
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    said = capsys.readouterr().err
    assert said.count("numba_not_used") == 1 and reason in said
    assert environment()["kernels"] == f"numpy, for numba was not used: {reason}"


def test_nothing_is_said_where_numpy_is_what_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_refused", [])
    engines.choose(SweepRequest([large("BF16", 10**6)]), "auto", 2)
    assert engines.refused() is None and "kernels" not in environment()


@pytest.mark.parametrize(
    ("dtype", "elements", "engine"),
    [("BF16", 10**6, "numpy"), ("BF16", 10**10, "numba"), ("Q4_K", 10**7, "numpy"), ("Q4_K", 10**9, "numba")],
)
def test_the_cost_of_each_type_decides(monkeypatch: pytest.MonkeyPatch, dtype: str, elements: int, engine: str) -> None:
    monkeypatch.setattr(engine_numba.NumbaEngine, "prepare", lambda self, kernels: None)
    assert engines.choose(SweepRequest([large(dtype, elements)]), "auto", 2).name == engine


def test_compiling_must_pay_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that would gain a second takes numba only where its kernels were compiled before."""
    request = SweepRequest([large("Q4_K", 5 * 10**8)])
    monkeypatch.setattr(engine_numba.NumbaEngine, "prepare", lambda self, kernels: None)
    for before, engine in ((True, "numba"), (False, "numpy")):
        monkeypatch.setattr(engine_numba, "are_compiled", lambda kernels, before=before: before)
        assert engines.choose(request, "auto", 2).name == engine


def test_only_the_kernels_that_a_pass_needs_are_named() -> None:
    assert engine_numba.kernels_of(["BF16"], [], False) == ["halves"]
    assert engine_numba.kernels_of(["Q4_K", "F32", "IQ2_S"], [], False) == ["Q4_K", "moments"]
    assert engine_numba.kernels_of(["BF16"], ["Q6_K", "BF16"], True) == ["Q6_K", "BF16", "halves", "moments", "pair"]


def test_a_pairing_makes_a_pass_dearer() -> None:
    tensor = large("Q8_0", 3 * 10**8)
    pairing = Pairing(tensor, replace(tensor, dtype="BF16"))
    alone = engines._gain(SweepRequest([tensor]), 2)
    assert engines._gain(SweepRequest([tensor], {"w": pairing}), 2) > alone > 0
