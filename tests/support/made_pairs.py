"""Makes a small pair of any shipped family out of the family itself: a Hugging Face folder and the GGUF that it owes.

Sizes are chosen so that no two orders of rows are the same; what a wrong conversion would hold is the same pair with
one thing of the family said otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.anatomy.families.hyperparameters import by_kinds, completed
from model_contracts.anatomy.families.stored_names import NotKnown, named
from model_contracts.containers import Convention
from model_contracts.family import Family
from model_contracts.layout import Stored as Leaf
from model_contracts.layout import stored as leaves
from support.family_files import value_of
from support.gguf_models import GgufModel
from support.mutations import stored, write_safetensors

#: One number for each hyper-parameter from which a shape follows.
SIZES: dict[str, int] = {
    "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "intermediate_size": 96, "vocab_size": 80, "max_position_embeddings": 48, "type_vocab_size": 2,
    "num_experts": 6, "n_routed_experts": 6, "moe_intermediate_size": 40, "shared_expert_intermediate_size": 32,
    "moe_shared_expert_intermediate_size": 32, "shared_intermediate_size": 32, "num_experts_per_tok": 2,
    "conv_kernel": 4, "state_size": 8, "time_step_rank": 8, "mamba_n_heads": 8, "mamba_num_heads": 8,
    "groups": 2, "mamba_head_dim": 8,
    "ssm_inner_size": 64, "mamba_d_head": 8,
    "kv_lora_rank": 16, "q_lora_rank": 24, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 12,
    "linear_num_key_heads": 2, "linear_num_value_heads": 6, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4, "laurel_rank": 8, "altup_num_inputs": 4, "hidden_size_per_layer_input": 8,
    "vocab_size_per_layer_input": 80, "relative_attention_num_buckets": 8, "decoder_layers": 4,
    "block_count": 4, "num_nextn_predict_layers": 0, "position_rows": 50, "pad_token_id": 1, "declared_size": 96,
}  # fmt: skip
_SOME = [0, 2, 0, 0]  # heads of keys and values: attention in the second layer alone
_MAMBA: dict[str, dict[str, Any]] = {
    "huggingface": {"layer_types": ["mamba", "attention", "mamba", "mamba"]}, "gguf": {"num_key_value_heads": _SOME},
}  # fmt: skip
_CONV: dict[str, dict[str, Any]] = {
    "huggingface": {"layer_types": ["conv", "full_attention", "conv", "conv"]}, "gguf": {"num_key_value_heads": _SOME},
}  # fmt: skip
_JAMBA: dict[str, dict[str, Any]] = {
    "huggingface": {"attn_layer_offset": 1, "attn_layer_period": 4}, "gguf": {"num_key_value_heads": _SOME},
}  # fmt: skip
_LETTERS: dict[str, dict[str, Any]] = {
    "huggingface": {"layers_block_type": ["mamba", "attention", "mlp", "mamba"]},
    "gguf": {"num_key_value_heads": _SOME, "sizes": [0, 0, 96, 0]},
}  # fmt: skip
_TIMES: dict[str, Any] = {
    "attention_in_multiplier": 1.25, "attention_out_multiplier": 0.75, "key_multiplier": 0.4,
    "ssm_in_multiplier": 1.5, "ssm_out_multiplier": 0.6, "ssm_multipliers": [0.5, 0.7, 0.9, 1.1, 1.3],
    "mlp_multipliers": [0.8, 1.2], "lm_head_multiplier": 0.3, "embedding_multiplier": 2.0,
}  # fmt: skip
_KINDS = ["linear_attention", "full_attention", "linear_attention", "linear_attention"]
_WINDOWS = ["sliding_attention", "full_attention", "sliding_attention", "sliding_attention"]
#: What one side alone declares, or declares otherwise: which layers are of which kind.
OTHERS: dict[str, dict[str, dict[str, Any]]] = {
    "families/granite_hybrid": _MAMBA, "families/granite_hybrid_moe": _MAMBA, "families/lfm2": _CONV,
    "families/lfm2_moe": _CONV, "families/nemotron_h": _LETTERS,
    "families/jamba_dense": _JAMBA,
    "families/gemma4": {
        "huggingface": {"layer_types": _WINDOWS, "sliding_head_dim": 16, "global_head_dim": 24},
        "gguf": {"layer_types": [True, False, True, True], "sliding_head_dim": 16, "global_head_dim": 24},
    },
    "families/kimi_linear": {
        "huggingface": {"layer_types": _KINDS, "linear_head_dim": 16, "mlp_layer_types": ["dense"] + ["sparse"] * 3},
        "gguf": {"latent_key_value_heads": [0, 1, 0, 0], "linear_head_dim": 16, "first_k_dense_replace": 1},
    },
    "families/mimo_v2_flash": {
        "huggingface": {"layer_types": _WINDOWS, "full_key_value_heads": 2, "first_k_dense_replace": 1},
        "gguf": {"num_key_value_heads": [4, 2, 4, 4], "first_k_dense_replace": 1},
    },
    "families/falcon_h1": {"huggingface": _TIMES, "gguf": _TIMES},
    "families/nemotron_h_moe": _LETTERS | {
        "huggingface": {"layers_block_type": ["mamba", "attention", "moe", "mamba"]},
    },
    "families/jamba": _JAMBA | {
        "huggingface": _JAMBA["huggingface"] | {"expert_layer_offset": 1, "expert_layer_period": 2},
    },
}  # fmt: skip
#: Keys of config.json that tell a family from another of its class.
_TELLS = {"families/granite_hybrid": {"num_local_experts": 0}, "families/jamba_dense": {"num_experts": 1}}


@dataclass(frozen=True)
class MadePair:
    """One family in small."""

    family: Family

    def said(self, convention: Convention) -> dict[str, Any]:
        """The hyper-parameters that a side declares."""
        own = OTHERS.get(self.family.id, {}).get(convention, {})
        known = {name: value for name, value in SIZES.items() if name in self.family.hyperparameters}
        return {name: value for name, value in known.items() if self._declared(name)} | own

    def _declared(self, name: str) -> bool:
        parameter = self.family.hyperparameters[name]
        return bool(parameter.config) or parameter.default is None

    def numbers(self, convention: Convention) -> dict[str, Any]:
        """All of them, as one side has them."""
        found: dict[str, Any] = self.said(convention)
        completed(self.family, found)
        lists = {name: value for name, value in found.items() if isinstance(value, list)}
        return found | {name: list(each) for name, each in by_kinds(self.family, lists, found)}

    def side(self, convention: Convention, family: Family | None = None) -> Conventions:
        """How one side stores its tensors, by the family or by another saying of it."""
        return Conventions(family or self.family, convention, self.numbers(convention))

    def tensors(self, convention: Convention, family: Family | None = None) -> dict[str, np.ndarray]:
        """Every tensor of one side."""
        conventions, found = self.side(convention), dict[str, np.ndarray]()
        for template, _, said, layers in conventions.owed(SIZES["num_hidden_layers"]):
            for layer in layers if "{n}" in template else (None,):
                try:
                    for name in self._names(conventions, template, layer):
                        found[name] = self.values(convention, name, family)
                except NotKnown:
                    assert said.presence == "optional", template
        return found

    def _names(self, conventions: Conventions, template: str, layer: int | None) -> list[str]:
        if "{e}" not in template:
            return [named(template, layer)]
        entry = conventions.entry(named(template, layer, 0))
        assert entry is not None
        return [named(template, layer, at) for at in range(conventions.shape(entry.key, entry.layer)[0])]

    def values(self, convention: Convention, name: str, family: Family | None = None) -> np.ndarray:
        """One stored tensor."""
        conventions = self.side(convention, family)
        entry = conventions.entry(name)
        assert entry is not None, name
        whole = conventions.stored(entry)
        weights = {leaf.name: _weight(leaf) for leaf in leaves(whole)}
        return np.ascontiguousarray(value_of(whole, weights), np.float32)

    @cached_property
    def stored(self) -> dict[str, np.ndarray]:
        """The tensors of the Hugging Face side."""
        return self.tensors("huggingface")

    def folder(self, path: Path) -> Path:
        """The Hugging Face side on disk."""
        path.mkdir(parents=True)
        config: dict[str, Any] = {"architectures": [self.family.architectures[0]]} | _TELLS.get(self.family.id, {})
        if self.family.model_types:
            config["model_type"] = self.family.model_types[0]
        for name, value in self.said("huggingface").items():
            for key in self.family.hyperparameters[name].config[:1]:
                _put(config, key, value)
        (path / "config.json").write_text(json.dumps(config), "utf-8")
        held = {name: stored(values, "F32") for name, values in self.stored.items()}
        write_safetensors(path / "model.safetensors", held)
        return path

    def gguf(self, path: Path, instead: Mapping[str, np.ndarray] | None = None) -> Path:
        """The GGUF side on disk, with some tensors replaced."""
        model = GgufModel()
        word = self.family.gguf[0]
        model["general.architecture"] = word
        said, numbers, keys = self.said("gguf"), self.numbers("gguf"), dict[str, Any]()
        for name, parameter in self.family.hyperparameters.items():
            follows = parameter.default is not None and parameter.default.value is None
            for key in parameter.gguf[:1] if name in said or (follows and name in numbers) else ():
                keys[key.replace("{arch}", word)] = numbers[name]
        for key, value in keys.items():
            model[key] = value
        tensors = self.tensors("gguf") | dict(instead or {})
        model.tensors = {name: stored(values, "F32") for name, values in tensors.items()}
        return model.write(path)


def _weight(leaf: Leaf) -> np.ndarray:
    """A logical weight: the same values wherever it is asked for."""
    return np.random.default_rng(crc32(leaf.name.encode())).normal(size=leaf.shape).astype(np.float32)


def _put(config: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        config = config.setdefault(part, {})
    config[last] = value
