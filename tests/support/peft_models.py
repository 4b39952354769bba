"""Makes tests/data/adapters with PEFT: tiny bases, adapters of each kind, and what merge_and_unload makes of both.

`python -m support.peft_models FOLDER` in tests/, with peft 0.21 and transformers 5 installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "vocab_size": 40, "max_position_embeddings": 64}  # fmt: skip
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
#: Name to its base, the type that both are saved in, and what LoraConfig is given.
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "lora": ("llama", "bfloat16", {"r": 4, "lora_alpha": 8, "target_modules": LINEAR}),
    "rslora": ("llama", "float16", {
        "r": 4, "lora_alpha": 4, "use_rslora": True, "target_modules": r".*self_attn\.(q|k|v)_proj",
        "rank_pattern": {"v_proj": 2}, "alpha_pattern": {"layers.1.self_attn.q_proj": 12},
        "modules_to_save": ["lm_head"],
    }),
    "dora": ("qwen2", "float32", {
        "r": 4, "lora_alpha": 8, "use_dora": True, "target_modules": ["q_proj", "down_proj"],
        "layers_to_transform": [1],
    }),
    "embedding": ("qwen2", "float32", {"r": 3, "lora_alpha": 6, "target_modules": ["embed_tokens", "k_proj"]}),
    "tokens": ("llama", "bfloat16", {
        "r": 2, "lora_alpha": 4, "target_modules": ["v_proj"], "trainable_token_indices": [5, 3, 39],
    }),
    "conv1d": ("gpt2", "float16", {
        "r": 4, "lora_alpha": 8, "target_modules": ["c_attn", "c_proj"], "lora_bias": True, "fan_in_fan_out": True,
    }),
    "conv1d-dora": ("gpt2", "float16", {
        "r": 4, "lora_alpha": 8, "target_modules": ["c_attn"], "use_dora": True, "fan_in_fan_out": True,
    }),
    "experts": ("mixtral", "float16", {
        "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"],
        "target_parameters": ["experts.gate_up_proj", "experts.down_proj"],
    }),
}  # fmt: skip


def base_of(kind: str) -> str:
    """The folder of the base of a kind."""
    family, dtype, _ = KINDS[kind]
    short = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}[dtype]
    return f"{family}-{short}"


def base(name: str) -> Any:
    """A random model of a family, the same every time."""
    import torch
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        MixtralConfig,
        MixtralForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
    )

    few = SIZES | {"num_hidden_layers": 1, "num_local_experts": 3}

    torch.manual_seed(11)
    makers: dict[str, Callable[[], Any]] = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=False)),
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=True)),
        "mixtral": lambda: MixtralForCausalLM(MixtralConfig(**few, tie_word_embeddings=False)),
        "gpt2": lambda: GPT2LMHeadModel(
            GPT2Config(n_embd=24, n_layer=2, n_head=4, vocab_size=40, n_positions=16, bos_token_id=1, eos_token_id=2)
        ),
    }
    return makers[name]()


def make(folder: Path) -> None:
    """Write bases, adapters and merged models."""
    import torch
    from peft import LoraConfig, get_peft_model

    for kind, (family, dtype, settings) in KINDS.items():
        plain = base(family).to(getattr(torch, dtype))
        plain.save_pretrained(folder / base_of(kind))
        model = get_peft_model(plain, LoraConfig(task_type="CAUSAL_LM", **settings))
        torch.manual_seed(5)
        for name, value in model.named_parameters():
            if value.requires_grad and "original" not in name:
                step = 0.3 * value.detach().float().std().nan_to_num(0.0) + 0.02
                value.data += (torch.randn(value.shape) * step).to(value.dtype)
        model.save_pretrained(folder / kind)
        model.merge_and_unload().save_pretrained(folder / f"{kind}-merged")
        (folder / kind / "README.md").unlink()
    for extra in folder.rglob("generation_config.json"):
        extra.unlink()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
