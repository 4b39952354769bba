"""Changes of honest folders of packed weights, as writers and readers of them have made them by mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from support.mutations import Stored, json_of, safetensors_of, stored
from support.packed_parts import numbers
from support.quantised_parts import gptq, held

L = "model.layers.0."
Q, GATE, UP, DOWN = L + "self_attn.q_proj", L + "mlp.gate_proj", L + "mlp.up_proj", L + "mlp.down_proj"
Tensors = dict[str, Stored]
#: Changes an honest folder in place.
Change = Callable[[Path], None]


def tensors(change: Callable[[Tensors], None]) -> Change:
    """A change of the stored tensors."""

    def apply(folder: Path) -> None:
        with safetensors_of(folder / "model.safetensors") as found:
            change(found)

    return apply


def config(change: Callable[[dict[str, Any]], None], file: str = "config.json") -> Change:
    """A change of a configuration."""

    def apply(folder: Path) -> None:
        with json_of(folder / file) as found:
            change(found)

    return apply


def both(*changes: Change) -> Change:
    """One change after another."""

    def apply(folder: Path) -> None:
        for change in changes:
            change(folder)

    return apply


def without(end: str, modules: str = "") -> Change:
    """Parts of that name are not there."""

    def change(found: Tensors) -> None:
        for name in [name for name in found if name.endswith(end) and modules in name]:
            del found[name]

    return tensors(change)


def numbers_of(end: str, change: Callable[[Any], Any], modules: str = "") -> Change:
    """The numbers of parts of that name changed."""

    def apply(found: Tensors) -> None:
        for name, part in found.items():
            if name.endswith(end) and modules in name:
                found[name] = stored(np.asarray(change(part.values.copy()), np.float32), part.dtype)

    return tensors(apply)


def elements_of(end: str, kind: str, change: Callable[[Any], Any], modules: str = "") -> Change:
    """The stored elements of parts of that name changed, in their own type."""

    def apply(found: Tensors) -> None:
        for name, part in found.items():
            if name.endswith(end) and modules in name:
                array = np.frombuffer(part.data, kind).reshape(part.shape).copy()
                found[name] = held(part.dtype, change(array))

    return tensors(apply)


def plain(module: str) -> Callable[[Tensors], None]:
    """A module as an unpacked model has it."""

    def change(found: Tensors) -> None:
        shape = {
            "q_proj": (256, 256),
            "down_proj": (256, 512),
        }.get(module.rpartition(".")[2], (512, 256))
        for name in [name for name in found if name.startswith(f"{module}.") and not name.endswith(".bias")]:
            del found[name]
        random = np.random.default_rng(1).normal(0, 0.02, shape)
        found[f"{module}.weight"] = stored(random.astype(np.float32), "BF16")

    return change


def every_plain(found: Tensors) -> None:
    """No module is packed."""
    modules = {name.removesuffix(".weight_scale") for name in found if name.endswith(".weight_scale")}
    for module in modules:
        plain(module)(found)


def set_to(value: float, *places: int) -> Callable[[Any], Any]:
    """Some numbers of a flat array set."""

    def change(array: Any) -> Any:
        for place in places:
            array.reshape(-1)[place] = value
        return array

    return change


def halved(found: Tensors) -> None:
    """Scales for half of the groups (made from the packed bytes)."""
    part = found[f"{DOWN}.weight_scale"]
    array = np.frombuffer(part.data, np.uint8).reshape(part.shape)[:, ::2]
    found[f"{DOWN}.weight_scale"] = held(part.dtype, array)


def unpacked_zeros(found: Tensors) -> None:
    """Zero points one a word, under the name of packed ones."""
    shape = found[f"{DOWN}.scales"].shape
    found[f"{DOWN}.qzeros"] = held("I32", np.full(shape, 7, np.int32))


def swapped(array: Any) -> Any:
    """Nibbles in the other order."""
    return (array >> 4) | (array << 4)


def order_left_out(array: Any) -> Any:
    """Columns of AWQ's words in their own order, as a converter without the order writes them."""
    fields = (array.view(np.uint32)[..., None] >> (4 * np.array([0, 4, 1, 5, 2, 6, 3, 7], np.uint32))) & 15
    words: Any = (fields << (4 * np.arange(8, dtype=np.uint32))).sum(-1, dtype=np.uint32)
    return words


def zero_to_fifteen(array: Any) -> Any:
    """Each zero point one less within its bits: 0 becomes 15."""
    words = array.view(np.uint32)
    fields = (words[..., None] >> (4 * np.arange(8, dtype=np.uint32))) & 15
    return (((fields + 15) % 16) << (4 * np.arange(8, dtype=np.uint32))).sum(-1, dtype=np.uint32)


def larger(array: Any) -> Any:
    """Codes of FP8 made with a scale four times too large: two exponents lower."""
    magnitude = array & 0x7F
    lowered: Any = np.where(magnitude >= 0x10, magnitude - 0x10, 0).astype(np.uint8) | (array & 0x80)
    return lowered


def version_two(folder: Path) -> None:
    """Zero points as version 2 stores them, under the name of version 1."""
    from support.quantised_parts import QWEN2, read_safetensors_model

    values, _ = read_safetensors_model(QWEN2 / "model.safetensors")
    with safetensors_of(folder / "model.safetensors") as found:
        for name in [name for name in found if name.endswith(".qweight")]:
            module = name.removesuffix(".qweight")
            made = gptq(np.asarray(values[f"{module}.weight"].values, np.float32), 0)
            found.update({module + end: part for end, part in made.items()})


def block(change: Callable[[dict[str, Any]], None]) -> Change:
    """A change of quantization_config."""
    return config(lambda found: change(found["quantization_config"]))


def other_file(folder: Path) -> None:
    """A second configuration that says another algorithm."""
    said = {
        "quantization": {
            "quant_algo": "FP8",
            "kv_cache_quant_algo": None,
            "exclude_modules": ["lm_head"],
        },
    }
    (folder / "hf_quant_config.json").write_text(json.dumps(said), "utf-8")


def leaked(found: Tensors) -> None:
    """What a calibration kept, under the names of its own modules."""
    found[f"{Q}.weight_quantizer._amax"] = stored(np.ones(1, np.float32), "F32")


def packed_norm(found: Tensors) -> None:
    """A norm in FP8 with a scale."""
    found[f"{L}input_layernorm.weight"] = replace(
        found[f"{Q}.weight"], shape=(256,), data=found[f"{Q}.weight"].data[:256]
    )
    found[f"{L}input_layernorm.weight_scale_inv"] = stored(np.ones((1, 1), np.float32), "F32")


def kept_order(found: dict[str, Any]) -> None:
    found["config_groups"]["group_0"]["weights"]["actorder"] = "group"


def mixed(found: dict[str, Any]) -> None:
    found.update(quant_algo="MIXED_PRECISION", quantized_layers={})


def narrow(found: Tensors) -> None:
    """A matrix of 8 rows beside the others: no multiple of a kernel's tile."""
    for end in (".weight_packed", ".weight_scale"):
        part = found[f"{L}self_attn.k_proj{end}"]
        array = part.rows.reshape(part.shape[0], -1)[:96]
        found[f"{L}self_attn.k_proj{end}"] = Stored(part.dtype, (96, *part.shape[1:]), array.tobytes())
    found[f"{L}self_attn.k_proj.weight_shape"] = numbers(96, 256)


def as_written(folder: Path) -> None:
    """Nothing: a writer that scales each matrix by itself makes it so."""
