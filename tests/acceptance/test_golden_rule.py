"""I-1 and the golden rule on runtimes that exist: honest ones are quiet, broken ones come with a short prompt."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M
from cases.variants import BROKEN
from model_contracts.checks import search
from model_contracts.checks.running import distributions
from model_contracts.cli.main import main
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.outcome import Outcome
from support import expert_models
from support.slow_machine import slow_down

VARIANTS = {variant.name: variant for variant in BROKEN}
TOKENS, SAME_RUNTIME, OWN_RUNTIME = "F-CONTRACT-I1-001", "F-CONTRACT-I1-002", "F-GOLDEN-RULE-001"

transformers = pytest.mark.skipif(
    find_spec("transformers") is None or find_spec("torch") is None, reason="transformers or torch is not installed"
)
llama_cpp = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="xllamacpp is not installed")


def outcomes(request: CheckRequest, *gates: str) -> dict[str, Outcome]:
    found, _ = check(replace(request, contract="inference", only=gates))
    return {outcome.gate_id: outcome for outcome in found}


@transformers
@llama_cpp
@pytest.mark.parametrize(("target", "source"), [(QWEN2_Q4_K_M, QWEN2), (LLAMA_Q8_0, LLAMA)])
def test_an_honest_conversion_keeps_ids_and_distributions_on_both_runtimes(target: Path, source: Path) -> None:
    found = outcomes(CheckRequest((target,), against=source), TOKENS, SAME_RUNTIME, OWN_RUNTIME)
    assert {gate: outcome.outcome.value for gate, outcome in found.items()} == dict.fromkeys(
        (TOKENS, SAME_RUNTIME, OWN_RUNTIME), "Corroborated"
    )
    whole = next(c for c in found[SAME_RUNTIME].comparisons if c.place.key == "positions all" and c.note)
    assert "settled at 99%" in whole.note
    assert whole.bound_from.startswith("invariants/I-1-round-trip-identity.yaml:")
    assert found[OWN_RUNTIME].compared > 500


@transformers
@pytest.mark.parametrize(
    ("name", "measure", "longest"),
    [
        ("f01-k-permuted-with-the-wrong-head-count", "mean_divergence", 8),
        ("f03-norms-given-one", "mean_divergence", 4),
        ("two-layers-swapped", "top1_agreement", 8),
        ("f06-linear-scaling-dropped", "mean_divergence", 64),
        ("f07-theta-ten-thousand", "mean_divergence", 400),
    ],
)
def test_a_model_that_loads_and_is_wrong_is_falsified_with_a_shrunk_prompt(
    name: str, measure: str, longest: int, tmp_path: Path
) -> None:
    found = outcomes(VARIANTS[name].make(tmp_path).request, SAME_RUNTIME)[SAME_RUNTIME]
    assert found.outcome == "Falsified"
    violated = [c for c in found.comparisons if not c.holds]
    assert measure in {c.measure for c in violated}
    assert all(c.smallest_passing_tolerance > c.tolerance for c in violated)
    counterexample = found.counterexample
    assert counterexample is not None
    assert counterexample.kind == "prompt"
    assert 1 <= len(counterexample.input["tokens"]) <= longest


@transformers
def test_a_prompt_is_shrunk_to_the_same_tokens_on_a_machine_that_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = VARIANTS["two-layers-swapped"].make(tmp_path).request
    idle = outcomes(request, SAME_RUNTIME)[SAME_RUNTIME].counterexample
    slow_down(monkeypatch)
    assert idle is not None
    assert outcomes(request, SAME_RUNTIME)[SAME_RUNTIME].counterexample == idle


@transformers
@pytest.mark.parametrize("slow", [search, distributions], ids=["drawing", "running"])
def test_a_time_budget_that_ends_drawing_or_running_leaves_distributions_not_proven(
    slow: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down(monkeypatch, 250, [slow])
    found = outcomes(CheckRequest((QWEN2_Q4_K_M,), against=QWEN2, time_budget=600), SAME_RUNTIME)[SAME_RUNTIME]
    assert (found.outcome, found.skip_cause, found.counterexample) == ("Skipped", "incomplete", None)
    assert "stopped after 600 s with" in found.reason


def with_head(folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    """A copy of tiny-llama whose head is changed; every type stays F16."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(LLAMA, folder)
    (shard,) = [file for file in folder.glob("*.safetensors") if "lm_head.weight" in load_file(file)]
    tensors = load_file(shard)
    tensors["lm_head.weight"] = change(tensors["lm_head.weight"].astype(np.float32)).astype(np.float16)
    save_file(tensors, shard, metadata={"format": "pt"})
    return folder


def noisy(head: np.ndarray) -> np.ndarray:
    return head + 0.01 * head.std() * np.random.default_rng(0).standard_normal(head.shape).astype(np.float32)


@transformers
@pytest.mark.parametrize("change", [noisy, lambda head: head * 1.01], ids=["noise", "scale"])
def test_a_head_perturbed_by_one_percent_is_seen_where_every_value_is_owed(
    change: Callable[[np.ndarray], np.ndarray], tmp_path: Path
) -> None:
    target = with_head(tmp_path / "tiny-llama", change)
    found = outcomes(CheckRequest((target,), against=LLAMA), SAME_RUNTIME)[SAME_RUNTIME]
    assert found.outcome == "Falsified"
    worst = next(c for c in found.comparisons if c.measure == "nmse" and c.place.key == "positions all")
    assert not worst.holds
    assert worst.observed > 20 * worst.tolerance
    assert found.counterexample is not None


@transformers
@llama_cpp
@pytest.mark.parametrize(("source", "dtype"), [(QWEN2, "F16"), (LLAMA, "BF16")], ids=["values-kept", "values-rounded"])
def test_sixteen_bits_of_the_other_kind_are_a_verdict_on_both_runtimes(
    source: Path, dtype: str, tmp_path: Path
) -> None:
    target = tmp_path / f"{source.name}.gguf"
    assert main(["convert", str(source), str(target), "--dtype", dtype]) == 0
    found = outcomes(CheckRequest((target,), against=source), SAME_RUNTIME, OWN_RUNTIME)
    assert {gate: outcome.outcome.value for gate, outcome in found.items()} == dict.fromkeys(
        (SAME_RUNTIME, OWN_RUNTIME), "Corroborated"
    )


@transformers
def test_a_nan_block_in_one_expert_is_falsified_with_the_few_tokens_that_reach_it(tmp_path: Path) -> None:
    source, same = expert_models.write(tmp_path / "source"), expert_models.write(tmp_path / "same")
    broken = expert_models.write(tmp_path / "broken", nan_in="model.layers.1.block_sparse_moe.experts.2.w2.weight")
    for honest in (same, source):  # against itself too: one session stands for both sides
        assert outcomes(CheckRequest((honest,), against=source), SAME_RUNTIME)[SAME_RUNTIME].outcome == "Corroborated"
    found = outcomes(CheckRequest((broken,), against=source), SAME_RUNTIME)[SAME_RUNTIME]
    assert found.outcome == "Falsified" and "transformers gave NaN at" in found.reason
    assert [(c.measure, c.holds) for c in found.comparisons] == [("runtime_answers", False)]
    assert found.counterexample is not None and found.counterexample.kind == "prompt"
    assert 1 <= len(found.counterexample.input["tokens"]) <= 4


@transformers
def test_other_token_ids_are_falsified_as_the_prompt_before_any_weight_is_blamed(tmp_path: Path) -> None:
    request = VARIANTS["merge-dropped"].make(tmp_path).request
    found = outcomes(request, TOKENS, SAME_RUNTIME)
    for outcome in found.values():
        assert outcome.outcome == "Falsified"
        assert {c.measure for c in outcome.comparisons if not c.holds} == {"prompt_tokens"}
    (first, *_) = [c for c in found[TOKENS].comparisons if not c.holds]
    assert "say nothing of the weights" in first.note


def test_what_is_not_installed_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from model_contracts.inference import sessions
    from model_contracts.runtimes.interface import NotInstalled

    def absent(name: str) -> None:
        raise NotInstalled(f"{name} is not installed: pip install 'model-contracts[{name}]'")

    monkeypatch.setattr(sessions, "runtime", absent)
    found = outcomes(CheckRequest((QWEN2_Q4_K_M,), against=QWEN2), SAME_RUNTIME)[SAME_RUNTIME]
    assert (found.outcome, found.skip_cause) == ("Skipped", "missing_input")
    assert "pip install" in found.reason


@pytest.mark.parametrize(
    ("failure", "verdict"),
    [("Crashed", "Crashed"), ("TimedOut", "Timeout"), ("Refused", "Falsified"), ("WrongAnswer", "Falsified")],
)
def test_a_runtime_that_does_not_answer_is_an_outcome_of_its_own(
    failure: str, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_contracts.inference import sessions
    from model_contracts.runtimes import interface

    def broken(name: str) -> None:
        raise getattr(interface, failure)(f"{name} did not answer", "the last line it printed")

    monkeypatch.setattr(sessions, "runtime", broken)
    found = outcomes(CheckRequest((QWEN2_Q4_K_M,), against=QWEN2), SAME_RUNTIME)[SAME_RUNTIME]
    assert found.outcome == verdict
    assert "did not answer" in found.reason
