"""Owns what a repository of several models declares of its components, and what a component declares of its sizes.

Sizes are those of diffusers' classes UNet2DConditionModel, AutoencoderKL, FluxTransformer2DModel and
SD3Transformer2DModel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model_contracts.artifact import Artifact, Component, Tensor
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable

Seen = Iterator[Comparison | Uncompared]
#: Components that hold no weights, by how their class ends: what they say, nothing here knows.
_WEIGHTLESS = ("Scheduler", "ImageProcessor", "FeatureExtractor", "Processor", "Normalize", "Pooling", "Dropout")
#: By class: a key of the configuration, and the tensor and axis that it is the size of.
_AXES: dict[str, tuple[tuple[str, str, int], ...]] = {
    "UNet2DConditionModel": (
        ("in_channels", "conv_in.weight", 1),
        ("out_channels", "conv_out.weight", 0),
        ("block_out_channels.0", "conv_in.weight", 0),
        ("block_out_channels.0", "conv_out.weight", 1),
    ),
    "AutoencoderKL": (
        ("in_channels", "encoder.conv_in.weight", 1),
        ("out_channels", "decoder.conv_out.weight", 0),
        ("latent_channels", "decoder.conv_in.weight", 1),
        ("block_out_channels.0", "encoder.conv_in.weight", 0),
        ("block_out_channels.0", "decoder.conv_out.weight", 1),
    ),
    "FluxTransformer2DModel": (
        ("in_channels", "x_embedder.weight", 1),
        ("joint_attention_dim", "context_embedder.weight", 1),
        ("pooled_projection_dim", "time_text_embed.text_embedder.linear_1.weight", 1),
    ),
    "SD3Transformer2DModel": (
        ("in_channels", "pos_embed.proj.weight", 1),
        ("joint_attention_dim", "context_embedder.weight", 1),
        ("caption_projection_dim", "context_embedder.weight", 0),
        ("pooled_projection_dim", "time_text_embed.text_embedder.linear_1.weight", 1),
    ),
}
#: By class: a key that counts layers (of a list, how long it is), and what their names begin with.
_LAYERS: dict[str, tuple[tuple[str, str], ...]] = {
    "UNet2DConditionModel": (("block_out_channels", "down_blocks"), ("block_out_channels", "up_blocks")),
    "AutoencoderKL": (("block_out_channels", "encoder.down_blocks"), ("block_out_channels", "decoder.up_blocks")),
    "FluxTransformer2DModel": (
        ("num_layers", "transformer_blocks"),
        ("num_single_layers", "single_transformer_blocks"),
    ),
    "SD3Transformer2DModel": (("num_layers", "transformer_blocks"),),
}
#: By class: a key that every tensor of these names has as its last axis.
_COLUMNS = {"UNet2DConditionModel": (("cross_attention_dim", re.compile(r"\.attn2\.to_[kv]\.weight$")),)}
_MOST = 10_000


def declared_components(artifact: Artifact) -> Seen:
    """Each component that the repository names is there and of its class; weights of nobody are told one by one."""
    file = artifact.sidecars["config"].path.name
    for component in artifact.components:
        place = Place(file=file, key=component.name)
        if component.kind is None:
            continue
        yield Comparison(
            measure="component",
            place=place,
            expected=f"a folder with {component.kind[:80]}",
            observed="there" if component.there else "missing",
            holds=component.there,
        )
        yield from _class(component, place)
        if component.there and not component.paths and not component.kind.endswith(_WEIGHTLESS):
            reason = component.reason or "nothing in its folder is a model, or a part of one, that is known here"
            yield Uncompared(place=place, reason=f"{component.kind[:80]} is not looked at: {reason}"[:400])
    for name in artifact.strays:
        yield Uncompared(place=Place(file=name), reason=f"not looked at: it is of no component that {file} names")


def _class(component: Component, place: Place) -> Seen:
    """The class that the repository names, and the one that the component's own configuration names."""
    said = (component.config or {}).get("_class_name")
    classes = (component.config or {}).get("architectures")
    if isinstance(classes, list) and classes:
        said = classes[0]
    if isinstance(said, str) and component.library in ("diffusers", "transformers"):
        yield Comparison(
            measure="component_class", place=place, expected=component.kind, observed=said[:200],
            holds=said == component.kind,
        )  # fmt: skip


def component_sizes(artifact: Artifact) -> Seen:
    """Compare what a component's configuration counts and measures with its tensors."""
    config = artifact.config or {}
    kind = str(config.get("_class_name"))
    for key, name, axis in _AXES.get(kind, ()):
        value, tensor = _value(config, key), artifact.tensors.get(name)
        if value is not None and _plain(tensor) and tensor is not None and axis < len(tensor.shape):
            yield _size(artifact, key, value, tensor, axis)
    for key, start in _LAYERS.get(kind, ()):
        said = config.get(key)
        count = len(said) if isinstance(said, list) else said
        if type(count) is int and 0 <= count <= _MOST and artifact.tensors:
            yield _counted(artifact, key, start, count)
    for key, pattern in _COLUMNS.get(kind, ()):
        value = _value(config, key)
        for name, tensor in artifact.tensors.items() if value is not None else ():
            if pattern.search(name) and _plain(tensor) and len(tensor.shape) == 2:
                yield _size(artifact, key, value, tensor, 1)


def _value(config: Mapping[str, Any], key: str) -> int | None:
    name, _, at = key.partition(".")
    value = config.get(name)
    if at:
        value = value[int(at)] if isinstance(value, list) and len(value) > int(at) else None
    return value if type(value) is int else None


def _plain(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.packed is None and tensor.type.kind == "float"


def _size(artifact: Artifact, key: str, value: int | None, tensor: Tensor, axis: int) -> Comparison:
    return Comparison(
        measure=key.partition(".")[0],
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=jsonable(value),
        observed=tensor.shape[axis],
        holds=tensor.shape[axis] == value,
        note=f"{_file(artifact)} says {key}; axis {axis} is it",
    )


def _counted(artifact: Artifact, key: str, start: str, count: int) -> Comparison:
    numbers = {
        int(match[1]) for name in artifact.tensors if (match := re.match(rf"{re.escape(start)}\.(\d{{1,5}})\.", name))
    }
    absent = sorted({*range(count)} - numbers)
    beyond = sorted(numbers - {*range(count)})
    return Comparison(
        measure=key,
        place=Place(file=_file(artifact), key=key),
        expected=f"tensors of {count} {start}",
        observed=f"none of {start}.{absent[0]}"
        if absent
        else f"{start}.{beyond[0]} too"
        if beyond
        else f"{count} of them",
        holds=not absent and not beyond,
    )


def _file(artifact: Artifact) -> str:
    sidecar = artifact.sidecars.get("config")
    return sidecar.path.name if sidecar is not None else "config.json"
