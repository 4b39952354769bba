"""I-3 as a property: our readers refuse every generated element type, and a reader that does not is caught."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest

from model_contracts.artifact import Tensor
from model_contracts.checks.static.containers import headers
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.formats.opening import READERS, open_artifact
from model_contracts.formats.source import MemoryBytes
from model_contracts.ledger import Ledger
from support.shared_models import APR_FILES, DATA, shared

GATE = "F-CONTRACT-I3-002"
FILES = {
    "safetensors": DATA / "tiny-qwen2",
    "gguf": DATA / "tiny-qwen2-Q4_K_M.gguf",
    "apr": APR_FILES / "q.apr",
}


@pytest.fixture(params=FILES)
def path(request) -> Path:
    """A real file of each format."""
    return shared(FILES[request.param]) if request.param == "apr" else FILES[request.param]


def test_every_generated_type_is_refused_by_the_name_of_its_tensor(path: Path) -> None:
    (outcome,), _ = check(CheckRequest((path,), only=(GATE,), max_examples=300))
    assert outcome.outcome == "Corroborated"
    assert outcome.compared == 300
    assert outcome.counterexample is None


def test_a_reader_that_takes_an_unknown_type_for_f32_is_falsified_with_a_small_counterexample(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = open_artifact(path).format
    honest = READERS[form]

    def careless(source):
        header = honest(source)
        refused = [c.place.tensor for topic, c in header.container.ledger.violations if topic == "dtypes"]
        taken = [Tensor(name, "F32", (1,), source.path, 0, 4) for name in refused]
        return replace(header, container=replace(header.container, tensors=tuple(taken), ledger=Ledger()))

    monkeypatch.setattr(headers, "READERS", {**READERS, form: careless})
    (outcome,), run = check(CheckRequest((path,), only=(GATE,), seed=7))
    assert outcome.outcome == "Falsified", outcome.reason
    assert run.decision.exit_code == 1
    (comparison,) = [c for c in outcome.comparisons if not c.holds]
    assert comparison.measure == "unknown_dtype_refused"
    assert outcome.counterexample is not None
    assert outcome.counterexample.seed == 7
    stored = b64decode(outcome.counterexample.input_base64)
    assert len(stored) < 4096, "small enough for a bug report"
    named = {
        c.place.tensor
        for topic, c in honest(MemoryBytes(stored, path)).container.ledger.violations
        if topic == "dtypes"
    }
    assert named == {comparison.place.tensor}, "the stored bytes replay against the honest reader"


def test_the_same_seed_gives_the_same_counterexample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "refuses", lambda artifact, header: header.dtype == "f32")
    found = [check(CheckRequest((FILES["safetensors"],), only=(GATE,), seed=11))[0][0].counterexample for _ in range(2)]
    assert found[0] == found[1]
    assert found[0] is not None


def test_an_artifact_without_tensors_leaves_the_gate_unproven(tmp_path: Path) -> None:
    empty = tmp_path / "empty.safetensors"
    empty.write_bytes((2).to_bytes(8, "little") + b"{}")
    (outcome,), run = check(CheckRequest((empty,), only=(GATE,)))
    assert (outcome.outcome, outcome.skip_cause) == ("Skipped", "missing_input")
    assert run.decision.exit_code == 3
