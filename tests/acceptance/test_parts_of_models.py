"""What is no whole model is recognised by what it holds, owes what its kind owes, and is held to that."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases.gates import CONFIG, FAMILY, FINITE, LAYOUT, TIED, TOKENIZER
from cases.interface import QWEN2, QWEN2_Q4_K_M
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.formats.interface import Unreadable
from model_contracts.outcome import Outcome, Verdict
from support.gguf_files import F32, STRING, U32, array_info, file_bytes, pair
from support.gguf_models import read_gguf_model
from support.mutations import Stored, stored, write_safetensors

Edit = Callable[[dict[str, Any]], None]
MODULE = "base_model.model.model.layers.{n}.self_attn.{m}_proj"


def outcomes(path: Path, against: Path | None = None) -> tuple[dict[str, Outcome], int]:
    evidence, run = check(CheckRequest((path,), against=against))
    return {o.gate_id: o for o in evidence}, run.decision.exit_code


def red(path: Path) -> dict[str, tuple[str, Any]]:
    """Gate to measure and observed value of its first violated comparison."""
    found, code = outcomes(path)
    falsified = {gate: o for gate, o in found.items() if o.outcome is Verdict.FALSIFIED}
    assert code == (1 if falsified else code)
    first = {gate: next(c for c in o.comparisons if not c.holds) for gate, o in falsified.items()}
    return {gate: (comparison.measure, comparison.observed) for gate, comparison in first.items()}


def values(*shape: int) -> Stored:
    return stored(np.random.default_rng(len(shape)).normal(size=shape), "F32")


def adapter(folder: Path, edit: Edit = lambda parts: None, **changes: Any) -> Path:
    """A PEFT adapter of rank 4 on two modules of two layers, as save_pretrained writes it."""
    parts: dict[str, Any] = {}
    for layer in range(2):
        for module, out in (("q", 64), ("v", 32)):
            name = MODULE.format(n=layer, m=module)
            parts[f"{name}.lora_A.weight"], parts[f"{name}.lora_B.weight"] = values(4, 64), values(out, 4)
    edit(parts)
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], **changes}
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    write_safetensors(folder / "adapter_model.safetensors", parts, {"format": "pt"})
    return folder


def gguf_part(path: Path, keys: dict[str, str | float], tensors: dict[str, tuple[int, ...]]) -> Path:
    kinds = {str: STRING, int: U32, float: F32}
    pairs = [pair(key, kinds[type(value)], value) for key, value in keys.items()]
    random = np.random.default_rng(1)
    infos = [array_info(name, random.normal(size=shape)) for name, shape in tensors.items()]
    path.write_bytes(file_bytes(pairs, infos))
    return path


LORA_KEYS: dict[str, str | float] = {
    "general.architecture": "llama",
    "general.type": "adapter",
    "adapter.type": "lora",
    "adapter.lora.alpha": 16.0,
}
LORA_TENSORS = {"blk.0.attn_q.weight.lora_a": (4, 64), "blk.0.attn_q.weight.lora_b": (64, 4)}
CLIP: dict[str, str | float] = {"general.architecture": "clip", "general.type": "mmproj"}


def test_an_adapter_with_both_halves_of_every_factor_is_kept_and_owes_no_tokenizer(tmp_path: Path) -> None:
    found, code = outcomes(adapter(tmp_path / "adapter"))
    assert code == 0, {gate: o.reason for gate, o in found.items() if o.outcome is Verdict.SKIPPED}
    assert found[FAMILY].compared == 8  # that it holds tensors, four pairs, the scale, two listed modules
    assert found[TOKENIZER].skip_cause == found[TIED].skip_cause == "not_owed"
    assert "an adapter (adapter_config.json · peft_type)" in found[TOKENIZER].reason


def _lose(name: str) -> Edit:
    return lambda parts: parts.pop(name) and None


@pytest.mark.parametrize(
    ("edit", "changes", "expected"),
    [
        (_lose(MODULE.format(n=1, m="q") + ".lora_B.weight"), {}, {FAMILY: ("lora_pair", "half B is missing")}),
        (
            lambda parts: parts.update({MODULE.format(n=0, m="q") + ".lora_B.weight": values(64, 8)}),
            {},
            {LAYOUT: ("lora_rank", [64, 8])},
        ),
        (lambda parts: None, {"r": 8}, {CONFIG: ("lora_rank", 4)}),
        (lambda parts: None, {"rank_pattern": {"q_proj": 4}, "r": 16}, {CONFIG: ("lora_rank", 4)}),
        (lambda parts: None, {"use_dora": True}, {FAMILY: ("dora_magnitude", "missing")}),
        (lambda parts: None, {"lora_alpha": 0}, {FAMILY: ("lora_alpha", 0)}),
        (lambda parts: None, {"modules_to_save": ["lm_head"]}, {FAMILY: ("module_saved", "none of them")}),
    ],
    ids=["half-lost", "ranks-differ", "other-rank", "rank-pattern", "no-magnitudes", "no-scale", "no-module-saved"],
)
def test_a_broken_adapter_is_falsified_where_it_is_broken(
    edit: Edit, changes: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    assert red(adapter(tmp_path / "adapter", edit, **changes)) == expected


@pytest.mark.parametrize(
    "changes",
    [{"rank_pattern": {"[qv]_proj": 4}, "r": 16}, {"modules_to_save": ["lm_head"]}, {"peft_type": "LOHA"}],
    ids=["rank-pattern", "module-saved", "another-kind"],
)
def test_an_adapter_of_another_make_is_not_falsified(changes: dict[str, Any], tmp_path: Path) -> None:
    whole = {"base_model.model.lm_head.weight": values(100, 64)} if "modules_to_save" in changes else {}
    _, code = outcomes(adapter(tmp_path / "adapter", lambda parts: parts.update(whole), **changes))
    assert code == (3 if changes.get("peft_type") == "LOHA" else 0)


def ia3(folder: Path, edit: Edit = lambda parts: None, **changes: Any) -> Path:
    """An (IA)^3 adapter: what a key projection writes is scaled, and what the MLP's last matrix reads."""
    parts: dict[str, Any] = {}
    for layer in range(2):
        for name in ("k_proj", "v_proj"):
            parts[f"base_model.model.model.layers.{layer}.self_attn.{name}.ia3_l"] = values(32, 1)
        parts[f"base_model.model.model.layers.{layer}.mlp.down_proj.ia3_l"] = values(1, 128)
    edit(parts)
    modules = {"target_modules": ["k_proj", "v_proj", "down_proj"], "feedforward_modules": ["down_proj"]}
    return peft(folder, parts, {"peft_type": "IA3"} | modules | changes)


def prompts(folder: Path, kind: str, shape: tuple[int, ...], name: str = "prompt_embeddings", **changes: Any) -> Path:
    """An adapter of prompt learning: 8 virtual tokens for a model of 2 layers, 64 wide."""
    config = {
        "peft_type": kind, "num_virtual_tokens": 8, "token_dim": 64, "num_layers": 2, "num_transformer_submodules": 1,
    }  # fmt: skip
    return peft(folder, {name: values(*shape)}, config | changes)


def peft(folder: Path, parts: dict[str, Any], config: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    write_safetensors(folder / "adapter_model.safetensors", parts, {"format": "pt"})
    return folder


def test_adapters_of_the_other_known_kinds_are_kept(tmp_path: Path) -> None:
    made = [
        ia3(tmp_path / "ia3"),
        prompts(tmp_path / "prompt", "PROMPT_TUNING", (8, 64)),
        prompts(tmp_path / "seq2seq", "PROMPT_TUNING", (16, 64), num_transformer_submodules=2),
        prompts(tmp_path / "p-tuning", "P_TUNING", (8, 64)),
        prompts(tmp_path / "prefix", "PREFIX_TUNING", (8, 256)),
    ]
    for path in made:
        found, code = outcomes(path)
        skipped = {gate: o.reason for gate, o in found.items() if o.outcome is Verdict.SKIPPED}
        assert code == 0, (path, skipped)


def test_broken_adapters_of_the_other_known_kinds_are_falsified(tmp_path: Path) -> None:
    vector = "base_model.model.model.layers.0.self_attn.k_proj.ia3_l"
    turned = ia3(tmp_path / "turned", lambda parts: parts.update({vector: values(1, 32)}))
    assert red(turned) == {CONFIG: ("shape", [1, 32])}
    square = ia3(tmp_path / "square", lambda parts: parts.update({vector: values(32, 2)}))
    assert red(square)[LAYOUT] == ("shape", [32, 2])
    assert red(prompts(tmp_path / "few", "PROMPT_TUNING", (7, 64))) == {CONFIG: ("shape", [7, 64])}
    assert red(prompts(tmp_path / "narrow", "P_TUNING", (8, 32))) == {CONFIG: ("shape", [8, 32])}
    assert red(prompts(tmp_path / "layer-lost", "PREFIX_TUNING", (8, 128))) == {CONFIG: ("shape", [8, 128])}
    assert red(prompts(tmp_path / "named", "P_TUNING", (8, 64), "embeddings"))[FAMILY] == ("adapter_tensor", None)
    assert red(adapter(tmp_path / "lora", peft_type="IA3"))[FAMILY] == ("adapter_tensor", None)


def test_an_adapter_whose_config_declares_no_size_is_not_proven(tmp_path: Path) -> None:
    found, code = outcomes(prompts(tmp_path / "prompt", "PROMPT_TUNING", (8, 64), token_dim=None))
    assert (code, found[CONFIG].outcome) == (3, Verdict.SKIPPED)
    lost = "base_model.model.model.layers.1.self_attn.k_proj.ia3_l"
    found, code = outcomes(ia3(tmp_path / "lost", lambda parts: parts.pop(lost) and None))
    assert (code, found[FAMILY].outcome) == (3, Verdict.SKIPPED)


def test_a_model_that_calls_itself_an_adapter_is_held_to_what_an_adapter_owes(tmp_path: Path) -> None:
    model = read_gguf_model(QWEN2_Q4_K_M)
    model["general.type"] = "adapter"
    assert red(model.write(tmp_path / "model.gguf"))[FAMILY][0] == "tensor_known"


def test_an_adapter_in_gguf_is_kept_and_without_its_scale_falsified(tmp_path: Path) -> None:
    found, code = outcomes(gguf_part(tmp_path / "lora.gguf", LORA_KEYS, LORA_TENSORS))
    assert code == 0, {gate: o.reason for gate, o in found.items() if o.outcome is Verdict.SKIPPED}
    no_alpha = {key: value for key, value in LORA_KEYS.items() if key != "adapter.lora.alpha"}
    assert red(gguf_part(tmp_path / "no-alpha.gguf", no_alpha, LORA_TENSORS)) == {CONFIG: ("lora_alpha", None)}
    half = {"blk.0.attn_q.weight.lora_a": (4, 64)}
    assert red(gguf_part(tmp_path / "half.gguf", LORA_KEYS, half))[FAMILY] == ("lora_pair", "half B is missing")


def test_a_projector_with_a_layer_too_few_is_falsified_and_a_whole_one_is_not(tmp_path: Path) -> None:
    tensors = {f"v.blk.{layer}.attn_out.weight": (8, 32) for layer in range(3)}
    found, code = outcomes(gguf_part(tmp_path / "whole.gguf", CLIP | {"clip.vision.block_count": 3}, tensors))
    assert (code, [c for c in found[CONFIG].comparisons if not c.holds]) == (3, [])
    path = gguf_part(tmp_path / "short.gguf", CLIP | {"clip.vision.block_count": 4}, tensors)
    assert red(path) == {CONFIG: ("block_count", "no tensor of layer 3")}
    del tensors["v.blk.1.attn_out.weight"]
    path = gguf_part(tmp_path / "gap.gguf", CLIP | {"clip.vision.block_count": 3}, tensors)
    assert red(path) == {CONFIG: ("block_count", "no tensor of layer 1")}
    path = gguf_part(tmp_path / "none.gguf", CLIP | {"clip.audio.block_count": 0}, tensors)
    assert red(path) == {CONFIG: ("block_count", 0)}


def test_a_projector_whose_encoder_is_no_transformer_is_not_proven(tmp_path: Path) -> None:
    tensors = {"v.blk.0.0.conv_exp.weight": (8, 32)}
    _, code = outcomes(gguf_part(tmp_path / "mobile.gguf", CLIP | {"clip.vision.block_count": 128}, tensors))
    assert code == 3


def test_a_projector_without_any_tensor_is_falsified_and_one_with_tensors_is_not_proven(tmp_path: Path) -> None:
    assert red(gguf_part(tmp_path / "empty.gguf", CLIP, {})) == {FAMILY: ("tensor_present", "no tensor at all")}
    found, code = outcomes(gguf_part(tmp_path / "mmproj.gguf", CLIP, {"v.blk.0.attn_q.weight": (8, 32)}))
    assert code == 3
    assert "no family is shipped for a projector (general.architecture)" in found[FAMILY].reason
    assert found[TOKENIZER].skip_cause == "not_owed"


def test_the_values_of_a_projector_are_still_looked_at(tmp_path: Path) -> None:
    infos = [array_info("v.blk.0.attn_q.weight", np.full((8, 32), np.nan))]
    path = tmp_path / "mmproj.gguf"
    path.write_bytes(file_bytes([pair(key, STRING, value) for key, value in CLIP.items()], infos))
    assert red(path)[FINITE] == ("nonfinite_values", 256)


def test_an_importance_matrix_owes_a_count_to_every_sum(tmp_path: Path) -> None:
    keys: dict[str, str | float] = {"general.type": "imatrix"}
    sums = {"blk.0.ffn_up.weight.in_sum2": (1, 64), "blk.0.ffn_up.weight.counts": (1, 1)}
    found, code = outcomes(gguf_part(tmp_path / "imatrix.gguf", keys, sums))
    assert code == 0, {gate: o.reason for gate, o in found.items() if o.outcome is Verdict.SKIPPED}
    half = {"blk.0.ffn_up.weight.in_sum2": (1, 64)}
    assert red(gguf_part(tmp_path / "half.gguf", keys, half)) == {FAMILY: ("imatrix_pair", "missing")}


def test_an_importance_matrix_of_the_old_form_is_named(tmp_path: Path) -> None:
    name = b"blk.0.ffn_up.weight"
    (tmp_path / "imatrix.dat").write_bytes(struct.pack("<ii", 1, len(name)) + name + bytes(64))
    found, _ = outcomes(tmp_path / "imatrix.dat")
    assert "an importance matrix in llama.cpp's old form" in found["G0-CONTAINER-001"].reason


def test_a_vocabulary_owes_its_tokenizer_alone_and_proves_no_model_unless_its_name_says_so(tmp_path: Path) -> None:
    model = read_gguf_model(QWEN2_Q4_K_M)
    model.tensors.clear()
    found, code = outcomes(model.write(tmp_path / "ggml-vocab-qwen2.gguf"))
    assert code == 0, {gate: o.reason for gate, o in found.items() if o.outcome is Verdict.SKIPPED}
    assert found[TOKENIZER].outcome is Verdict.CORROBORATED
    found, code = outcomes(model.write(tmp_path / "tiny-qwen2.gguf"))
    assert (code, found[FAMILY].skip_cause) == (3, "incomplete")
    assert "a vocabulary alone, or a model that lost them all" in found[FAMILY].reason


def test_a_conversion_without_tensors_has_lost_them_unless_its_name_says_vocabulary(tmp_path: Path) -> None:
    model = read_gguf_model(QWEN2_Q4_K_M)
    model.tensors.clear()
    found, code = outcomes(model.write(tmp_path / "tiny-qwen2.gguf"), QWEN2)
    assert code == 1 and found["F-CONTRACT-I2-001"].violated == 50
    found, _ = outcomes(model.write(tmp_path / "ggml-vocab-qwen2.gguf"), QWEN2)
    assert found["F-CONTRACT-I2-001"].skip_cause == "not_owed"
    assert [gate for gate, o in found.items() if o.outcome is Verdict.FALSIFIED] == []


def test_an_adapter_is_held_against_another_adapter_and_to_the_model_that_it_is_for(tmp_path: Path) -> None:
    ours, theirs = adapter(tmp_path / "ours"), adapter(tmp_path / "theirs")
    assert outcomes(ours, theirs)[0]["F-CONTRACT-I4-002"].outcome is Verdict.CORROBORATED
    found, code = outcomes(ours, QWEN2)
    assert (code, found["F-CONTRACT-I2-001"].skip_cause) == (1, "not_owed")
    assert "adapter_place" in found["G0-ADAPTER-003"].reason  # it is 64 wide, and its base 256
    found, code = outcomes(gguf_part(tmp_path / "lora.gguf", LORA_KEYS, LORA_TENSORS), ours)
    assert code == 3 and "what a converter does to its tensors is not known" in found["F-CONTRACT-I2-001"].reason


def test_a_tokenizer_alone_is_kept_and_a_model_whose_weights_are_gone_is_refused(tmp_path: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(QWEN2 / name, tmp_path / name)
    found, code = outcomes(tmp_path)
    assert code == 0, {gate: o.reason for gate, o in found.items() if o.outcome is Verdict.SKIPPED}
    shutil.copy(QWEN2 / "config.json", tmp_path / "config.json")
    with pytest.raises(Unreadable, match="no model in this directory"):
        outcomes(tmp_path)


def test_the_dense_part_of_a_sentence_model_is_held_to_its_config(tmp_path: Path) -> None:
    config = {"in_features": 8, "out_features": 4, "bias": True, "activation_function": "torch.nn.Identity"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    parts = {"linear.weight": values(4, 8), "linear.bias": values(4)}
    write_safetensors(tmp_path / "model.safetensors", parts)
    assert outcomes(tmp_path)[1] == 0
    write_safetensors(tmp_path / "model.safetensors", {"linear.weight": values(8, 4)})
    assert red(tmp_path) == {
        FAMILY: ("tensor_present", "missing"),
        LAYOUT: ("shape", [8, 4]),
        CONFIG: ("shape", [8, 4]),
    }


def test_the_pooling_of_a_sentence_model_is_held_to_naming_a_mode(tmp_path: Path) -> None:
    config = {"word_embedding_dimension": 8, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert outcomes(tmp_path)[1] == 0
    (tmp_path / "config.json").write_text(json.dumps({**config, "pooling_mode_mean_tokens": False}))
    assert red(tmp_path) == {CONFIG: ("pooling_mode", None)}


def test_a_component_of_a_pipeline_is_not_proven_and_one_that_nothing_names_is_told(tmp_path: Path) -> None:
    unet = tmp_path / "unet"
    unet.mkdir()
    (unet / "config.json").write_text(json.dumps({"_class_name": "UNet2DConditionModel"}))
    write_safetensors(unet / "diffusion_pytorch_model.safetensors", {"conv_in.weight": values(4, 4, 3, 3)})
    found, code = outcomes(unet)
    assert code == 3 and "a component of a diffusers pipeline" in found[FAMILY].reason
    (tmp_path / "model_index.json").write_text("{}")
    found, code = outcomes(tmp_path)
    assert code == 3
    assert [gap.place.file for gap in found[CONFIG].uncompared] == ["unet/diffusion_pytorch_model.safetensors"]


def test_weights_without_any_config_are_compared_by_their_names(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "a" / "x.safetensors", tmp_path / "b" / "x.safetensors"
    for path in (ours, theirs):
        path.parent.mkdir()
        write_safetensors(path, {"encoder.weight": values(8, 8), "decoder.weight": values(4, 8)})
    found, _ = outcomes(ours, theirs)
    assert [o.gate_id for o in found.values() if o.outcome is Verdict.FALSIFIED] == []
    assert found["F-CONTRACT-I4-002"].outcome is found["F-CONTRACT-I2-001"].outcome is Verdict.CORROBORATED
    write_safetensors(ours, {"encoder.weight": values(8, 8)})
    found, code = outcomes(ours, theirs)
    assert code == 1 and found["F-CONTRACT-I2-001"].violated == 1


def _magnitudes(parts: dict[str, Any]) -> None:
    for name in [name for name in parts if name.endswith(".lora_B.weight")]:
        parts[name.replace("lora_B.weight", "lora_magnitude_vector")] = values(parts[name].shape[0])


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        (_magnitudes, {"use_dora": True}),
        (lambda parts: parts.update({"base_model.model.lm_head.weight": values(16, 64)}),
         {"modules_to_save": ["lm_head"]}),
        (lambda parts: parts.update({"base_model.model.score.weight": values(2, 64)}),
         {"modules_to_save": ["classifier", "score"]}),
        (lambda parts: None, {"target_modules": "all-linear", "use_rslora": True}),
    ],
    ids=["dora", "module-saved", "one-of-two-usual-heads", "all-linear"],
)  # fmt: skip
def test_an_honest_adapter_of_another_kind_is_kept(edit: Edit, changes: dict[str, Any], tmp_path: Path) -> None:
    found, code = outcomes(adapter(tmp_path / "adapter", edit, **changes))
    assert code == 0, {gate: o.reason for gate, o in found.items() if o.outcome is not Verdict.CORROBORATED}


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        (lambda parts: None, {"target_modules": ["q_proj", "v_proj", "o_proj"]}),
        (lambda parts: [parts.pop(f"{MODULE.format(n=1, m='v')}.lora_{half}.weight") for half in "AB"] and None, {}),
    ],
    ids=["a-module-listed-and-not-there", "both-halves-of-one-layer-lost"],
)
def test_a_factor_that_an_adapter_may_have_lost_is_not_proven(
    edit: Edit, changes: dict[str, Any], tmp_path: Path
) -> None:
    found, code = outcomes(adapter(tmp_path / "adapter", edit, **changes))
    assert code == 3
    assert found[FAMILY].skip_cause == "incomplete"


def test_a_control_vector_owes_no_tokenizer(tmp_path: Path) -> None:
    path = gguf_part(tmp_path / "v.gguf", {"general.architecture": "controlvector"}, {"direction.1": (64,)})
    found, code = outcomes(path)
    assert (code, found[TOKENIZER].skip_cause) == (3, "not_owed")


def _images(folder: Path, **config: Any) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["ViTModel"], "model_type": "vit", **config}))
    write_safetensors(folder / "model.safetensors", {"encoder.layer.0.dense.weight": values(16, 8)}, {"format": "pt"})
    return folder


def test_a_model_without_a_row_for_every_token_may_owe_no_tokenizer_and_one_with_them_owes_it(tmp_path: Path) -> None:
    found, _ = outcomes(_images(tmp_path / "images"))
    assert found[TOKENIZER].skip_cause == "incomplete"
    found, code = outcomes(_images(tmp_path / "words", vocab_size=16))
    assert (code, found[TOKENIZER].outcome) == (1, Verdict.FALSIFIED)
