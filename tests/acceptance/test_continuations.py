"""The golden rule on a real `apr`, replayed: tokens on equal ids, and its framings told apart from the weights."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from model_contracts.engine.plan import CheckRequest, UsageError
from model_contracts.engine.run import check
from model_contracts.outcome import Outcome
from model_contracts.runtimes.session import session
from support import apr_serving
from support.shared_models import MODELS, needs_apr_files

CONTINUED, FRAMED = "F-GOLDEN-RULE-002", "F-GOLDEN-RULE-004"

pytestmark = [
    needs_apr_files,
    pytest.mark.skipif(
        find_spec("transformers") is None or find_spec("torch") is None, reason="transformers or torch is not installed"
    ),
]


@pytest.fixture
def converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the program itself makes of tiny-qwen2, in its own format."""
    folder = tmp_path / "bin"
    folder.mkdir()
    apr_serving.install(folder)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    target = tmp_path / "model.apr"
    words = ["apr", "rosetta", "convert", str(MODELS / "tiny-qwen2" / "model.safetensors"), str(target)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return target


def outcomes(target: Path, runtime: str | None = "apr") -> dict[str, Outcome]:
    request = CheckRequest(
        (target,), against=MODELS / "tiny-qwen2", contract="inference", only=(CONTINUED, FRAMED), runtime=runtime
    )
    return {outcome.gate_id: outcome for outcome in check(request)[0]}


def test_its_apr_goes_on_with_the_tokens_of_the_source_and_is_framed_otherwise(converted: Path) -> None:
    found = outcomes(converted)
    assert found[CONTINUED].outcome == "Corroborated"
    assert found[CONTINUED].compared == 6 * 16 + 4 + 1  # two of eight part, at the fourth token and at the first
    (widest, *_) = found[CONTINUED].comparisons
    assert widest.smallest_passing_tolerance == pytest.approx(0.0555, abs=1e-3)
    assert "they part at token 3" in widest.note
    framed = found[FRAMED]
    assert (framed.outcome, framed.force) == ("Falsified", "should")
    (first,) = [c for c in framed.comparisons if not c.holds]
    assert (first.measure, first.expected, first.observed) == ("prompt_tokens", 31, 9)
    assert str(first.place).startswith("run: ")
    assert "say nothing of the weights" in first.note


def test_another_continuation_is_falsified_by_its_ids(converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = session.ChildSession.complete

    def broken(self, prompt, count, *, way=None):
        answer = honest(self, prompt, count, way=way)
        if not self._arguments["path"].endswith(".apr") or way != "generate":
            return answer
        return replace(answer, tokens=(*answer.tokens[:-1], 7))

    monkeypatch.setattr(session.ChildSession, "complete", broken)
    found = outcomes(converted)[CONTINUED]
    assert found.outcome == "Falsified"
    (first, *_) = found.comparisons
    assert (first.measure, first.observed[-1]) == ("greedy_tokens", 7)
    assert first.smallest_passing_tolerance > 10 * first.tolerance


def test_rounded_values_owe_no_tokens_and_nothing_is_owed_where_no_runtime_is_named(converted: Path) -> None:
    for found in (outcomes(MODELS / "tiny-qwen2-Q8_0.gguf")[CONTINUED], outcomes(converted, None)[CONTINUED]):
        assert (found.outcome, found.skip_cause) == ("Skipped", "not_owed")


def test_a_runtime_that_no_gate_would_be_asked_with_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--runtime continues prompts of a pair"):
        check(CheckRequest((MODELS / "tiny-qwen2",), runtime="apr"))
