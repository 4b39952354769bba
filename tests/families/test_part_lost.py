"""A fused tensor of the source of which one weight is lost is missing; an honest conversion misses nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model_contracts.anatomy.pairing.match import match
from model_contracts.anatomy.view import View
from model_contracts.definitions import load_families
from model_contracts.formats.opening import open_artifact
from support.family_files import FOLDER


@pytest.mark.parametrize(
    ("name", "lost", "fused"),
    [
        ("granitemoe", "blk.0.ffn_up_exps.weight", "model.layers.0.block_sparse_moe.input_linear.weight"),
        ("deepseek_v2", "blk.0.attn_v_b.weight", "model.layers.0.self_attn.kv_b_proj.weight"),
        ("qwen3_next", "blk.0.attn_gate.weight", "model.layers.0.linear_attn.in_proj_qkvz.weight"),
    ],
)
def test_a_weight_lost_out_of_a_fused_tensor_is_missing(name: str, lost: str, fused: str) -> None:
    if not FOLDER.is_dir():
        pytest.skip("no folder ../shared/families beside the repository")
    families, source = load_families(), open_artifact(FOLDER / name)
    honest = open_artifact(FOLDER / f"{name}.gguf")
    (container,) = honest.containers
    kept = replace(container, tensors=tuple(tensor for tensor in container.tensors if tensor.name != lost))
    for target, missing in ((honest, []), (replace(honest, containers=(kept,)), [fused])):
        found = match(View(target, families, source), View(source, families, target))
        assert [tensor.name for tensor in found.missing] == missing
