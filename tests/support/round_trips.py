"""Makes small models of transformers' own classes from drawn hyper-parameters, with weights that every part feels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from support.family_classes import config_of, known_keys

TOKENIZER = Path(__file__).resolve().parents[1] / "data" / "tiny-qwen2"
#: Tokens of that tokenizer.
TOKENS = 2000
Draw = Callable[[st.SearchStrategy[Any]], Any]
#: Kinds of rotary scaling that GGUF has keys or a tensor for.
ROPES: tuple[dict[str, Any], ...] = (
    {"rope_type": "linear", "factor": 4.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "beta_fast": 32.0, "beta_slow": 1.0},
    {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 256,
    },
)  # fmt: skip


@dataclass(frozen=True)
class RoundTrip:
    """One class: what of its configuration is drawn, and what is as it is."""

    architecture: str
    #: Members drawn besides the sizes that all share.
    drawn: dict[str, st.SearchStrategy[Any]] = field(default_factory=dict)
    #: Members that are as they are.
    fixed: dict[str, Any] = field(default_factory=dict)
    #: Kinds of rotary scaling, by their places in ROPES.
    ropes: tuple[int, ...] = ()
    #: As many key-value heads as heads.
    multihead: bool = False
    #: The embedding and the head may be one.
    tie: bool = True
    #: Made of what else was drawn.
    made: Callable[[dict[str, Any]], dict[str, Any]] = lambda sizes: {}


def sizes(draw: Draw, case: RoundTrip) -> dict[str, Any]:
    """The members of a configuration, of those that its class knows."""
    heads = draw(st.sampled_from((2, 4, 8)))
    width = draw(st.sampled_from((8, 16)))
    shared = 1 if case.multihead else draw(st.sampled_from((1, 2)))
    experts = draw(st.integers(2, 5))
    known = known_keys(case.architecture)
    vocabulary = TOKENS + draw(st.sampled_from((0, 0, 24)))
    found: dict[str, Any] = {
        "num_attention_heads": heads, "n_head": heads, "n_heads": heads,
        "num_key_value_heads": heads // shared, "num_kv_heads": heads // shared,
        "head_dim": width, "hidden_size": heads * width, "n_embd": heads * width, "d_model": heads * width,
        "intermediate_size": draw(st.sampled_from((32, 48, 96))),
        "vocab_size": vocabulary, "max_position_embeddings": 128, "n_positions": 128, "max_seq_len": 128,
        "num_experts": experts, "num_local_experts": experts, "n_routed_experts": experts, "moe_num_experts": experts,
        "num_experts_per_tok": draw(st.integers(1, 2)), "moe_intermediate_size": draw(st.sampled_from((16, 40))),
        "rms_norm_eps": draw(st.sampled_from((1e-5, 1e-6))),
        "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0,
    }  # fmt: skip
    layers = draw(st.integers(1, 3))
    found |= {"num_hidden_layers": layers, "n_layer": layers, "n_layers": layers}
    found |= {name: draw(strategy) for name, strategy in case.drawn.items()}
    if case.tie:
        found["tie_word_embeddings"] = draw(st.booleans())
    if "rope_parameters" in known and "rope_parameters" not in case.fixed:
        theta = draw(st.sampled_from((1e4, 5e5)))
        kinds = [{"rope_type": "default"}, *(ROPES[at] for at in case.ropes)]
        found["rope_parameters"] = {"rope_theta": theta, **draw(st.sampled_from(kinds))}
    found = {name: value for name, value in found.items() if name in known or name in case.drawn}
    made = case.made(found | case.fixed)
    return {name: value for name, value in (found | case.fixed | made).items() if value is not ...}


def write(folder: Path, case: RoundTrip, members: dict[str, Any], seed: int) -> Any:
    """The model in evaluation mode, F32, and its folder with a tokenizer."""
    import torch
    import transformers

    config = config_of(case.architecture)(**members)
    torch.manual_seed(seed)
    with torch.no_grad():
        model = getattr(transformers, case.architecture)(config).float().eval()
        for name, tensor in (*model.named_parameters(), *_scores(model)):
            _fill(name, tensor)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(TOKENIZER / name, folder / name)
    return model


def _scores(model: Any) -> list[tuple[str, Any]]:
    """Corrections of a router's scores, which are trained, and no parameters."""
    return [(name, buffer) for name, buffer in model.named_buffers() if name.endswith(("_bias", "moe_statics.bias"))]


def _fill(name: str, tensor: Any) -> None:
    """Values of a size that what lies behind them feels: activations stay near 1.

    Each is one of BF16, as published ones are, so that 1 is added to it in F32 and taken away without a loss.
    """
    import torch

    if name.endswith("A_log"):
        tensor.copy_(torch.log(1 + 15 * torch.rand_like(tensor)))
    elif tensor.ndim < 2:
        tensor.add_(0.1 * torch.randn_like(tensor))
    else:
        tensor.copy_(torch.randn_like(tensor) / max(tensor.shape[-1], 2) ** 0.5)
    tensor.copy_(tensor.bfloat16().float())
