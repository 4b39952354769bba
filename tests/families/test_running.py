"""A GGUF alone, without a config.json, is its class of transformers: the same numbers as its folder, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.anatomy.declared.built_config import built
from model_contracts.anatomy.declared.built_rope import NotDeclared, from_factors, llama3_factors
from model_contracts.anatomy.view import View
from model_contracts.definitions import load_families
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.formats.opening import open_artifact
from model_contracts.runtimes.interface import Refused
from support.family_files import FOLDER
from support.gguf_models import GgufModel, read_gguf_model

#: What the folder declares and llama.cpp has no key for: the GGUF is another function, and llama.cpp computes that one.
OTHER = {"mistral_window", "llama4_text"}
#: Its folder is in MXFP4, which transformers loads with another package, or has names that its class does not load.
UNREAD = {"gpt_oss", "bitnet"}
NAMES = sorted(path.stem for path in FOLDER.glob("*.gguf") if "-" not in path.stem) if FOLDER.is_dir() else []

needs_families = pytest.mark.skipif(not NAMES, reason="no folder ../shared/families beside the repository")
transformers = pytest.mark.skipif(
    find_spec("transformers") is None or find_spec("torch") is None, reason="transformers or torch is not installed"
)


def logits(path: Path) -> np.ndarray:
    """Of random tokens, in float32 on the CPU."""
    import torch

    from model_contracts.runtimes.transformers.loading import load

    ids = np.random.default_rng(1).integers(3, 470, 80)
    model = load(open_artifact(path))
    found: np.ndarray = model(input_ids=torch.from_numpy(ids)[None]).logits[0].numpy()
    return found


@needs_families
@transformers
@pytest.mark.parametrize("name", NAMES)
def test_a_gguf_alone_gives_the_numbers_of_its_folder(name: str) -> None:
    family = View(open_artifact(FOLDER / f"{name}.gguf"), load_families()).family
    if family is None or not family.runs_without_config:
        pytest.skip(f"no causal class of transformers is known for {name}")
    alone = logits(FOLDER / f"{name}.gguf")
    assert np.isfinite(alone).all()
    if name not in UNREAD:
        apart = float(np.abs(alone - logits(FOLDER / name)).max())
        assert (apart > 0.1) if name in OTHER else (apart < 1e-5)


def edited(folder: Path, name: str, edit: Callable[[GgufModel], Any]) -> Path:
    """A GGUF of ../shared/families with other keys or tensors."""
    model = read_gguf_model(FOLDER / f"{name}.gguf")
    edit(model)
    return Path(model.write(folder / f"{name}.gguf"))


def config(path: Path) -> dict[str, Any]:
    return built(View(open_artifact(path), load_families()))


@needs_families
@pytest.mark.parametrize(
    ("name", "key", "said"),
    [
        ("llama_spm", "llama.attention.layer_norm_rms_epsilon", "rms_norm_eps"),
        ("mixtral", "llama.expert_used_count", "num_experts_per_tok"),
        ("t5", "t5.attention.relative_buckets_count", "relative_attention_num_buckets"),
    ],
)
def test_what_a_file_owes_and_does_not_say_is_refused_by_name(name: str, key: str, said: str, tmp_path: Path) -> None:
    assert config(FOLDER / f"{name}.gguf")["model_type"]
    with pytest.raises(NotDeclared, match=f"does not say {said} .*{key.rpartition('.')[2]}"):
        config(edited(tmp_path, name, lambda model: model.__delitem__(key)))


@needs_families
@transformers
def test_a_tensor_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    for name, tensor in (("qwen3", "blk.1.attn_k_norm.weight"), ("gpt_neox", "blk.0.attn_qkv.weight")):
        with pytest.raises(Refused, match=r"the artifact lacks 1 of the tensors"):
            logits(edited(tmp_path, name, lambda model, tensor=tensor: model.tensors.pop(tensor)))


@needs_families
@transformers
def test_factors_of_another_length_than_the_frequencies_are_refused(tmp_path: Path) -> None:
    def halved(model: GgufModel) -> None:
        model["llama.attention.key_length"] = model["llama.attention.value_length"] = 16

    with pytest.raises((Refused, NotDeclared)):
        logits(edited(tmp_path, "llama32", halved))


@needs_families
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lfm2", {"layer_types": ["conv", "conv", "full_attention", "conv"], "num_key_value_heads": 2}),
        ("falcon_new", {"new_decoder_architecture": True, "num_ln_in_parallel_attn": 2}),
        ("falcon_old", {"new_decoder_architecture": False, "num_ln_in_parallel_attn": 1}),
        ("t5", {"feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu_new"}),
        ("phi3", {"sliding_window": None, "pad_token_id": None}),
        ("stablelm", {"partial_rotary_factor": 0.25}),
        ("mpt", {"expansion_ratio": 4}),
        ("glm4_moe", {"n_routed_experts": 4, "n_group": 1, "scoring_func": "sigmoid"}),
    ],
)
def test_tensors_layers_and_silence_say_what_no_key_says(name: str, expected: dict[str, Any]) -> None:
    said = config(FOLDER / f"{name}.gguf")
    assert {key: said.get(key) for key in expected} == expected


def test_factors_of_a_published_scaling_are_known_again_and_others_are_refused() -> None:
    values = llama3_factors(500000.0, 64, 8.0, 1.0, 4.0, 8192)
    found = from_factors(values, 500000.0, 64)
    assert (found["factor"], found["original_max_position_embeddings"]) == (8.0, 8192)
    for other in (values[::-1].copy(), np.full(32, np.nan), np.zeros(32)):
        with pytest.raises(NotDeclared, match=r"rope_freqs\.weight holds factors of no published scaling"):
            from_factors(other, 500000.0, 64)


@needs_families
def test_an_encoder_owes_no_distribution_of_a_next_token() -> None:
    gates = ("F-CONTRACT-I1-002", "F-GOLDEN-RULE-001")
    found, _ = check(CheckRequest((FOLDER / "bert.gguf",), against=FOLDER / "bert", contract="inference", only=gates))
    assert {one.gate_id: (one.outcome.value, one.skip_cause) for one in found} == dict.fromkeys(
        gates, ("Skipped", "not_owed")
    )


@needs_families
@transformers
def test_ternarised_weights_are_computed_with_as_they_stand() -> None:
    """Nothing undoes them, and nothing has to: they are weights of the class."""
    from model_contracts.runtimes.transformers.weights import tensors
    from support.family_files import gguf_values

    path = FOLDER / "bitnet.gguf"
    if not path.is_file():
        pytest.skip("no bitnet.gguf beside the repository")
    built_in = tensors(View(open_artifact(path), load_families()))["model.layers.1.mlp.down_proj.weight"]
    assert np.array_equal(built_in, gguf_values(path)[0]["blk.1.ffn_down.weight"])
