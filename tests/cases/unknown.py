"""Architectures of no shipped family: what is still decided of them, and what stays not proven and is never false."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cases.gates import BIJECTION, CONFIG, FAMILY, FINITE, LAYOUT, MOMENTS, PAIR_SHAPES, VALUES
from cases.interface import LLAMA, QWEN2, CheckArguments, Make, Variant, broken, seen
from cases.value_edits import put
from support.conversions import to_gguf
from support.gguf_models import GgufModel
from support.mutations import Stored, copied, json_of, safetensors_of, stored

UP, DOWN = "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.down_proj.weight"
Edit = Callable[[dict[str, Stored]], None]
#: A class and an architecture word of a real model whose family is not shipped, and which the gguf package maps.
CLASS, MODEL_TYPE, WORD = "LLaDAModelLM", "llada", "llada"


def foreign(base: Path, folder: Path, name: str = "foreign", edit: Edit | None = None) -> Path:
    """A copy of a directory that says it is of an architecture without a family, its tensors edited."""
    target = copied(base, folder, name)
    with json_of(target / "config.json") as config:
        config.update(architectures=[CLASS], model_type=MODEL_TYPE, hidden_act="relu2")
    if edit is not None:
        with safetensors_of(target / "model.safetensors") as tensors:
            edit(tensors)
    return target


def _alone(edit: Edit) -> Make:
    return lambda folder: CheckArguments(foreign(QWEN2, folder, edit=edit))


def _pair(edit: Edit) -> Make:
    """Two directories of the same unknown architecture, with the same names, the target edited."""
    return lambda folder: CheckArguments(foreign(QWEN2, folder, edit=edit), foreign(QWEN2, folder, "source"))


def foreign_gguf(base: Path, edit: Callable[[GgufModel], None], to: str = "F16") -> Make:
    """A GGUF conversion under an architecture without a family, edited, against a directory that says the same."""

    def make(folder: Path) -> CheckArguments:
        model = to_gguf(base, to)
        own = model["general.architecture"]
        for key in [key for key in model.keys if key.startswith(f"{own}.")]:
            model.keys[f"{WORD}.{key.removeprefix(f'{own}.')}"] = model.keys.pop(key)
        model["general.architecture"] = WORD
        edit(model)
        return CheckArguments(model.write(folder / "foreign.gguf"), foreign(base, folder, "source"))

    return make


def _without(name: str) -> Edit:
    return lambda tensors: tensors.pop(name) and None


def _swapped(a: str, b: str) -> Edit:
    return lambda tensors: tensors.update({a: tensors[b], b: tensors[a]})


def _prefixed(mark: str) -> Edit:
    def edit(tensors: dict[str, Stored]) -> None:
        named = {f"{mark}{name}": tensor for name, tensor in tensors.items()}
        tensors.clear()
        tensors.update(named)

    return edit


def _no_layer_2(model: GgufModel) -> None:
    for name in [name for name in model.tensors if name.startswith("blk.2.")]:
        del model.tensors[name]


def _numbered_anew(model: GgufModel) -> None:
    """The layer in the middle is gone, and those behind it have moved up."""
    for name in [name for name in model.tensors if name.startswith("blk.1.")]:
        del model.tensors[name]
    for name in [name for name in model.tensors if name.startswith("blk.2.")]:
        model.rename(name, name.replace("blk.2.", "blk.1."))
    model["llada.block_count"] = 2


VARIANTS: tuple[Variant, ...] = (
    broken(
        "unknown-a-nan",
        _alone(lambda tensors: tensors.update({UP: tensors[UP].map(put(3, 5, float("nan")))})),
        seen(FINITE, "nonfinite_values", tensor=UP, expected=0, observed=1),
    ),
    broken(
        "unknown-a-tensor-missing-beside-equal-names",
        _pair(_without(UP)),
        seen(BIJECTION, "tensor_missing", tensor=UP, observed=None, words="131,072 values"),
    ),
    broken(
        "unknown-a-tensor-too-many-beside-equal-names",
        _pair(lambda tensors: tensors.update({"model.layers.1.mlp.odd.weight": tensors[UP]})),
        seen(BIJECTION, "tensor_extra", tensor="model.layers.1.mlp.odd.weight"),
    ),
    broken(
        "unknown-a-shape-changed-beside-equal-names",
        _pair(lambda tensors: tensors.update({UP: stored(tensors[UP].values.T, "BF16")})),
        seen(PAIR_SHAPES, "shape", tensor=UP, expected=[512, 256], observed=[256, 512], words="turned round"),
    ),
    broken(
        "unknown-a-value-changed-beside-equal-names",
        _pair(lambda tensors: tensors.update({UP: tensors[UP].map(put(3, 5, 0.5))})),
        seen(MOMENTS, "mean", tensor=UP),
        seen(VALUES, "differing_values", tensor=UP, expected=0, observed=1),
    ),
    broken(
        "unknown-two-layers-swapped-beside-equal-names",
        _pair(_swapped(UP, UP.replace(".1.", ".2."))),
        seen(MOMENTS, "mean", tensor=UP),
        seen(VALUES, "differing_values", tensor=UP, words="layer 2 in place of layer 1"),
    ),
    broken(
        "unknown-a-layer-dropped-on-the-way-to-gguf",
        foreign_gguf(QWEN2, _no_layer_2),
        seen(CONFIG, "num_hidden_layers", key="llada.block_count", observed="no tensor of layer 2"),
        seen(BIJECTION, "layer_missing", tensor="layer 2", observed=None),
    ),
    broken(
        "a-layer-dropped-and-not-declared-on-the-way-to-gguf",
        foreign_gguf(QWEN2, lambda model: (_no_layer_2(model), model.__setitem__("llada.block_count", 2))[0]),
        seen(BIJECTION, "layer_missing", tensor="layer 2", observed=None),
    ),
    broken(
        "a-layer-of-the-middle-dropped-and-the-rest-numbered-anew",
        foreign_gguf(QWEN2, _numbered_anew),
        seen(BIJECTION, "layer_missing", tensor="layer 2", observed=None),
    ),
    broken(
        "unknown-a-compiled-module-saved",
        _pair(_prefixed("_orig_mod.")),
        seen(
            FAMILY, "tensor_prefix", expected="model.embed_tokens.weight", words="begins with the prefix '_orig_mod.'"
        ),
        seen(BIJECTION, "tensor_prefix", observed="_orig_mod.model.embed_tokens.weight"),
    ),
    broken(
        "a-compiled-module-saved",
        lambda folder: CheckArguments(_known(folder, _prefixed("_orig_mod."))),
        seen(FAMILY, "tensor_prefix", words=("'_orig_mod.'", "50 of 50 are names of families/qwen2")),
    ),
    broken(
        "a-parallel-compiled-module-saved",
        lambda folder: CheckArguments(_known(folder, _prefixed("module._orig_mod."))),
        seen(FAMILY, "tensor_prefix", words="'module._orig_mod.'"),
    ),
    broken(
        "a-prefix-of-nobody",
        lambda folder: CheckArguments(_known(folder, _prefixed("my_net.llm."))),
        seen(FAMILY, "tensor_prefix", words="'my_net.llm.'"),
    ),
    broken(
        "a-compiled-module-inside-the-model",
        lambda folder: CheckArguments(_known(folder, _compiled_inside)),
        seen(FAMILY, "tensor_prefix", words="49 names hold the prefix '_orig_mod'"),
    ),
)


def _known(folder: Path, edit: Edit) -> Path:
    target = copied(QWEN2, folder)
    with safetensors_of(target / "model.safetensors") as tensors:
        edit(tensors)
    return target


def _compiled_inside(tensors: dict[str, Stored]) -> None:
    for name in [name for name in tensors if ".embed_tokens." not in name]:
        tensors[name.replace("model.", "model._orig_mod.")] = tensors.pop(name)


def _norms_and_one(model: GgufModel) -> None:
    for name, tensor in model.tensors.items():
        if name.endswith("norm.weight"):
            model.tensors[name] = tensor.map(lambda values: values + 1)


def _fused(model: GgufModel) -> None:
    """Gate and up of every layer as one tensor, as several architectures keep them."""
    for layer in range(4):
        gate, up = (model.tensors.pop(f"blk.{layer}.ffn_{part}.weight") for part in ("gate", "up"))
        model.tensors[f"blk.{layer}.ffn_gate_up.weight"] = stored(np.concatenate([gate.values, up.values]), "F16")


def _transposed(model: GgufModel) -> None:
    name = "blk.1.ffn_up.weight"
    model.tensors[name] = stored(np.ascontiguousarray(model.tensors[name].values.T), "F16")


def _fused_beside(tensors: dict[str, Stored]) -> None:
    tensors["model.layers.1.mlp.gate_up.weight"] = stored(
        np.concatenate([tensors.pop(UP.replace("up_proj", "gate_proj")).values, tensors.pop(UP).values]), "BF16"
    )


#: Honest, or at least not known to be otherwise: nothing is Falsified, and each gate says what would be needed.
NOT_PROVEN: dict[str, tuple[Make, dict[str, str]]] = {
    "unknown-alone": (
        _alone(lambda tensors: None),
        {
            FAMILY: "no family is shipped for 'LLaDAModelLM' (config.json · architectures): which tensors",
            LAYOUT: "the shapes of its tensors are not known",
            CONFIG: "which other sizes it declares",
        },
    ),
    "unknown-norms-with-one-added": (
        foreign_gguf(QWEN2, _norms_and_one),
        {VALUES: "a norm that was given +1 would explain the difference", MOMENTS: "what a converter does"},
    ),
    "unknown-rows-in-another-order": (
        foreign_gguf(LLAMA, lambda model: None),
        {VALUES: "rows permuted to llama.cpp's order with 8 heads (num_attention_heads) would explain"},
    ),
    "unknown-gate-and-up-fused": (foreign_gguf(QWEN2, _fused), {BIJECTION: "names, shapes, row orders and values"}),
    "unknown-a-matrix-transposed": (
        foreign_gguf(QWEN2, _transposed),
        {PAIR_SHAPES: "what a converter does", VALUES: "the shapes differ"},
    ),
    "unknown-gate-and-up-fused-in-a-directory": (_pair(_fused_beside), {BIJECTION: "what a converter does"}),
}
