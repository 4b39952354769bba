"""What an adapter owes alone and its base: PEFT's own are kept, broken ones told, nothing breaks the checker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.outcome import Verdict
from support.adapters import FITS, MERGED, OUTSIDE, VALUES, first, folder, llama, lora, outcomes
from support.command import check as command
from support.mutations import json_of, safetensors_of, stored
from support.peft_models import KINDS, base_of
from support.shared_models import DATA

PEFT = DATA / "adapters"
Parts = dict[str, Any]
ALONE = "G0-ADAPTER-001"
UP = "base_model.model.model.layers.7.mlp.up_proj"
LAYER_7 = {
    f"{UP}.lora_A.weight": stored(np.ones((4, 64)), "F32"),
    f"{UP}.lora_B.weight": stored(np.ones((96, 4)), "F32"),
}
#: Configurations that PEFT would refuse, or that ask for what is not computed here.
HOSTILE: list[dict[str, Any]] = [
    {"lora_alpha": float("nan")}, {"lora_alpha": "8"}, {"r": True}, {"r": -1}, {"rank_pattern": {"(a+)+": 4}},
    {"alpha_pattern": ["x"]}, {"target_modules": "(.*)*x"}, {"target_modules": {"a": 1}},
    {"layers_pattern": 7, "layers_to_transform": 1}, {"trainable_token_indices": {"x": "y"}},
    {"modules_to_save": [1, None]}, {"use_rslora": "yes"}, {"init_lora_weights": "pissa"}, {"peft_type": "LOHA"},
    {"alora_invocation_tokens": [1]}, {"exclude_modules": "[", "target_parameters": 3},
]  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("adapters") / "base", llama())


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return lora(llama()).folder(tmp_path / "adapter")


@pytest.mark.parametrize(
    ("change", "measure"),
    [
        (lambda parts: parts.pop(next(iter(parts))), "lora_pair"),
        (lambda parts: parts.update({next(iter(parts)): stored(np.ones((4, 65)), "F32")}), "adapter_place"),
        (lambda parts: parts.update(LAYER_7), "adapter_place"),
        (lambda parts: [parts.pop(name) for name in list(parts) if "layers.1.mlp.up_proj" in name], "factor_present"),
    ],
    ids=["half-lost", "another-width", "a-layer-too-many", "a-factor-lost"],
)  # fmt: skip
def test_an_adapter_that_does_not_fit_its_base_is_falsified(
    base: Path, adapter: Path, change: Callable[[Parts], Any], measure: str
) -> None:
    with safetensors_of(adapter / "adapter_model.safetensors") as parts:
        change(parts)
    found = outcomes(base, base, adapter)
    assert (found[FITS].outcome, first(found[FITS], measure).holds) == (Verdict.FALSIFIED, False)
    alone = outcomes(adapter, base, None, FITS)
    assert alone[FITS].outcome is (Verdict.SKIPPED if measure == "lora_pair" else Verdict.FALSIFIED)


def test_an_adapter_that_adds_nothing_is_a_warning_and_proves_nothing_of_a_target(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    with safetensors_of(adapter / "adapter_model.safetensors") as parts:
        for name, half in list(parts.items()):
            parts[name] = half.map(np.zeros_like) if "lora_B" in name else half
    told = command(tmp_path / "alone", adapter)
    assert (told.code, told.gates("Falsified")) == (0, {"G0-ADAPTER-002"})
    assert told.violated("G0-ADAPTER-002")[0]["measure"] == "factor_trained"
    found = outcomes(base, base, adapter)
    assert (found[MERGED].outcome, found[MERGED].skip_cause) == (Verdict.SKIPPED, "incomplete")
    assert "what the adapter adds is zero here" in found[MERGED].reason


@pytest.mark.parametrize(
    ("changes", "gate", "measure"),
    [
        ({"target_modules": ["q_proj"]}, "G0-ADAPTER-001", "module_asked"),
        ({"exclude_modules": ["up_proj"]}, "G0-ADAPTER-001", "module_asked"),
        ({"layers_to_transform": [1]}, "G0-ADAPTER-001", "module_asked"),
        ({"lora_bias": True}, "G0-ADAPTER-001", "lora_bias"),
        ({"target_modules": r".*\.(q|k)_proj"}, "G0-ADAPTER-002", "module_asked"),
    ],
)
def test_a_factor_that_the_configuration_does_not_ask_for_is_told(
    base: Path, adapter: Path, changes: dict[str, Any], gate: str, measure: str
) -> None:
    with json_of(adapter / "adapter_config.json") as config:
        config.update(changes)
    found = outcomes(adapter, None, None, "G0-*")
    assert {one for one, outcome in found.items() if outcome.outcome is Verdict.FALSIFIED} == {gate}
    assert first(found[gate], measure).holds is False


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_that_peft_saved_are_kept_alone_and_against_their_base(kind: str) -> None:
    alone = outcomes(PEFT / kind, None, None, "G0-*", "F-*")
    kept = {Verdict.CORROBORATED: None, Verdict.SKIPPED: "not_owed"}
    assert {gate: o.reason for gate, o in alone.items() if kept.get(o.outcome, "") != o.skip_cause} == {}
    beside = outcomes(PEFT / kind, PEFT / base_of(kind), None, FITS)
    assert beside[FITS].outcome is Verdict.CORROBORATED


@pytest.mark.parametrize("changes", HOSTILE, ids=str)
def test_nothing_that_an_adapter_says_breaks_the_checker(base: Path, adapter: Path, changes: dict[str, Any]) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text()) | changes
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    found = outcomes(base, base, adapter, MERGED, FITS, OUTSIDE, VALUES, "G0-ADAPTER*")
    assert Verdict.ERROR not in {outcome.outcome for outcome in found.values()}
    alone = outcomes(adapter, base, None, "G0-*")
    assert Verdict.ERROR not in {outcome.outcome for outcome in alone.values()}


@pytest.mark.parametrize("dtype", ["I32", "I8", "BOOL", "F8_E5M2"])
def test_halves_of_types_that_are_no_numbers_prove_nothing(base: Path, adapter: Path, dtype: str) -> None:
    with safetensors_of(adapter / "adapter_model.safetensors") as parts:
        for name, half in list(parts.items()):
            width = 4 if dtype == "I32" else 1
            parts[name] = type(half)(dtype, half.shape, bytes(width * int(np.prod(half.shape))))
    found = outcomes(base, base, adapter)
    assert {outcome.outcome for outcome in found.values()} & {Verdict.ERROR, Verdict.CRASHED} == set()
    assert found[MERGED].outcome is not Verdict.CORROBORATED


def test_an_adapter_that_ends_too_early_is_falsified_and_nothing_is_proven_of_a_target(
    base: Path, adapter: Path
) -> None:
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3000])
    found = outcomes(base, base, adapter)
    assert (found[FITS].outcome, Verdict.ERROR in {one.outcome for one in found.values()}) == (Verdict.FALSIFIED, False)
    assert found[MERGED].outcome is Verdict.FALSIFIED  # the factors that are there are not in it


def test_a_target_is_not_called_false_where_what_was_added_is_not_known(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    """PiSSA took a part of the base away before training: what a merge into the published base holds nobody can say."""
    with json_of(adapter / "adapter_config.json") as config:
        config["init_lora_weights"] = "pissa"
    other = folder(tmp_path / "other", llama(4))
    for target, kept in ((other, Verdict.SKIPPED), (base, Verdict.CORROBORATED)):
        found = outcomes(target, base, adapter)
        assert (found[MERGED].outcome, found[FITS].outcome) == (Verdict.SKIPPED, Verdict.SKIPPED)
        assert (found[OUTSIDE].outcome, found[VALUES].outcome) == (kept, kept)
    assert "had something taken away before training" in outcomes(other, base, adapter)[OUTSIDE].reason


def test_a_gguf_adapter_of_another_architecture_is_falsified(tmp_path: Path) -> None:
    made = lora(llama(), targets=["q_proj"])
    assert outcomes(made.gguf(tmp_path / "kept.gguf"), None, None, ALONE)[ALONE].outcome is Verdict.CORROBORATED
    made.halves = {"model.layers.0.mlp.experts_of_another": next(iter(made.halves.values()))}
    found = outcomes(made.gguf(tmp_path / "broken.gguf"), None, None, ALONE)
    assert (found[ALONE].outcome, first(found[ALONE], "module_known").holds) == (Verdict.FALSIFIED, False)
