"""Through the installed command: what could not be compared is never green, and it is said how much of it there is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cases.gates import BIJECTION, MOMENTS, VALUES
from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M
from support.command import Result, check, contracts
from support.mutations import Stored, copied, json_of, safetensors_of

WEIGHTS = "model.safetensors"


def of_type(dtype: str, bits: int) -> Callable[[Stored], Stored]:
    return lambda tensor: Stored(dtype, tensor.shape, bytes(len(tensor.data) // 2 * bits // 8))


def _turned(tensor: Stored) -> Stored:
    return Stored(tensor.dtype, tensor.shape[::-1], tensor.data)


def _shorter(tensor: Stored) -> Stored:
    return Stored(tensor.dtype, (tensor.shape[0] - 1, tensor.shape[1]), tensor.data[: -2 * tensor.shape[1]])


#: A tensor, what is done to it, and why it cannot be compared with its counterpart then.
CHANGES: dict[str, tuple[Callable[[Stored], Stored], str]] = {
    "model.layers.0.mlp.up_proj.weight": (of_type("F4", 4), "type F4"),
    "model.layers.1.mlp.up_proj.weight": (of_type("F6_E2M3", 6), "type F6_E2M3"),
    "model.layers.2.mlp.up_proj.weight": (of_type("F6_E3M2", 6), "type F6_E3M2"),
    "model.layers.3.mlp.up_proj.weight": (of_type("C64", 64), "type C64"),
    "model.layers.0.mlp.gate_proj.weight": (_turned, "the shapes differ"),
    "model.layers.1.mlp.gate_proj.weight": (_shorter, "the shapes differ"),
}


def incomplete(result: Result, gate: str) -> dict[str, str]:
    """The gate is not proven, what it owed is what it compared and what it did not; the reason of each tensor."""
    found = result.gate(gate)
    assert (found["outcome"], found["skip_cause"]) == ("Skipped", "incomplete")
    assert found["owed"] == found["compared"] + sum(gap["count"] for gap in found["uncompared"])
    assert f"{found['compared']:,} of {found['owed']:,} compared" in " ".join(result.stdout.split())
    return {gap["place"]["tensor"]: gap["reason"] for gap in found["uncompared"]}


@pytest.mark.parametrize("side", ["source", "target", "both"])
def test_tensors_that_cannot_be_compared_are_told_one_by_one_and_never_kept(side: str, tmp_path: Path) -> None:
    folders = {"source": tmp_path / "a", "target": tmp_path / "b"}
    for name, folder in folders.items():
        folder.mkdir()
        model = copied(QWEN2, folder)
        if side in (name, "both"):
            with safetensors_of(model / WEIGHTS) as tensors:
                tensors.update({tensor: edit(tensors[tensor]) for tensor, (edit, _) in CHANGES.items()})
    result = check(tmp_path / "out", folders["target"] / QWEN2.name, "--against", folders["source"] / QWEN2.name)
    assert result.code in (1, 3)
    # Two tensors of one shape are compared whatever it is; two of one type are not where nothing decodes it.
    owed = {name: reason for name, (_, reason) in CHANGES.items() if side != "both" or reason.startswith("type")}
    for gate in (MOMENTS, VALUES):
        told = incomplete(result, gate)
        assert told.keys() == owed.keys()
        assert all(owed[name] in reason for name, reason in told.items())
    assert contracts("evidence", "validate", tmp_path / "out" / "evidence.json").code == 0


def test_rows_that_are_no_whole_heads_are_not_compared(tmp_path: Path) -> None:
    source = copied(LLAMA, tmp_path)
    with json_of(source / "config.json") as config:
        config["num_attention_heads"] = 24
    result = check(tmp_path / "out", LLAMA_Q8_0, "--against", source)
    assert result.code in (1, 3)
    reasons = {reason for name, reason in incomplete(result, VALUES).items() if ".attn_q." in name}
    assert reasons and all("is [256, 256], and [768, 256] by its family" in reason for reason in reasons)


def test_a_source_cut_after_a_third_says_how_many_values_were_compared(tmp_path: Path) -> None:
    source = copied(QWEN2, tmp_path)
    os.truncate(source / WEIGHTS, 1_918_874)
    result = check(tmp_path / "out", QWEN2_Q4_K_M, "--against", source)
    assert result.code == 1
    assert result.run["decision"]["decided_by"] == ["G0-SOURCE-001"]
    for gate in (MOMENTS, VALUES):
        assert (
            "938,624 of 2,875,648 compared; not compared: the source's bytes are not there (1,937,024: "
            in (result.gate(gate)["reason"])
        )


@pytest.mark.parametrize("target", [LLAMA, LLAMA_Q8_0], ids=["folder", "gguf"])
@pytest.mark.parametrize("indexed", [True, False], ids=["index", "numbers"])
@pytest.mark.parametrize(("number", "held"), [(1, 7), (2, 17), (3, 6)])
def test_what_a_missing_shard_of_the_source_could_hold_is_not_proven(
    number: int, held: int, indexed: bool, target: Path, tmp_path: Path
) -> None:
    source = copied(LLAMA, tmp_path)
    (source / f"model-0000{number}-of-00003.safetensors").unlink()
    if not indexed:
        (source / "model.safetensors.index.json").unlink()
    result = check(tmp_path / "out", target, "--against", source)
    assert (result.code, result.run["decision"]["decided_by"]) == (1, ["G0-SOURCE-001"])
    reasons = incomplete(result, BIJECTION)
    assert len(reasons) == held
    words = "its index says that this tensor stands there" if indexed else "what it holds is not known"
    assert all(f"model-0000{number}-of-00003" in reason and words in reason for reason in reasons.values())


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999999])
def test_a_source_cut_anywhere_is_never_kept(share: float, tmp_path: Path) -> None:
    source = copied(QWEN2, tmp_path)
    os.truncate(source / WEIGHTS, int((QWEN2 / WEIGHTS).stat().st_size * share))
    assert check(tmp_path / "out", QWEN2_Q4_K_M, "--against", source).code in (1, 3)
