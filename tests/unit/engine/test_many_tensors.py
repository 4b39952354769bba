"""A file of many tensors: a check writes down no more for their number, and counts every one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, gap
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.engine.seen import Tally
from model_contracts.outcome import Comparison, Outcome, Uncompared
from support.examining import model_of
from support.mutations import Stored

MANY = 5000


def outcomes(
    monkeypatch: pytest.MonkeyPatch, target: Path, source: Path | None = None
) -> tuple[dict[str, Outcome], int]:
    """Outcomes by gate, and how many comparisons and gaps were written for them."""
    written = 0
    for kind in (Comparison, Uncompared):
        made = kind.__init__

        def counted(self: Any, made: Any = made, **fields: Any) -> None:
            nonlocal written
            written += 1
            made(self, **fields)

        monkeypatch.setattr(kind, "__init__", counted)
    evidence, _ = check(CheckRequest((target,), against=source))
    return {outcome.gate_id: outcome for outcome in evidence}, written


def many(folder: Path, **config: Any) -> Path:
    rng = np.random.default_rng(0)
    data = [Stored("F32", (2,), rng.standard_normal(2).astype("<f4").tobytes()) for _ in range(MANY)]
    return model_of(folder, {f"model.layers.{n}.input_layernorm.weight": one for n, one in enumerate(data)}, **config)


@pytest.mark.parametrize("known", [True, False])
def test_records_written_do_not_grow_with_the_tensors(
    known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {} if known else {"architectures": ["NobodyForCausalLM"], "model_type": "nobody"}
    path = many(tmp_path / "m", num_hidden_layers=MANY, **said)
    alone, written = outcomes(monkeypatch, path)
    assert written < 1500
    assert alone["G0-VALIDATE-001"].compared == 2 * MANY
    paired, written = outcomes(monkeypatch, path, many(tmp_path / "s", num_hidden_layers=MANY, **said))
    assert written < 3000
    assert paired["F-CONTRACT-I2-001"].compared == MANY
    assert paired["F-CONTRACT-I4-001"].compared == 2 * MANY


@pytest.mark.parametrize("broken", [False, True], ids=["honest", "broken"])
def test_records_of_packed_parts_do_not_grow_with_their_number(
    broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"qweight": Stored("I32", (32, 1), bytes(128)), "qzeros": Stored("I32", (1, 1), bytes(4))}
    parts["scales"] = Stored("F16", (1, 8), np.ones(8, "<f2").tobytes())
    named = {f"model.layers.{n}.mlp.up_proj.{end}": one for n in range(MANY) for end, one in parts.items()}
    if broken:
        named[f"model.layers.{MANY - 1}.mlp.up_proj.scales"] = Stored("F16", (1, 4), np.ones(4, "<f2").tobytes())
    awq = {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": True}
    # No family knows the shapes, so that those of the parts are held against each other.
    nobody = {"architectures": ["NobodyForCausalLM"], "model_type": "nobody"}
    path = model_of(tmp_path / "m", named, quantization_config=awq, **nobody)
    seen, written = outcomes(monkeypatch, path)
    storage = seen["G0-SCHEME-001"]
    assert written < 2500
    assert storage.compared >= 6 * MANY
    assert storage.violated == int(broken)
    if broken:
        (first, *_) = storage.comparisons
        assert (first.measure, first.expected, first.observed) == ("part_shape", [1, 8], [1, 4])


def test_layers_without_a_tensor_are_told_together_and_counted_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, _ = outcomes(monkeypatch, many(tmp_path / "m", num_hidden_layers=MANY))
    outcome = seen["G0-TENSOR-001"]
    # Of Qwen2's twelve tensors a layer, eleven are missing in every layer; the embedding and the last norm are too.
    assert outcome.outcome.value == "Falsified"
    assert outcome.violated == 11 * MANY + 2
    assert outcome.compared == 12 * MANY + 2
    together = [c for c in outcome.comparisons if c.note == f"and {MANY - 5:,} layers before it"]
    assert together
    assert all((c.measure, c.count, c.observed) == ("tensor_present", MANY - 4, "missing") for c in together)
    assert outcome.comparisons[-1].holds


def test_a_draft_counts_like_the_comparison_that_it_writes() -> None:
    comparisons = [
        Comparison(
            measure="error", holds=n % 9 != 0, tolerance=2.0, smallest_passing_tolerance=n % 17 / 10, count=n % 4
        )
        for n in range(500)
    ]
    plain, drafted = Tally(), Tally()
    for one in comparisons:
        plain.take(one)
        used = (one.smallest_passing_tolerance or 0.0) / 2.0
        drafted.take(Draft(one.holds, one.model_copy, one.count, used))
    assert plain.kept == drafted.kept
    assert (plain.compared, plain.violated, plain.records) == (drafted.compared, drafted.violated, drafted.records)
    held = sorted(c.smallest_passing_tolerance or 0.0 for c in comparisons if c.holds)
    assert [c.smallest_passing_tolerance for c in plain.kept if c.holds] == held[:-6:-1]


def test_a_gap_counts_like_the_record_that_it_writes() -> None:
    tensor, tally = Tensor("t", "F32", (3,), Path("/m/f"), 0, 12), Tally()
    for _ in range(30):
        tally.take(gap(tensor, "nothing decodes it", 3))
    assert (tally.missed, len(tally.gaps), tally.reasons) == (90, 20, {"nothing decodes it": (30, 90)})
    assert str(tally.gaps[0].place) == "f · t"
