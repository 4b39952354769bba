"""Variants that are as good as their base: conversions, re-saves and paddings that no gate may take for a fault."""

from __future__ import annotations

import json
from pathlib import Path

from cases.beside import HONEST as BESIDE
from cases.declared import HONEST as DECLARED
from cases.interface import LLAMA, QWEN2, CheckArguments, Make
from cases.makers import document
from cases.padding import HONEST as PADDED
from cases.pair_hyperparameters import llama3_factors, with_llama3
from cases.shards import split_gguf
from support.conversions import tensors_of, to_apr, to_gguf
from support.mutations import copied, json_of, safetensors_of, write_safetensors
from support.padded_models import padded


def _gguf(source: Path, dtype: str, asked: bool = False) -> Make:
    def make(folder: Path) -> CheckArguments:
        path = to_gguf(source, dtype).write(folder / f"{source.name}-{dtype}.gguf")
        return CheckArguments(path, source, dtype if asked else None)

    return make


def _sharded(folder: Path) -> CheckArguments:
    """tiny-qwen2 saved again as two shards with an index."""
    target = copied(QWEN2, folder)
    (target / "model.safetensors").unlink()
    tensors = tensors_of(QWEN2)
    names = list(tensors)
    weight_map = {}
    for number, part in enumerate((names[:20], names[20:]), 1):
        file = f"model-{number:05d}-of-00002.safetensors"
        write_safetensors(target / file, {name: tensors[name] for name in part}, {"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    index = {
        "metadata": {"total_size": sum(len(tensor.data) for tensor in tensors.values())},
        "weight_map": weight_map,
    }
    (target / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    return CheckArguments(target, QWEN2)


def _padded(folder: Path) -> CheckArguments:
    return CheckArguments(padded(folder, zero=True))


def _head_equal(folder: Path) -> CheckArguments:
    """A tied model whose output head was saved all the same."""
    target = copied(QWEN2, folder)
    with safetensors_of(target / "model.safetensors") as tensors:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    return CheckArguments(target, QWEN2)


def _apr(source: Path) -> Make:
    def make(folder: Path) -> CheckArguments:
        return CheckArguments(to_apr(source).write(folder / f"{source.name}.apr"), source)

    return make


def _older_config(folder: Path) -> CheckArguments:
    """rope_theta at the top of config.json, as transformers 4 wrote it, and torch_dtype in place of dtype."""
    target = copied(LLAMA, folder)
    with json_of(target / "config.json") as config:
        config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
        config["torch_dtype"] = config.pop("dtype")
    return CheckArguments(target, LLAMA)


def _names_with_dots(folder: Path) -> CheckArguments:
    target = copied(QWEN2, folder, "Qwen2.5-Coder-0.5B-Instruct.v1.0")
    return CheckArguments(target)


HONEST: dict[str, Make] = {
    **{f"qwen2-{dtype}-gguf": _gguf(QWEN2, dtype) for dtype in ("F32", "F16", "BF16", "Q8_0")},
    **{f"llama-{dtype}-gguf": _gguf(LLAMA, dtype) for dtype in ("F16", "BF16", "Q8_0")},
    "qwen2-Q8_0-gguf-asked-for": _gguf(QWEN2, "Q8_0", asked=True),
    "qwen2-Q8_0-gguf-in-two-parts": split_gguf(lambda first, second: None, QWEN2),
    "qwen2-sharded-again": _sharded,
    "qwen2-padded-vocabulary": _padded,
    **PADDED,
    **BESIDE,
    "qwen2-tied-head-saved-too": _head_equal,
    "qwen2-apr": _apr(QWEN2),
    "llama-apr": _apr(LLAMA),
    "llama-older-config": _older_config,
    "llama3-rope-factors": with_llama3(llama3_factors()),
    "qwen2-name-with-dots": _names_with_dots,
    "qwen2-settings-spelled-out": document(
        QWEN2, "tokenizer_config.json", lambda value: value.update(split_special_tokens=False), QWEN2
    ),
    **DECLARED,
}
