"""Broken sets of files: shards that are missing, renamed, stale, doubled, or that the index misnames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cases.gates import CONFIG, FAMILY, PORTABLE, SHARDS
from cases.interface import LLAMA, QWEN2, CheckArguments, Make, Variant, broken, seen
from cases.makers import directory, document
from support.conversions import to_gguf
from support.gguf_models import GgufModel
from support.mutations import copied, safetensors_of

INDEX = "model.safetensors.index.json"
FIRST, SECOND, THIRD = (f"model-{number:05d}-of-00003.safetensors" for number in (1, 2, 3))
NORM = "model.norm.weight"


def _index(edit: Any) -> Make:
    return document(LLAMA, INDEX, edit)


def _again(target: Path) -> None:
    """The final norm stands in two shards."""
    with safetensors_of(target / THIRD) as tensors:
        norm = tensors[NORM]
    with safetensors_of(target / FIRST) as tensors:
        tensors[NORM] = norm


def _stray(target: Path) -> None:
    copied(QWEN2 / "model.safetensors", target)


def split_gguf(edit: Any, against: Path | None = None) -> Make:
    """A GGUF set of two files, edited."""

    def make(folder: Path) -> CheckArguments:
        whole = to_gguf(QWEN2, "Q8_0")
        names = list(whole.tensors)
        parts = GgufModel(dict(whole.keys)), GgufModel()
        for number, (part, named) in enumerate(zip(parts, (names[:20], names[20:]), strict=True)):
            part.tensors = {name: whole.tensors[name] for name in named}
            part["split.no"], part["split.count"], part["split.tensors.count"] = number, 2, len(names)
        edit(*parts)
        paths = [
            part.write(folder / f"tiny-qwen2-Q8_0-{number:05d}-of-00002.gguf") for number, part in enumerate(parts, 1)
        ]
        return CheckArguments(paths[0], against)

    return make


def _without_second(make: Make) -> Make:
    def made(folder: Path) -> CheckArguments:
        arguments = make(folder)
        (folder / "tiny-qwen2-Q8_0-00002-of-00002.gguf").unlink()
        return arguments

    return made


VARIANTS: tuple[Variant, ...] = (
    broken(
        "f19-shard-deleted",
        directory(LLAMA, lambda target: (target / SECOND).unlink()),
        seen(SHARDS, "shard_present", expected=SECOND, observed="no such file"),
        seen(
            FAMILY,
            "tensor_present",
            tensor="model.layers.0.input_layernorm.weight",
            expected="once",
            observed="missing",
        ),
    ),
    broken(
        "f19-shard-renamed",
        directory(LLAMA, lambda target: (target / SECOND).rename(target / "model-00002-of-00004.safetensors") and None),
        seen(SHARDS, "shard_present", expected=SECOND, observed="no such file"),
        seen(FAMILY, "tensor_present", expected="once", observed="missing"),
    ),
    broken(
        "f19-stale-index-lacks-a-tensor",
        _index(lambda index: index["weight_map"].pop(NORM)),
        seen(SHARDS, "tensor_indexed", file=THIRD, tensor=NORM),
    ),
    broken(
        "f19-stale-index-has-one-too-many",
        _index(lambda index: index["weight_map"].update({"model.layers.3.input_layernorm.weight": THIRD})),
        seen(SHARDS, "tensor_in_shard", file=THIRD, tensor="model.layers.3.input_layernorm.weight"),
    ),
    broken(
        "index-names-the-wrong-shard",
        _index(lambda index: index["weight_map"].update({NORM: FIRST})),
        seen(SHARDS, "tensor_in_shard", file=FIRST, tensor=NORM),
    ),
    broken(
        "index-total-size",
        _index(lambda index: index["metadata"].update(total_size=5_393_918)),
        seen(PORTABLE, "total_size", expected=5_393_920, observed=5_393_918),
        exit_code=0,
    ),
    broken(
        "index-leads-out-of-the-folder",
        _index(lambda index: index["weight_map"].update({NORM: "../" + THIRD})),
        seen(SHARDS, "shard_name_plain", expected="a plain file name", observed="../" + THIRD),
    ),
    broken(
        "tensor-in-two-shards",
        directory(LLAMA, _again),
        seen(SHARDS, "tensor_once", tensor=NORM),
        seen(PORTABLE, "total_size"),
    ),
    broken(
        "stray-file-beside-a-set",
        directory(LLAMA, _stray),
        seen(SHARDS, "file_indexed", file="model.safetensors"),
    ),
    broken(
        "gguf-split-count",
        split_gguf(lambda first, second: second.keys.update({"split.count": type(second.keys["split.count"])(4, 3)})),
        seen(SHARDS, "split_count", key="split.count", expected=2, observed=3),
    ),
    broken(
        "gguf-split-file-missing",
        _without_second(split_gguf(lambda first, second: None)),
        seen(SHARDS, "files_of_the_set", expected=2, observed=1),
        seen(FAMILY, "tensor_present", expected="once", observed="missing"),
        seen(CONFIG, "num_hidden_layers", key="qwen2.block_count", expected=2, observed=4),
    ),
)
