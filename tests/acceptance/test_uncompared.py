"""Through the installed command: what could not be compared is never green, and it is said how much of it there is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cases.gates import MOMENTS, VALUES
from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M
from support.command import Result, check, contracts
from support.mutations import Stored, copied, json_of, safetensors_of

WEIGHTS, MATRIX = "model.safetensors", "model.layers.1.mlp.up_proj.weight"


def of_type(dtype: str, bits: int) -> Callable[[Stored], Stored]:
    return lambda tensor: Stored(dtype, tensor.shape, bytes(len(tensor.data) // 2 * bits // 8))


CHANGES: dict[str, tuple[Callable[[Stored], Stored], str]] = {
    "F4": (of_type("F4", 4), "type F4"),
    "F6_E2M3": (of_type("F6_E2M3", 6), "type F6_E2M3"),
    "F6_E3M2": (of_type("F6_E3M2", 6), "type F6_E3M2"),
    "C64": (of_type("C64", 64), "type C64"),
    "turned": (lambda tensor: Stored(tensor.dtype, tensor.shape[::-1], tensor.data), "the shapes differ"),
    "shorter": (
        lambda t: Stored(t.dtype, (t.shape[0] - 1, t.shape[1]), t.data[: -2 * t.shape[1]]),
        "the shapes differ",
    ),
}


def incomplete(result: Result, gate: str, reason: str) -> None:
    """The gate is not proven for that reason, and what it owed is what it compared and what it did not."""
    found = result.gate(gate)
    assert (found["outcome"], found["skip_cause"]) == ("Skipped", "incomplete")
    assert reason in found["reason"]
    assert found["owed"] == found["compared"] + sum(gap["count"] for gap in found["uncompared"])
    assert f"{found['compared']:,} of {found['owed']:,} compared" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("change", "side"), [*((change, side) for change in CHANGES for side in ("source", "target")), *BOTH]
)
def test_a_pair_with_a_tensor_that_cannot_be_compared_is_never_kept(change: str, side: str, tmp_path: Path) -> None:
    edit, reason = CHANGES[change]
    folders = {"source": tmp_path / "a", "target": tmp_path / "b"}
    for name, folder in folders.items():
        folder.mkdir()
        model = copied(QWEN2, folder)
        if side in (name, "both"):
            with safetensors_of(model / WEIGHTS) as tensors:
                tensors[MATRIX] = edit(tensors[MATRIX])
    result = check(tmp_path / "out", folders["target"] / QWEN2.name, "--against", folders["source"] / QWEN2.name)
    assert result.code in (1, 3)
    for gate in (MOMENTS, VALUES):
        incomplete(result, gate, reason)
    assert contracts("evidence", "validate", tmp_path / "out" / "evidence.json").code == 0


def test_rows_that_are_no_whole_heads_are_not_compared(tmp_path: Path) -> None:
    source = copied(LLAMA, tmp_path)
    with json_of(source / "config.json") as config:
        config["num_attention_heads"] = 24
    result = check(tmp_path / "out", LLAMA_Q8_0, "--against", source)
    assert result.code in (1, 3)
    incomplete(result, VALUES, "rows do not divide into 24 heads of two halves")


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


@pytest.mark.parametrize("share", [0.001, 0.01, 0.25, 0.5, 0.9, 0.999999])
def test_a_source_cut_anywhere_is_never_kept(share: float, tmp_path: Path) -> None:
    source = copied(QWEN2, tmp_path)
    os.truncate(source / WEIGHTS, int((QWEN2 / WEIGHTS).stat().st_size * share))
    assert check(tmp_path / "out", QWEN2_Q4_K_M, "--against", source).code in (1, 3)
