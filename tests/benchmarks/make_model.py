"""Writes a model of the shape of Qwen2.5-Coder-0.5B-Instruct: random BF16 weights, 151,665 tokens, 151,936 rows.

    python tests/benchmarks/make_model.py DIR [--layers N] [--tokens N] [--rows N]

Weights cannot be downloaded here; everything that reads them is the real code. numpy only, about 10 s and 988 MB.
"""

from __future__ import annotations

import argparse
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

#: Tokens that merges make, and rows of the embedding; between them stand the added tokens, then padding.
TOKENS, ROWS = 151_643, 151_936
#: The added tokens of Qwen2.5 from id 151,643 on; the last eight are no special tokens.
ADDED = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>",
    "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
)  # fmt: skip
SPECIAL = 14
HIDDEN, HEADS, KV_HEADS, HEAD_DIM, INTERMEDIATE = 896, 14, 2, 64, 4864
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{m['role']}}\n{{m['content']}}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def shapes(layers: int, vocabulary: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and row-major shapes; safetensors writes tensors of one type by name."""
    yield "model.embed_tokens.weight", (vocabulary, HIDDEN)
    for n in range(layers):
        layer = f"model.layers.{n}"
        yield f"{layer}.input_layernorm.weight", (HIDDEN,)
        yield f"{layer}.mlp.down_proj.weight", (HIDDEN, INTERMEDIATE)
        yield f"{layer}.mlp.gate_proj.weight", (INTERMEDIATE, HIDDEN)
        yield f"{layer}.mlp.up_proj.weight", (INTERMEDIATE, HIDDEN)
        yield f"{layer}.post_attention_layernorm.weight", (HIDDEN,)
        for part, rows in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)):
            yield f"{layer}.self_attn.{part}_proj.bias", (rows * HEAD_DIM,)
            yield f"{layer}.self_attn.{part}_proj.weight", (rows * HEAD_DIM, HIDDEN)
        yield f"{layer}.self_attn.o_proj.weight", (HIDDEN, HEADS * HEAD_DIM)
    yield "model.norm.weight", (HIDDEN,)


def bfloat16(values: np.ndarray) -> np.ndarray:
    """Float32 values as BF16 bit patterns, rounded to nearest even."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write_weights(path: Path, layers: int, vocabulary: int, seed: int) -> None:
    """Stream the weights: slices of one pool of random values, at another place for every tensor."""
    random = np.random.default_rng(seed)
    values = random.standard_t(6, 1 << 24) * 0.02
    # What a layer adds to the residual stream is kept small beside the token that came in, which trained models do too
    # (GPT-2 initialises by depth). Otherwise 24 random layers drown it, the two likeliest tokens of a position lie
    # nearer each other than any trained model's, and the rounding of a runtime decides between them.
    pool, small = bfloat16(values), bfloat16(values / (10 * np.sqrt(2 * max(layers, 1))))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in sorted(shapes(layers, vocabulary)):
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in sorted(shapes(layers, vocabulary)):
            count = int(np.prod(shape))
            if "norm" in name:
                file.write(bfloat16(1.0 + 0.1 * random.standard_normal(count)).tobytes())
                continue
            while count:
                start = int(random.integers(0, len(pool) - 1))
                part = (small if name.endswith(("o_proj.weight", "down_proj.weight")) else pool)[start : start + count]
                file.write(part.tobytes())
                count -= len(part)


def tokenizer(plain: int) -> dict[str, object]:
    """A byte-level BPE tokenizer: 256 bytes, merges that build every other token, and the added tokens behind them."""
    characters = (
        [chr(b) for b in range(33, 127)] + [chr(b) for b in range(161, 173)] + [chr(b) for b in range(174, 256)]
    )
    characters += [chr(256 + n) for n in range(256 - len(characters))]
    tokens, merges = list(characters), []
    pairs = ((a, b) for a in characters for b in characters)
    triples = ((a + b, c) for a in characters for b in characters for c in characters)
    for left, right in (pair for source in (pairs, triples) for pair in source):
        if len(tokens) == plain:
            break
        tokens.append(left + right)
        merges.append([left, right])
    added_tokens = [
        {
            "id": plain + n, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": n < SPECIAL,
        }
        for n, content in enumerate(ADDED)
    ]  # fmt: skip
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added_tokens,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]},
        "post_processor": level, "decoder": level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
            "vocab": {token: n for n, token in enumerate(tokens)}, "merges": merges,
        },
    }  # fmt: skip


def write(folder: Path, layers: int = 24, tokens: int = TOKENS, rows: int = ROWS, seed: int = 5) -> Path:
    """Write the whole Hugging Face directory; returns the weights file."""
    folder.mkdir(parents=True, exist_ok=True)
    if rows < tokens + len(ADDED):
        raise ValueError(f"{rows:,} rows hold no {tokens:,} tokens and {len(ADDED)} added ones")
    made = tokenizer(tokens)
    ids = {token["content"]: token["id"] for token in made["added_tokens"]}  # type: ignore[attr-defined]
    eos, pad = ids["<|im_end|>"], ids["<|endoftext|>"]
    config = {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "bos_token_id": pad, "eos_token_id": eos,
        "hidden_act": "silu", "hidden_size": HIDDEN, "initializer_range": 0.02, "intermediate_size": INTERMEDIATE,
        "max_position_embeddings": 32768, "max_window_layers": 21, "num_attention_heads": HEADS,
        "num_hidden_layers": layers, "num_key_value_heads": KV_HEADS, "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "transformers_version": "4.44.0", "use_cache": True, "use_sliding_window": False, "vocab_size": rows,
    }  # fmt: skip
    generation = {"bos_token_id": pad, "eos_token_id": [eos, pad], "pad_token_id": pad, "do_sample": True}
    tokenizer_config = {
        "add_bos_token": False, "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
        "unk_token": None, "tokenizer_class": "Qwen2Tokenizer", "chat_template": TEMPLATE,
    }  # fmt: skip
    for name, content in (
        ("config.json", config),
        ("generation_config.json", generation),
        ("tokenizer_config.json", tokenizer_config),
        ("tokenizer.json", made),
    ):
        # As transformers and tokenizers write them: the one ends a file with a new line, the other does not.
        end = "" if name == "tokenizer.json" else "\n"
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=2) + end, encoding="utf-8")
    weights = folder / "model.safetensors"
    write_weights(weights, layers, rows, seed)
    return weights


def main() -> None:
    """Write the model that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=TOKENS, help="tokens that merges make")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the embedding")
    arguments = parser.parse_args()
    weights = write(arguments.folder, arguments.layers, arguments.tokens, arguments.rows)
    print(f"{weights}: {weights.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
