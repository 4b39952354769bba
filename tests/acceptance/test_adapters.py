"""A target is its base with an adapter merged, or what was done instead is told: PEFT's own files first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from model_contracts.anatomy.hypotheses.adapter_rivals import _nf4
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.outcome import Outcome, Verdict
from support.adapters import (
    FITS,
    MERGED,
    OUTSIDE,
    Lora,
    Weights,
    first,
    folder,
    gguf,
    llama,
    lora,
    merged,
    outcomes,
)
from support.command import check as command
from support.command import contracts
from support.conversions import gguf_name, tensors_of, to_apr
from support.gguf_models import gguf_of
from support.mutations import copied, json_of, safetensors_of, stored
from support.peft_models import KINDS, base_of
from support.shared_models import DATA

PEFT = DATA / "adapters"


class Case(NamedTuple):
    """A base in memory and on disk, an adapter of it, and where more may be written."""

    weights: Weights
    adapter: Lora
    base: Path
    peft: Path
    room: Path

    def told(self, target: Path, base: Path | None = None, adapter: Path | None = None) -> dict[str, Outcome]:
        """What the gates say of a target."""
        return outcomes(target, base or self.base, adapter or self.peft)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    room = tmp_path_factory.mktemp("adapters")
    weights = llama()
    adapter = lora(weights)
    return Case(weights, adapter, folder(room / "base", weights), adapter.folder(room / "peft"), room)


def whole(found: dict[str, Outcome]) -> Any:
    """The one word for the whole."""
    return first(found[MERGED], "merged").observed


def all_kept(found: dict[str, Outcome]) -> None:
    assert {gate: o.reason for gate, o in found.items() if o.outcome is not Verdict.CORROBORATED} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_what_peft_merged_is_its_base_with_the_adapter_and_nothing_else_has_changed(kind: str) -> None:
    all_kept(outcomes(PEFT / f"{kind}-merged", PEFT / base_of(kind), PEFT / kind))


@pytest.mark.parametrize("kind", KINDS)
def test_the_base_alone_is_told_to_be_without_the_adapter(kind: str) -> None:
    base = PEFT / base_of(kind)
    found = outcomes(base, base, PEFT / kind)
    assert (found[MERGED].outcome, whole(found)) == (Verdict.FALSIFIED, "not merged")
    assert found[OUTSIDE].outcome is Verdict.CORROBORATED


def test_the_command_says_in_one_line_that_an_adapter_was_not_merged(tmp_path: Path) -> None:
    base = PEFT / base_of("lora")
    told = command(
        tmp_path / "kept", PEFT / "lora-merged", "--against", base, "--adapter", PEFT / "lora", "--only", "F-ADAPTER*"
    )
    assert (told.code, told.gates("Corroborated")) == (0, {MERGED, OUTSIDE})
    assert str(PEFT / "lora") in {one["path"] for one in told.run["artifacts"]}
    told = command(tmp_path / "not", base, "--against", base, "--adapter", PEFT / "lora", "--only", "F-ADAPTER*")
    assert (told.code, told.gates("Falsified")) == (1, {MERGED})
    assert told.violated(MERGED)[0]["observed"] == "not merged"


def test_an_adapter_needs_a_base_to_be_merged_into_and_has_to_be_one() -> None:
    base = PEFT / base_of("lora")
    for words, said in ((("--adapter", PEFT / "lora"), "give --against BASE"),
                        (("--against", base, "--adapter", base), "wants an adapter, and this is a model")):  # fmt: skip
        told = contracts("check", base, *words)
        assert (told.code, said in told.stderr) == (2, True)


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16", "Q8_0", "Q4_0"])
def test_a_merge_is_kept_in_every_type_and_as_gguf(case: Case, dtype: str) -> None:
    target = gguf(case.room / f"kept-{dtype}.gguf", merged(case.weights, case.adapter), dtype)
    all_kept(case.told(target))


def test_a_merge_of_a_real_model_is_kept_by_the_whole_contract_and_in_an_apr_file(tmp_path: Path) -> None:
    base, target = DATA / "tiny-llama", copied(DATA / "tiny-llama", tmp_path, "merged")
    weights = {name: tensor.values for name, tensor in tensors_of(base).items()}
    adapter = lora(weights, 0.03, targets=["q_proj", "down_proj"])
    values = merged(weights, adapter)
    for file in target.glob("*.safetensors"):
        with safetensors_of(file) as tensors:
            for name, tensor in tensors.items():
                tensors[name] = stored(values[name], tensor.dtype)
    peft = adapter.folder(tmp_path / "peft")
    evidence, run = check(CheckRequest((target,), against=base, adapter=peft))
    assert run.decision.exit_code == 0, [o.reason for o in evidence if o.gate_id in run.decision.decided_by]
    all_kept(outcomes(to_apr(target).write(tmp_path / "merged.apr"), base, peft))


TIMES: dict[str, tuple[Callable[[str], float], dict[str, Any], str]] = {
    "none": (lambda module: 0.0, {}, "not merged"),
    "twice": (lambda module: 2.0, {"rank": 8}, "merged twice"),
    "away": (lambda module: -1.0, {}, "taken away"),
    "partly": (lambda module: float(".0." in module), {}, "partly: 7 merged, 7 not merged"),
    "rooted": (lambda module: 8**0.5, {"rank": 8}, "scaled by alpha / sqrt(r) in place of alpha / r"),
    "not-rooted": (
        lambda module: 8**-0.5, {"rank": 8, "use_rslora": True}, "scaled by alpha / r in place of alpha / sqrt(r)",
    ),
    "alpha-ignored": (lambda module: 1 / 3, {}, "alpha ignored: scaled by 1"),
    "rank-ignored": (lambda module: 16.0, {"rank": 16}, "alpha not divided by the rank"),
    "other": (lambda module: 0.6, {}, "of a coefficient that no known mistake makes"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("mistake", "dtype"), [*((one, "F32") for one in TIMES), *((one, "Q8_0") for one in ("twice", "partly", "rooted"))]
)
def test_a_mistake_of_the_scale_is_named(case: Case, mistake: str, dtype: str) -> None:
    times, config, words = TIMES[mistake]
    adapter = lora(case.weights, **config)
    peft = case.room / f"peft-{mistake}-{dtype}"
    values = merged(case.weights, adapter, times)
    target = case.room / f"{mistake}-{dtype}"
    made = folder(target, values) if dtype == "F32" else gguf(target.with_name(f"{target.name}.gguf"), values, dtype)
    found = case.told(made, adapter=adapter.folder(peft))
    assert (found[MERGED].outcome, whole(found)) == (Verdict.FALSIFIED, words)
    coefficient = first(found[MERGED], "coefficient")
    expected = times("model.layers.1.self_attn.q_proj" if mistake == "partly" else coefficient.place.tensor or "")
    assert coefficient.observed == pytest.approx(expected, abs=0.03)
    assert coefficient.tolerance is not None and coefficient.tolerance < 0.1
    assert found[OUTSIDE].outcome is Verdict.CORROBORATED


def test_a_small_change_that_bf16_rounds_away_in_part_is_merged_and_a_wrong_scale_of_it_named(case: Case) -> None:
    weights = {name: stored(values, "BF16").values for name, values in case.weights.items()}
    base = folder(case.room / "base-bf16", weights, "BF16")
    adapter = lora(weights, share=0.002)
    peft = adapter.folder(case.room / "peft-small")
    kept = folder(case.room / "small", merged(weights, adapter), "BF16")
    all_kept(case.told(kept, base, peft))
    wrong = folder(case.room / "small-ignored", merged(weights, adapter, lambda module: 1 / 3), "BF16")
    found = case.told(wrong, base, peft)
    assert "alpha ignored: scaled by 1" in str(whole(found))


def test_a_product_that_was_added_turned_is_named(case: Case) -> None:
    values = merged(case.weights, case.adapter)
    for module in case.adapter.halves:
        name, delta = f"{module}.weight", case.adapter.delta(module)
        if delta.shape[0] == delta.shape[1]:
            values[name] = case.weights[name] + delta.T
    found = case.told(folder(case.room / "turned", values))
    assert whole(found) == "partly: 10 merged, 4 the product was added turned (fan_in_fan_out)"


def test_the_halves_of_another_module_are_named(case: Case) -> None:
    other = {"0": "1", "1": "0"}
    values = dict(case.weights)
    for module in case.adapter.halves:
        layer = module.split(".")[2]
        delta = case.adapter.delta(module.replace(f"layers.{layer}", f"layers.{other[layer]}"))
        values[f"{module}.weight"] = case.weights[f"{module}.weight"] + delta
    found = case.told(folder(case.room / "neighbour", values))
    assert str(whole(found)).startswith("8 what belongs to another module was added")
    note = first(found[MERGED], "coefficient").note or ""
    assert "model.layers.1.self_attn.q_proj, a coefficient of 1" in note


def test_a_product_added_to_a_gguf_without_its_order_of_rows_is_named(case: Case) -> None:
    target = gguf(case.room / "unordered.gguf", case.weights, "F32")
    with gguf_of(target) as model:
        for module in case.adapter.halves:
            name = gguf_name(f"{module}.weight")
            model.tensors[name] = stored(model.tensors[name].values + case.adapter.delta(module), "F32")
    found = case.told(target)
    assert whole(found) == "partly: 10 merged, 4 the product was added in the base's order of rows, not in the target's"


def test_another_base_is_told_and_not_taken_for_a_scale(case: Case) -> None:
    found = case.told(folder(case.room / "other-base", merged(llama(9), case.adapter)))
    assert (found[MERGED].outcome, whole(found)) == (Verdict.FALSIFIED, "of another base")
    assert found[OUTSIDE].violated == 7


def test_a_base_of_four_bits_under_the_merge_is_told(case: Case) -> None:
    packed = {name: _nf4(w) if w.ndim == 2 and "layers" in name else w for name, w in case.weights.items()}
    found = case.told(folder(case.room / "qlora", merged(packed, case.adapter)))
    words = "merged, and the rest is that of a base kept as NF4 in blocks of 64 when it was merged into"
    assert (found[MERGED].outcome, whole(found)) == (Verdict.FALSIFIED, words)
    assert first(found[MERGED], "coefficient").observed == pytest.approx(1.0, abs=0.15)


def test_what_changed_outside_the_adapter_and_beside_it_is_told_apart(case: Case) -> None:
    values = merged(case.weights, case.adapter)
    values["model.norm.weight"] = values["model.norm.weight"] + np.float32(0.01)
    found = case.told(folder(case.room / "outside", values))
    assert found[MERGED].outcome is Verdict.CORROBORATED
    comparison = first(found[OUTSIDE], "differing_values")
    assert (comparison.observed, comparison.place.tensor) == (64, "model.norm.weight")
    assert "changed outside the adapter" in (comparison.note or "")
    values["model.layers.0.mlp.up_proj.weight"] = values["model.layers.0.mlp.up_proj.weight"] * np.float32(1.01)
    found = case.told(folder(case.room / "beside", values))
    assert whole(found) == "partly: 13 merged, 1 merged, and changed beside it"


def test_a_base_that_is_quantised_like_its_target_is_compared_as_it_decodes(case: Case) -> None:
    weights = {name: stored(w, "Q8_0").values if w.ndim == 2 else w for name, w in case.weights.items()}
    base = gguf(case.room / "base-q8.gguf", case.weights, "Q8_0")
    all_kept(case.told(gguf(case.room / "merged-q8.gguf", merged(weights, case.adapter), "Q8_0"), base))
    assert whole(case.told(base, base)) == "not merged"


@pytest.mark.parametrize("base", ["folder", "gguf"])
@pytest.mark.parametrize("target", ["folder", "gguf"])
def test_an_adapter_in_gguf_is_that_of_peft_with_its_rows_in_order(
    case: Case, base: str, target: str, tmp_path: Path
) -> None:
    adapter = case.adapter.gguf(tmp_path / "lora.gguf")
    values = merged(case.weights, case.adapter)
    made = folder(tmp_path / "m", values) if target == "folder" else gguf(tmp_path / "m.gguf", values, "F32")
    other = case.base if base == "folder" else gguf(tmp_path / "b.gguf", case.weights, "F32")
    all_kept(case.told(made, other, adapter))
    if base == "gguf":
        all_kept(case.told(made, other))  # PEFT's names over llama.cpp's


def test_magnitudes_left_out_of_a_dora_merge_are_named(tmp_path: Path) -> None:
    base, adapter = PEFT / base_of("dora"), PEFT / "dora"
    target = folder(tmp_path / "plain", {})
    for name in ("config.json", "model.safetensors"):
        (target / name).write_bytes((base / name).read_bytes())
    with (
        safetensors_of(target / "model.safetensors") as tensors,
        safetensors_of(adapter_copy(adapter, tmp_path) / "adapter_model.safetensors") as halves,
    ):
        for name, half in halves.items():
            if name.endswith(".lora_A.weight"):
                module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
                delta = 2.0 * halves[name.replace("lora_A", "lora_B")].values @ half.values
                tensors[f"{module}.weight"] = tensors[f"{module}.weight"].map(lambda w, delta=delta: w + delta)
    found = outcomes(target, base, adapter)
    assert whole(found) == "the product alone was added, without magnitudes (DoRA)"


def adapter_copy(adapter: Path, room: Path) -> Path:
    """An adapter that may be changed."""
    there = room / adapter.name
    there.mkdir()
    for file in adapter.iterdir():
        (there / file.name).write_bytes(file.read_bytes())
    return there


def test_a_module_that_was_saved_whole_and_not_taken_over_is_told(tmp_path: Path) -> None:
    base, target = PEFT / base_of("rslora"), tmp_path / "target"
    target.mkdir()
    for name in ("config.json", "model.safetensors"):
        (target / name).write_bytes((PEFT / "rslora-merged" / name).read_bytes())
    with (
        safetensors_of(base_copy(base, tmp_path) / "model.safetensors") as old,
        safetensors_of(target / "model.safetensors") as new,
    ):
        new["lm_head.weight"] = old["lm_head.weight"]
    found = outcomes(target, base, PEFT / "rslora")
    assert whole(found) == "partly: 6 merged, 1 not merged"
    assert first(found[MERGED], "coefficient").place.tensor == "lm_head.weight"


def base_copy(base: Path, room: Path) -> Path:
    """A base that may be changed."""
    return adapter_copy(base, room)


def test_patterns_of_rank_and_alpha_that_were_ignored_are_named(tmp_path: Path) -> None:
    adapter = adapter_copy(PEFT / "rslora", tmp_path)
    with json_of(adapter / "adapter_config.json") as config:
        config["alpha_pattern"] = {"layers.1.self_attn.q_proj": 48}
    found = outcomes(PEFT / "rslora-merged", PEFT / base_of("rslora"), adapter)
    words = "scaled as the configuration says in general, its patterns ignored"
    assert whole(found) == f"partly: 6 merged, 1 {words}"
    assert first(found[MERGED], "coefficient").observed == pytest.approx(1 / 4, abs=0.03)


def test_stacks_of_experts_are_merged_index_by_index(case: Case, tmp_path: Path) -> None:
    """A parameter of three axes, as PEFT's target_parameters keeps its factors; no family is needed for equal names."""
    random = np.random.default_rng(3)
    experts, out, into, rank = 3, 24, 16, 2
    weights = {"layers.0.experts.gate_up": random.normal(size=(experts, out, into)).astype(np.float32)}
    a = random.normal(size=(rank * experts, into)).astype(np.float32)
    b = random.normal(size=(out, rank * experts)).astype(np.float32)
    delta = np.einsum("ore,eri->eoi", b.reshape(out, rank, experts), a.reshape(experts, rank, into)) * 2
    config = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": 4,
        "target_modules": [],
        "target_parameters": ["experts.gate_up"],
    }
    peft = Lora({"layers.0.experts": (a, b)}, config).folder(tmp_path / "peft")
    base = folder(tmp_path / "base", weights, architectures=["NobodyForCausalLM"], model_type="nobody")
    target = {"layers.0.experts.gate_up": weights["layers.0.experts.gate_up"] + delta}
    kept = folder(tmp_path / "kept", target, architectures=["NobodyForCausalLM"], model_type="nobody")
    found = outcomes(kept, base, peft, MERGED, FITS)
    assert found[MERGED].outcome is Verdict.CORROBORATED
    assert whole(outcomes(base, base, peft, MERGED)) == "not merged"
