"""A file is read by the names it has: Meta's own, MLX's stacked experts, older GGUF files. A wrong one is Falsified."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.outcome import Verdict
from support.family_files import FOLDER

NAMES, PAIRED, VALUES = "G0-TENSOR-001", "F-CONTRACT-I2-001", "F-CONTRACT-I4-002"
META = {
    "model.embed_tokens": "tok_embeddings", "lm_head": "output", "model.norm": "norm",
    "input_layernorm": "attention_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk", "self_attn.v_proj": "attention.wv", "self_attn.o_proj": "attention.wo",
    "mlp.gate_proj": "feed_forward.w1", "mlp.down_proj": "feed_forward.w2", "mlp.up_proj": "feed_forward.w3",
}  # fmt: skip
Tensors = dict[str, Any]


@pytest.fixture(autouse=True)
def _files() -> None:
    for package in ("torch", "safetensors", "gguf"):
        pytest.importorskip(package)
    if not FOLDER.is_dir():
        pytest.skip("no folder ../shared/families beside the repository")


def outcomes(target: Path, source: Path) -> dict[str, Verdict]:
    evidence, _ = check(CheckRequest((target,), against=source))
    return {one.gate_id: one.outcome for one in evidence}


def rewritten(name: str, to: Path, change: Callable[[Tensors], Tensors]) -> Path:
    """A copy of a folder with other tensors."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(FOLDER / name, to, copy_function=shutil.copyfile)
    save_file(change(load_file(to / "model.safetensors")), to / "model.safetensors")
    return to


def _metas(name: str) -> str:
    for theirs, ours in META.items():
        name = name.replace(theirs, ours)
    return name.removeprefix("model.")


def in_metas_names(heads: dict[str, int]) -> Callable[[Tensors], Tensors]:
    def change(tensors: Tensors) -> Tensors:
        found = {}
        for name, value in tensors.items():
            which = re.search(r"\.([qk])_proj", name)
            count = heads.get(which[1]) if which is not None else None
            rows = value if count is None else value.reshape(count, 2, -1, value.shape[1]).transpose(1, 2)
            found[_metas(name)] = rows.reshape(value.shape).contiguous()
        return found

    return change


def stacked(order: slice) -> Callable[[Tensors], Tensors]:
    def change(tensors: Tensors) -> Tensors:
        import torch

        found, experts = {}, dict[str, dict[int, Any]]()
        for name, value in tensors.items():
            one = re.fullmatch(r"(.*\.mlp)\.experts\.(\d+)\.(\w+)\.weight", name)
            if one is None:
                found[name] = value
            else:
                experts.setdefault(f"{one[1]}.switch_mlp.{one[3]}.weight", {})[int(one[2])] = value
        for name, each in experts.items():
            found[name] = torch.stack([each[index] for index in sorted(each)][order])
        return found

    return change


def test_metas_names_have_rows_as_gguf_has_them(tmp_path: Path) -> None:
    meta = rewritten("llama_spm", tmp_path / "meta", in_metas_names({"q": 4, "k": 2}))
    seen = outcomes(FOLDER / "llama_spm.gguf", meta)
    assert {seen[gate] for gate in (NAMES, PAIRED, VALUES)} == {Verdict.CORROBORATED}
    wrong = rewritten("llama_spm", tmp_path / "wrong", in_metas_names({}))
    assert outcomes(FOLDER / "llama_spm.gguf", wrong)[VALUES] is Verdict.FALSIFIED
    assert outcomes(wrong, FOLDER / "llama_spm")[VALUES] is Verdict.FALSIFIED


def test_experts_stacked_by_mlx_are_those_of_the_folder(tmp_path: Path) -> None:
    mlx = rewritten("qwen2_moe", tmp_path / "mlx", stacked(slice(None)))
    seen = outcomes(mlx, FOLDER / "qwen2_moe")
    assert {seen[gate] for gate in (NAMES, PAIRED, VALUES)} == {Verdict.CORROBORATED}
    wrong = rewritten("qwen2_moe", tmp_path / "wrong", stacked(slice(None, None, -1)))
    assert outcomes(wrong, FOLDER / "qwen2_moe")[VALUES] is Verdict.FALSIFIED


def gguf_with(name: str, to: Path, change: Callable[[dict[str, Any]], Iterator[tuple[str, np.ndarray, Any]]]) -> Path:
    """A GGUF with the keys of another and other tensors."""
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    reader = GGUFReader(FOLDER / name)
    writer = GGUFWriter(to, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        if field.types[0] is GGUFValueType.ARRAY:
            writer.add_array(key, field.contents())
        else:
            writer.add_key_value(key, field.contents(), field.types[0])
    for tensor, values, kind in change({tensor.name: tensor for tensor in reader.tensors}):
        writer.add_tensor(tensor, np.ascontiguousarray(values), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return to


@pytest.mark.parametrize("turned", [False, True], ids=["honest", "experts in another order"])
def test_an_old_mixtral_has_a_tensor_for_each_expert(turned: bool, tmp_path: Path) -> None:
    def apart(tensors: dict[str, Any]) -> Iterator[tuple[str, np.ndarray, Any]]:
        for name, tensor in tensors.items():
            one = re.fullmatch(r"blk\.(\d+)\.ffn_(\w+)_exps\.weight", name)
            if one is None:
                yield name, tensor.data, tensor.tensor_type
            else:
                for index, values in enumerate(tensor.data[::-1] if turned else tensor.data):
                    yield f"blk.{one[1]}.ffn_{one[2]}.{index}.weight", values, tensor.tensor_type

    seen = outcomes(gguf_with("mixtral.gguf", tmp_path / "old.gguf", apart), FOLDER / "mixtral")
    assert {seen[NAMES], seen[PAIRED]} == {Verdict.CORROBORATED}
    assert seen[VALUES] is (Verdict.FALSIFIED if turned else Verdict.CORROBORATED)


@pytest.mark.parametrize("turned", [False, True], ids=["honest", "keys behind values"])
def test_an_old_deepseek_has_keys_and_values_in_one_matrix(turned: bool, tmp_path: Path) -> None:
    def whole(tensors: dict[str, Any]) -> Iterator[tuple[str, np.ndarray, Any]]:
        for name, tensor in tensors.items():
            if "attn_k_b" in name:
                keys, values = tensor.data.view(np.uint16), tensors[name.replace("_k_b", "_v_b")].data.view(np.uint16)
                parts = [keys.swapaxes(1, 2), values]
                both = np.concatenate(parts[::-1] if turned else parts, 1)
                rows = np.ascontiguousarray(both.reshape(-1, both.shape[-1]))
                yield name.replace("attn_k_b", "attn_kv_b"), rows.view(np.uint8), tensor.tensor_type
            elif "attn_v_b" not in name:
                yield name, tensor.data, tensor.tensor_type

    seen = outcomes(gguf_with("deepseek_v2.gguf", tmp_path / "old.gguf", whole), FOLDER / "deepseek_v2")
    assert {seen[NAMES], seen[PAIRED]} == {Verdict.CORROBORATED}
    assert seen[VALUES] is (Verdict.FALSIFIED if turned else Verdict.CORROBORATED)
