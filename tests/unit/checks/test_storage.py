"""Packed weights: every layout's honest folder is quiet, and each part, shape, setting, list and block is held."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cases.gates import BIJECTION, CONFIG, COVERAGE, FAMILY, LAYOUT, PAIR_SHAPES, PAIR_TYPES, PARTS, TIED
from cases.interface import QWEN2
from model_contracts.checks.interface import Skip
from model_contracts.outcome import Comparison, Uncompared
from support.examining import violated, yielded
from support.mutations import Stored, json_of, safetensors_of
from support.packed_layouts import LAYOUTS
from support.packed_models import packed_folder
from support.packed_parts import Parts, numbers, zeros

Change = Callable[[str, Parts], Parts]
#: Layouts of which no shape, or only some, is settled: their parts are told as not compared.
RECOGNISED = {"torchao", "vptq", "quip", "exl2", "ct-bitmask"}
#: Layouts whose parts say how they are packed, so that a missing configuration is not proven wrong.
SELF_DESCRIBED = {"torchao", "hqq", "exl2", "exl3", "aqlm", "vptq", "quip"}
#: Parts that a weight may be without, or whose layout lets readers compute them.
OPTIONAL = {
    ".weight_format", ".nbits", ".mcg", ".shape", ".pre_quant_scale", ".g_idx", ".input_scale", ".input_global_scale",
}  # fmt: skip
Q, DOWN = "model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj"


def on(module: str, change: Callable[[Parts], Parts]) -> Change:
    """A change of one module's parts."""
    return lambda name, parts: change(parts) if name == module else parts


def headers(folder: Path) -> tuple[list[Comparison], list[Uncompared]]:
    """What the two gates of headers yield together; a gate that owes nothing yields nothing."""
    compared, gaps = yielded(COVERAGE, folder)
    with contextlib.suppress(Skip):
        more, others = yielded(PARTS, folder)
        compared, gaps = compared + more, gaps + others
    return compared, gaps


def plain(name: str, parts: Parts) -> Parts:
    """The module as an unpacked model has it."""
    shapes = {"q_proj": (256, 256), "o_proj": (256, 256), "k_proj": (128, 256), "v_proj": (128, 256)}
    wide = {"gate_proj": (512, 256), "up_proj": (512, 256), "down_proj": (256, 512)}
    return {".weight": ("BF16", (shapes | wide)[name.rpartition(".")[2]])}


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_honest_folder_of_every_layout_is_quiet_at_every_gate_of_headers(tmp_path: Path, name: str) -> None:
    folder = packed_folder(LAYOUTS[name], tmp_path)
    for gate in (FAMILY, LAYOUT, PARTS, COVERAGE, CONFIG, TIED):
        compared, gaps = yielded(gate, folder)
        assert compared and not violated(compared)
        assert bool(gaps) == (name in RECOGNISED and gate in (LAYOUT, PARTS)) or gate == LAYOUT
    compared, _ = yielded(BIJECTION, folder, QWEN2)
    assert {c.place.tensor for c in compared if not c.holds and ".layers.0." in str(c.place)} == set()


@pytest.mark.parametrize(("name", "end"), [(n, end) for n, layout in LAYOUTS.items() for end in layout.parts(256, 256)])
def test_a_part_that_is_dropped_from_one_weight_is_missed(tmp_path: Path, name: str, end: str) -> None:
    folder = packed_folder(LAYOUTS[name], tmp_path, on(Q, lambda parts: {k: v for k, v in parts.items() if k != end}))
    compared, _ = headers(folder)
    owed = end not in OPTIONAL or (end == ".g_idx" and name.startswith("gptq")) or (end, name) in {
        (".shape", "ct-24"), (".input_scale", "modelopt-fp8"), (".input_scale", "modelopt-nvfp4"),
        (".input_scale", "modelopt-nvfp4-config"),
    }  # fmt: skip
    assert violated(compared) == ({"part_present"} if owed else set())


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name not in RECOGNISED])
def test_values_of_another_width_are_seen(tmp_path: Path, name: str) -> None:
    end = next(iter(LAYOUTS[name].parts(256, 256)))

    def wider(parts: Parts) -> Parts:
        dtype, shape = parts[end]  # type: ignore[misc]
        return {**parts, end: (dtype, (shape[0] * 2, *shape[1:]))}

    compared, _ = headers(packed_folder(LAYOUTS[name], tmp_path, on(DOWN, wider)))
    assert "part_shape" in violated(compared)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ct-int4", ("config_groups", "group_0", "weights", "num_bits")),
        ("ct-int4", ("config_groups", "group_0", "weights", "group_size")),
        ("ct-nvfp4", ("config_groups", "group_0", "weights", "group_size")),
        ("ct-mxfp4", ("config_groups", "group_0", "weights", "num_bits")),
        ("awq-gemm", ("bits",)),
        ("awq-gemm", ("group_size",)),
        ("gptq-3", ("bits",)),
        ("gptq-4", ("group_size",)),
        ("modelopt-nvfp4", ("group_size",)),
        ("modelopt-w4", ("group_size",)),
        ("mlx-6", ("bits",)),
        ("mlx-4", ("group_size",)),
        ("hqq", ("quant_config", "weight_quant_params", "nbits")),
    ],
)
def test_a_setting_that_lies_is_named_with_the_value_that_fits(
    tmp_path: Path, name: str, path: tuple[str, ...]
) -> None:
    block: dict[str, Any] = copy.deepcopy(LAYOUTS[name].block)
    holder = block
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] *= 2
    compared, _ = headers(packed_folder(replace(LAYOUTS[name], block=block), tmp_path))
    first = next(comparison for comparison in compared if not comparison.holds)
    assert first.measure in ("part_shape", "quantization_bits")
    assert path[-1] in f"{first.place} {first.note}"


def test_a_block_size_that_lies_is_seen_by_the_grid_of_scales(tmp_path: Path) -> None:
    layout = LAYOUTS["fp8-block"]
    lying = replace(layout, block={**layout.block, "weight_block_size": [64, 64]})
    compared, _ = headers(packed_folder(lying, tmp_path))
    first = next(comparison for comparison in compared if not comparison.holds)
    assert (first.measure, first.expected, first.observed) == ("part_shape", [4, 8], [2, 4])
    assert "weight_block_size.0 128" in str(first.note)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_configuration_over_plain_weights_is_false(tmp_path: Path, name: str) -> None:
    compared, _ = headers(packed_folder(LAYOUTS[name], tmp_path, plain))
    assert violated(compared) == {"quantization_declared"}


@pytest.mark.parametrize("name", LAYOUTS)
def test_packed_weights_that_no_configuration_declares_are_false_where_readers_go_by_it(
    tmp_path: Path, name: str
) -> None:
    layout = LAYOUTS[name]
    folder = packed_folder(layout, tmp_path, declare=lambda config: config.pop(layout.key, None))
    if layout.file != "config.json":
        (folder / layout.file).unlink()
    compared, gaps = headers(folder)
    assert violated(compared) == (set() if name in SELF_DESCRIBED else {"quantization_declared"})
    assert gaps or name not in SELF_DESCRIBED
    (folder / "config.json").unlink()
    compared, gaps = headers(folder)
    assert (violated(compared), bool(gaps)) == (set(), True)


LISTS = {
    "ct-int4": "ignore",
    "fp8-block": "modules_to_not_convert",
    "fbgemm": "modules_to_not_convert",
    "awq-gemm": "modules_to_not_convert",
    "bnb-nf4": "llm_int8_skip_modules",
    "modelopt-nvfp4-config": "ignore",
    "quark-fp8": "exclude",
    "hqq": "skip_modules",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_module_on_the_list_of_those_left_alone_is_not_packed(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    listed = replace(layout, block={**layout.block, LISTS[name]: ["lm_head", DOWN]})
    compared, _ = headers(packed_folder(listed, tmp_path / "a"))
    (bad,) = [comparison for comparison in compared if not comparison.holds]
    assert (bad.measure, bad.place.tensor) == ("module_ignored", DOWN)
    assert LISTS[name] in str(bad.place) and "ignore list" in str(bad.note)
    honest = packed_folder(listed, tmp_path / "b", lambda m, parts: plain(m, parts) if m == DOWN else parts)
    assert not violated(headers(honest)[0])


@pytest.mark.parametrize("name", [name for name in LISTS if name != "hqq"])
def test_a_linear_layer_that_no_list_names_is_packed(tmp_path: Path, name: str) -> None:
    folder = packed_folder(LAYOUTS[name], tmp_path, lambda m, parts: plain(m, parts) if m == DOWN else parts)
    compared, _ = headers(folder)
    (bad,) = [comparison for comparison in compared if not comparison.holds]
    assert (bad.measure, bad.place.tensor, bad.observed) == ("module_packed", DOWN, "BF16")


@pytest.mark.parametrize("name", ["mlx-4", "hqq", "torchao"])
def test_readers_that_go_by_what_is_there_let_a_linear_layer_be_plain(tmp_path: Path, name: str) -> None:
    folder = packed_folder(LAYOUTS[name], tmp_path, lambda m, parts: plain(m, parts) if m == DOWN else parts)
    assert not violated(headers(folder)[0])


@pytest.mark.parametrize(
    ("entry", "hit"),
    [("re:.*down_proj$", True), ("re:.*[0-9]+[.]mlp[.]gate$", False), ("re:(a+)+$", None), ("re:[", None)],
)
def test_expressions_of_a_list_are_evaluated_where_their_cost_is_bounded(
    tmp_path: Path, entry: str, hit: bool | None
) -> None:
    layout = LAYOUTS["ct-int4"]
    listed = replace(layout, block={**layout.block, "ignore": ["lm_head", entry]})
    compared, gaps = headers(packed_folder(listed, tmp_path))
    assert violated(compared) == ({"module_ignored"} if hit else set())
    assert bool(gaps) == (hit is None)


def test_settings_of_single_modules_count_before_those_of_all(tmp_path: Path) -> None:
    layout, wide = LAYOUTS["mlx-4"], LAYOUTS["mlx-6"].parts(256, 512)
    own = replace(layout, block={**layout.block, DOWN: {"bits": 6, "group_size": 32}, Q: False})
    change: Change = lambda m, parts: wide if m == DOWN else plain(m, parts) if m == Q else parts  # noqa: E731
    assert not violated(headers(packed_folder(own, tmp_path / "a", change))[0])
    assert "part_shape" in violated(headers(packed_folder(own, tmp_path / "b"))[0])


def test_a_layout_that_the_configuration_does_not_declare_is_false(tmp_path: Path) -> None:
    other = LAYOUTS["bnb-nf4"].parts(256, 512)
    folder = packed_folder(LAYOUTS["awq-gemm"], tmp_path, on(DOWN, lambda _: other))
    compared, _ = headers(folder)
    assert violated(compared) == {"storage_layout"}


def test_a_plain_copy_beside_the_packed_parts_is_seen(tmp_path: Path) -> None:
    folder = packed_folder(LAYOUTS["awq-gemm"], tmp_path, on(DOWN, lambda p: {**p, ".weight": ("BF16", (256, 512))}))
    assert violated(headers(folder)[0]) == {"weight_once"}


def test_the_state_of_a_weight_and_the_configuration_agree(tmp_path: Path) -> None:
    layout = LAYOUTS["bnb-nf4"]
    lying = replace(layout, block={**layout.block, "bnb_4bit_quant_type": "fp4"})
    assert violated(headers(packed_folder(lying, tmp_path))[0]) == {"state_agrees"}


@pytest.mark.parametrize("state", [b"", b"{", b"[" * 60_000, b'{"shape": [-1, 2]}', b'{"shape": [1e400, 2]}', b"\xff"])
def test_a_state_that_cannot_be_read_leaves_shapes_to_the_family(tmp_path: Path, state: bytes) -> None:
    end = ".weight.quant_state.bitsandbytes__nf4"
    folder = packed_folder(
        LAYOUTS["bnb-nf4"], tmp_path, on(DOWN, lambda parts: {**parts, end: Stored("U8", (len(state),), state)})
    )
    for gate in (PARTS, COVERAGE, LAYOUT):
        assert not violated(yielded(gate, folder)[0])


def test_a_stored_shape_that_is_not_the_familys_is_seen_at_its_gate(tmp_path: Path) -> None:
    folder = packed_folder(
        LAYOUTS["ct-int4"], tmp_path, on(DOWN, lambda parts: {**parts, ".weight_shape": numbers(512, 256)})
    )
    assert violated(yielded(LAYOUT, folder)[0]) == {"shape"}


def test_two_configurations_of_one_folder_agree(tmp_path: Path) -> None:
    folder = packed_folder(LAYOUTS["modelopt-nvfp4-config"], tmp_path)
    path = folder / "hf_quant_config.json"
    path.write_text(json.dumps({"quantization": {"quant_algo": "NVFP4", "group_size": 16}}), "utf-8")
    assert not violated(headers(folder)[0])
    path.write_text(json.dumps({"quantization": {"quant_algo": "FP8"}}), "utf-8")
    assert violated(headers(folder)[0]) == {"configurations_agree"}


def test_a_method_that_nothing_knows_is_not_proven(tmp_path: Path) -> None:
    layout = replace(LAYOUTS["awq-gemm"], block={"quant_method": "tomorrow"})
    compared, gaps = headers(packed_folder(layout, tmp_path))
    assert (violated(compared), bool(gaps)) == (set(), True)


def test_plain_models_owe_nothing() -> None:
    with pytest.raises(Skip, match="no configuration declares packed weights"):
        headers(QWEN2)


@pytest.mark.parametrize("name", ["ct-int4", "awq-gemm", "bnb-nf4", "mlx-4", "fp8-block"])
def test_a_pair_with_a_packed_side_is_paired_weight_by_weight(tmp_path: Path, name: str) -> None:
    folder = packed_folder(LAYOUTS[name], tmp_path)
    for gate in (PAIR_SHAPES, PAIR_TYPES):
        compared, _ = yielded(gate, folder, QWEN2)
        assert DOWN + ".weight" in {comparison.place.tensor for comparison in compared}
        assert not violated(compared)


EXPERTS = {
    "mxfp4": ({"quant_method": "mxfp4"}, {"_blocks": ("U8", (4, 64, 8, 16)), "_scales": ("U8", (4, 64, 8))}),
    "fp8": (
        {"quant_method": "fp8", "weight_block_size": [32, 32]},
        {"": ("F8_E4M3", (4, 64, 256)), "_scale_inv": ("F32", (4, 2, 8))},
    ),
    "fbgemm": ({"quant_method": "fbgemm_fp8"}, {"": ("F8_E4M3", (4, 64, 256)), "_scale": ("F32", (4, 1, 256))}),
}


@pytest.mark.parametrize("name", EXPERTS)
def test_stacked_experts_without_a_family_are_held_by_their_own_parts(tmp_path: Path, name: str) -> None:
    block, parts = EXPERTS[name]
    folder = packed_folder(LAYOUTS["awq-gemm"], tmp_path, plain)
    with json_of(folder / "config.json") as config:
        config |= {"architectures": ["NobodyForCausalLM"], "model_type": "nobody", "quantization_config": block}
    with safetensors_of(folder / "model.safetensors") as tensors:
        for end, (dtype, shape) in parts.items():
            tensors[f"model.layers.0.mlp.experts.gate_up_proj{end}"] = zeros(dtype, shape)
    compared, _ = headers(folder)
    assert {"part_type", "part_shape"} <= {comparison.measure for comparison in compared}
    assert not violated(compared)
    last = list(parts)[-1]
    with safetensors_of(folder / "model.safetensors") as tensors:
        dtype, shape = parts[last]
        tensors[f"model.layers.0.mlp.experts.gate_up_proj{last}"] = zeros(dtype, (*shape[:-1], shape[-1] * 2))
    assert violated(headers(folder)[0]) == {"part_shape"}
