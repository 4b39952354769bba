"""Makes small models and adapters of them: honest merges and every mistake, as folders and GGUF files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.outcome import Comparison, Outcome
from support.conversions import gguf_name, heads_of, interleaved
from support.gguf_models import GgufModel
from support.mutations import Floats, Stored, stored, write_safetensors

MERGED, OUTSIDE, FITS = "F-ADAPTER-001", "F-ADAPTER-002", "G0-ADAPTER-003"
VALUES = "F-CONTRACT-I4-002"
Weights = dict[str, Floats]
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 96,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 96, "hidden_act": "silu",
    "max_position_embeddings": 64, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "tie_word_embeddings": False,
    "eos_token_id": 2, "bos_token_id": 1,
}  # fmt: skip
ATTENTION = {"q_proj": (64, 64), "k_proj": (32, 64), "v_proj": (32, 64), "o_proj": (64, 64)}
MLP = {"gate_proj": (96, 64), "up_proj": (96, 64), "down_proj": (64, 96)}


def llama(seed: int = 1) -> Weights:
    """A random Llama of two layers, 64 wide: heavy-tailed values of a trained model's size."""
    random = np.random.default_rng(seed)

    def matrix(*shape: int) -> Floats:
        return (0.02 * random.standard_t(6, size=shape)).astype(np.float32)

    weights = {"model.embed_tokens.weight": matrix(96, 64), "lm_head.weight": matrix(96, 64)}
    weights["model.norm.weight"] = 1 + matrix(64)
    for layer in range(2):
        start = f"model.layers.{layer}"
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"{start}.{name}.weight"] = 1 + matrix(64)
        for room, modules in (("self_attn", ATTENTION), ("mlp", MLP)):
            for name, shape in modules.items():
                weights[f"{start}.{room}.{name}.weight"] = matrix(*shape)
    return weights


@dataclass
class Lora:
    """A LoRA adapter: module to halves A [rank, in] and B [out, rank], and its configuration."""

    halves: dict[str, tuple[Floats, Floats]]
    config: dict[str, Any]
    others: dict[str, Floats] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        """What products are multiplied by."""
        rank = self.config["r"]
        return float(self.config["lora_alpha"] / (rank**0.5 if self.config.get("use_rslora") else rank))

    def delta(self, module: str) -> Floats:
        """What is added to a module."""
        a, b = self.halves[module]
        return ((b @ a) * np.float32(self.scale)).astype(np.float32)

    def folder(self, path: Path, dtype: str = "F32") -> Path:
        """As PEFT saves it."""
        path.mkdir()
        tensors: dict[str, Stored] = {name: stored(values, dtype) for name, values in self.others.items()}
        for module, (a, b) in self.halves.items():
            tensors[f"base_model.model.{module}.lora_A.weight"] = stored(a, dtype)
            tensors[f"base_model.model.{module}.lora_B.weight"] = stored(b, dtype)
        (path / "adapter_config.json").write_text(json.dumps(self.config))
        write_safetensors(path / "adapter_model.safetensors", tensors, {"format": "pt"})
        return path

    def gguf(self, path: Path) -> Path:
        """As llama.cpp's converter of adapters writes it: rows of B of Q and K as those of their weights."""
        model = GgufModel()
        model["general.architecture"], model["general.type"] = "llama", "adapter"
        model["adapter.type"], model["adapter.lora.alpha"] = "lora", float(self.config["lora_alpha"])
        for module, (a, b) in self.halves.items():
            name = gguf_name(f"{module}.weight")
            heads = heads_of(name, CONFIG)
            model.tensors[f"{name}.lora_a"] = stored(a, "F32")
            model.tensors[f"{name}.lora_b"] = stored(interleaved(b, heads) if heads else b, "F32")
        return model.write(path)


def lora(base: Weights, share: float = 0.05, rank: int = 4, seed: int = 2, targets: Any = None, **config: Any) -> Lora:
    """An adapter whose change of each module is a share of its weight."""
    random = np.random.default_rng(seed)
    names = [*ATTENTION, *MLP] if targets is None else targets
    said = {"peft_type": "LORA", "r": rank, "lora_alpha": 3 * rank, "target_modules": names, **config}
    made = Lora({}, said)
    for name, weight in base.items():
        module = name.removesuffix(".weight")
        if any(module.endswith(f".{one}") for one in names):
            a, b = random.normal(size=(rank, weight.shape[1])), random.normal(size=(weight.shape[0], rank))
            b *= share * np.linalg.norm(weight) / np.linalg.norm(b @ a) / made.scale
            made.halves[module] = (a.astype(np.float32), b.astype(np.float32))
    return made


def merged(base: Weights, adapter: Lora, times: Callable[[str], float] = lambda module: 1.0) -> Weights:
    """The base with each module's change so many times added."""
    found = dict(base)
    for module in adapter.halves:
        found[f"{module}.weight"] = base[f"{module}.weight"] + np.float32(times(module)) * adapter.delta(module)
    return found


def folder(path: Path, weights: Weights, dtype: str = "F32", **config: Any) -> Path:
    """A model as Hugging Face folders hold it, without a tokenizer."""
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(CONFIG | config))
    tensors = {name: stored(values, dtype) for name, values in weights.items()}
    write_safetensors(path / "model.safetensors", tensors, {"format": "pt"})
    return path


def gguf(
    path: Path, weights: Weights, dtype: str = "F16", unordered: Callable[[str], bool] = lambda name: False
) -> Path:
    """The same as llama.cpp's converter writes it; `unordered` tensors keep the rows of Q and K."""
    model = GgufModel()
    model["general.architecture"], model["general.type"], model["general.name"] = "llama", "model", "Tiny"
    for key, name in (
        ("block_count", "num_hidden_layers"), ("context_length", "max_position_embeddings"),
        ("embedding_length", "hidden_size"), ("feed_forward_length", "intermediate_size"),
        ("attention.head_count", "num_attention_heads"), ("attention.head_count_kv", "num_key_value_heads"),
        ("vocab_size", "vocab_size"), ("rope.freq_base", "rope_theta"),
        ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    ):  # fmt: skip
        model[f"llama.{key}"] = CONFIG[name]
    for theirs, values in weights.items():
        name = gguf_name(theirs)
        heads = None if unordered(name) else heads_of(name, CONFIG)
        ordered = interleaved(values, heads) if heads is not None else values
        model.tensors[name] = stored(ordered, dtype if values.ndim > 1 else "F32")
    return model.write(path)


def outcomes(target: Path, base: Path | None, adapter: Path | None, *only: str) -> dict[str, Outcome]:
    """What gates say of a target that is to be its base with an adapter."""
    gates = only or (MERGED, OUTSIDE, FITS, VALUES)
    evidence, _ = check(CheckRequest((target,), against=base, adapter=adapter, only=gates))
    return {outcome.gate_id: outcome for outcome in evidence}


def first(outcome: Outcome, measure: str) -> Comparison:
    """The first comparison of a measure: a violated one if there is any."""
    of_it = [comparison for comparison in outcome.comparisons if comparison.measure == measure]
    return next((comparison for comparison in of_it if not comparison.holds), of_it[0])
