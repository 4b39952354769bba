"""--bisect names the module that was broken, is silent where nothing is falsified, and its prompt replays."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from cases.interface import QWEN2, QWEN2_Q4_K_M
from cases.variants import BROKEN
from model_contracts.cli.main import main
from model_contracts.engine.evidence import write
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.outcome import Outcome, Run

pytestmark = pytest.mark.skipif(
    find_spec("transformers") is None or find_spec("torch") is None, reason="transformers or torch is not installed"
)

VARIANTS = {variant.name: variant for variant in BROKEN}
GATE, MEASURE = "F-CONTRACT-I1-002", "first_departing_module"


def bisected(request: CheckRequest) -> tuple[Outcome, Run]:
    (outcome,), run = check(replace(request, contract="inference", only=(GATE,), bisect=True))
    return outcome, run


@pytest.mark.parametrize(
    ("name", "module", "replays"),
    [
        ("two-layers-swapped", "layers.1.mlp.gate_proj", True),
        ("f01-k-permuted-with-the-wrong-head-count", "layers.0.self_attn.k_proj", False),
        ("f07-theta-ten-thousand", "layers.0.self_attn.o_proj", False),
    ],
)
def test_the_broken_module_is_the_first_that_departs(
    name: str, module: str, replays: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome, run = bisected(VARIANTS[name].make(tmp_path).request)
    assert outcome.outcome == "Falsified"
    (found,) = [comparison for comparison in outcome.comparisons if comparison.measure == MEASURE]
    assert (found.place.tensor, found.holds) == (module, False)
    assert found.observed > 2 * found.tolerance
    assert found.note.startswith(f"{module} departs first: relative RMSE ")
    assert found.bound_from.startswith("invariants/I-1-round-trip-identity.yaml:")
    assert outcome.counterexample is not None
    assert outcome.counterexample.description.endswith(found.note)
    if replays:
        write(tmp_path / "out", (outcome,), run)
        assert main(["replay", str(tmp_path / "out")]) == 1
        assert f"{GATE}  still falsified" in capsys.readouterr().out


def test_it_is_silent_where_nothing_is_falsified() -> None:
    outcome, _ = bisected(CheckRequest((QWEN2_Q4_K_M,), against=QWEN2))
    assert outcome.outcome == "Corroborated"
    assert MEASURE not in {comparison.measure for comparison in outcome.comparisons}
