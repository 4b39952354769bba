"""Owns the model in the terms of its target: names, row orders, types, the tied head, what a label may claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from model_contracts.anatomy.claims import claims
from model_contracts.anatomy.conventions import StoredEntry
from model_contracts.anatomy.counterparts import made_of
from model_contracts.anatomy.names import huggingface_name, layer_count, template
from model_contracts.anatomy.steps import within_heads
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.containers import FORMS, Format
from model_contracts.converters import rope
from model_contracts.converters.carried import PREFIX
from model_contracts.converters.interface import ConversionRefused, Documents, PlannedTensor, TargetModel
from model_contracts.converters.types import HOLDS, Types, label_of
from model_contracts.dtypes import DTYPES
from model_contracts.family import Family, Recipes
from model_contracts.layout import Stored
from model_contracts.sweep.reads import same_bytes

_HEAD, _EMBEDDING, _FREQUENCIES = "output.weight", "token_embd.weight", "rope_freqs.weight"
#: Tensors that llama.cpp computes itself.
_COMPUTED = ("blk.{n}.attn_rot_embd",)
_WORDS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}


def model_of(
    view: View, documents: Documents, format: Format, dtype: str | None, recipes: Recipes, name: str
) -> tuple[TargetModel, tuple[str, ...]]:
    """The model to write, and what people should know of it. Raises ConversionRefused."""
    if view.storage.weights:
        raise ConversionRefused(
            f"{view.artifact.path}: values of layout {view.storage.weights[0].title} are not decoded"
        )
    embedding, head = view.by_canonical.get(_EMBEDDING), view.by_canonical.get(_HEAD)
    if embedding is None or len(embedding.shape) != 2:
        raise ConversionRefused(f"{view.artifact.path}: it has no token embedding that is known by its name")
    tied = view.tied is not False and (head is None or head.placeholder or _copied(view, head, embedding))
    types = Types.asked(dtype, format, recipes, layer_count(view.canonical.values()), tied)
    types.decoded = any(tensor.type.kind == "quantised" and tensor.dtype not in HOLDS[format] for tensor in _all(view))
    planned = _planned(view, documents, format, types, tied)
    scaling = _scaling(documents)
    numbers = {**view.numbers, "vocab_size": embedding.shape[0], **scaling}
    label = types.label or label_of(_held(planned), recipes, format, _claimed(view, recipes))
    recipe = recipes.recipes[label] if label is not None else None
    _dtype(documents, planned, format)
    if format == "gguf":
        documents.types = documents.types | _widened(planned, view.family)
        if data := rope.factors(rope.scaling_of(documents.config), numbers.get("rope_theta"), numbers.get("head_dim")):
            planned.append(PlannedTensor(_FREQUENCIES, _FREQUENCIES, "F32", (len(data) // 4,), data=data))
    family = view.family or next(known for known in view.families if known.id == "families/decoder")
    model = TargetModel(
        name=name,
        architecture=_architecture(view),
        documents=documents,
        numbers=numbers,
        declared=dict.fromkeys(scaling)
        | {found: value.place for found, value in view.declared.items() if value.enabled},
        keys={found: (parameter.gguf, parameter.apr) for found, parameter in family.hyperparameters.items()},
        tensors=tuple(planned),
        label=label,
        file_type=recipe.file_type if recipe is not None else None,
        tied=any(tensor.placeholder for tensor in planned),
        metadata=_metadata(view),
    )
    return model, types.conclude()


def _all(view: View) -> Iterator[Tensor]:
    """The tensors that have bytes."""
    return (tensor for tensor in view.artifact.tensors.values() if not tensor.placeholder)


def _scaling(documents: Documents) -> dict[str, Any]:
    """Rotary scaling as hyper-parameters, wherever the source declared it."""
    scaling = rope.scaling_of(documents.config)
    if scaling is None:
        return {}
    found = {"rope_scaling_type": rope.kind_of(scaling), "rope_scaling_factor": scaling.get("factor")}
    return {name: value for name, value in found.items() if value is not None}


def _claimed(view: View, recipes: Recipes) -> str | None:
    """The label that the source gives itself in its metadata."""
    said = claims(view.artifact, recipes)
    return next((claim.label for claim in said if claim.recipe is not None and claim.source != "file_name"), None)


def _architecture(view: View) -> str:
    if view.family is not None and view.family.gguf:
        return view.family.gguf[0]
    model_type = (view.artifact.config or {}).get("model_type")
    said = model_type or (view.architecture.name if view.architecture else None)
    if not isinstance(said, str):
        raise ConversionRefused(f"{view.artifact.path}: it does not say what its architecture is")
    return said


def _metadata(view: View) -> dict[str, Any]:
    if view.artifact.form.beside:
        return dict(view.artifact.metadata)
    found = view.artifact.metadata.get("source_metadata")
    return dict(found) if isinstance(found, dict) else {}


def _copied(view: View, head: Tensor, embedding: Tensor) -> bool:
    """Whether a head is the copy that aprender makes of a tied embedding; a publisher's own is kept."""
    ours = any(key.startswith(PREFIX) for key in view.artifact.metadata)
    if view.artifact.format != "apr" or ours or view.tied is not True:
        return False
    return head.dtype == embedding.dtype and head.shape == embedding.shape and same_bytes(head, embedding)


def _planned(view: View, documents: Documents, format: Format, types: Types, tied: bool) -> list[PlannedTensor]:
    planned: list[PlannedTensor] = []
    for canonical, tensor in _chosen(view, format, tied):
        if not tensor.readable:
            raise ConversionRefused(f"{tensor.name}: the file ends before the tensor does")
        found = PlannedTensor(
            name=_name(view, canonical, tensor, format),
            canonical=canonical,
            dtype=types.of(tensor, canonical),
            shape=tensor.shape,
            source=_in_order(view, canonical, tensor, format),
        )
        planned.append(_with_rows(found) if FORMS[format].padded_rows else found)
    if FORMS[format].vectors is None and types.label is None:
        planned = _restored(planned, documents)
    if format == "apr" and tied:
        embedding = next(tensor for tensor in planned if tensor.canonical == _EMBEDDING)
        base = next(known for known in view.families if known.id == "families/decoder")
        name = huggingface_name(view.family or base, _HEAD)
        planned.append(PlannedTensor(name, _HEAD, "F32", embedding.shape, placeholder=True))
    return planned


def _chosen(view: View, format: Format, tied: bool) -> Iterator[tuple[str | None, Tensor]]:
    """The tensors that have a place in the target, in the source's order."""
    unknown = []
    for name, tensor in view.artifact.tensors.items():
        canonical = view.canonical[name]
        bare = template(canonical)[0] if canonical is not None else None
        if (canonical == _HEAD and tied) or tensor.placeholder or canonical == _FREQUENCIES:
            continue
        if format == "gguf" and bare in _COMPUTED:
            continue
        if canonical is None and (format == "gguf" or view.artifact.format == "gguf"):
            unknown.append(name)
        yield canonical, tensor
    if unknown:
        names = ", ".join(unknown[:3]) + (" …" if len(unknown) > 3 else "")
        raise ConversionRefused(f"{names}: no family and no map knows what {len(unknown)} tensors are called elsewhere")


def _name(view: View, canonical: str | None, tensor: Tensor, format: Format) -> str:
    """What the target calls a tensor. Raises ConversionRefused for one that the other convention stores otherwise."""
    family, entry = view.family, view.entries[tensor.name]
    if canonical is None:
        return tensor.name
    if family is not None and entry is not None and not _plain(view, entry):
        other = FORMS[format].convention or "huggingface"
        if other == view.convention:
            return view.bare[tensor.name]
        raise ConversionRefused(
            f"{tensor.name}: the convention {other} stores it otherwise in {family.id} (fused, stacked or changed), "
            "which check compares and convert does not write yet"
        )
    if format == "gguf":
        return canonical
    if family is not None:
        return huggingface_name(family, canonical)
    if tensor.name == canonical:
        raise ConversionRefused(f"{canonical}: no family is shipped that says its Hugging Face name")
    return tensor.name


def _plain(view: View, entry: StoredEntry) -> bool:
    """Whether both conventions store a tensor as one, its rows in one order or the other."""
    weight = view.family.tensors.get(entry.key) if view.family is not None else None
    if weight is None or entry.fused or not weight.plain:
        return False
    held = view.family.fused if view.family is not None else {}
    return not any(entry.key in one.of for side in held.values() for one in side.values() if one is not None)


def _in_order(view: View, canonical: str | None, tensor: Tensor, format: Format) -> Tensor:
    """The source with its rows in the target's order, where that differs."""
    interleaved = format == "gguf"
    role = view.role(canonical) if canonical is not None else None
    if interleaved == view.rows_interleaved or role is None or role.heads is None:
        return tensor
    heads = view.numbers.get(role.heads) if isinstance(role.heads, str) else role.heads
    if not isinstance(heads, int) or heads <= 0 or tensor.shape[0] % (2 * heads):
        raise ConversionRefused(f"{tensor.name}: {tensor.shape[0]} rows are not {heads} heads of two halves")
    order = within_heads(Stored(tensor.name, tensor.shape), heads, back=not interleaved)
    return made_of(order, {tensor.name: tensor}, tensor.name)


def _with_rows(tensor: PlannedTensor) -> PlannedTensor:
    """.apr pads each row of a quantised matrix to whole blocks."""
    kind = DTYPES[tensor.dtype]
    if kind.block == 1 or len(tensor.shape) < 2 or tensor.shape[-1] % kind.block == 0:
        return tensor
    return replace(tensor, row_bytes=kind.nbytes(tensor.shape[-1]))


def _restored(planned: list[PlannedTensor], documents: Documents) -> list[PlannedTensor]:
    """Vectors that a container widened, in the type they were published in, where the matrices have it too."""
    common = _common(planned)
    return [
        replace(tensor, dtype=common)
        if common is not None
        and tensor.dtype == "F32"
        and len(tensor.shape) < 2
        and documents.types.get(tensor.name) == common
        else tensor
        for tensor in planned
    ]


def _widened(planned: list[PlannedTensor], family: Family | None) -> dict[str, str]:
    """What the types were of tensors that GGUF keeps in float32, by Hugging Face name."""
    if family is None:
        return {}
    return {
        huggingface_name(family, tensor.canonical): tensor.source.dtype
        for tensor in planned
        if tensor.source is not None
        and tensor.canonical is not None
        and tensor.dtype == "F32"
        and tensor.source.dtype in ("F16", "BF16")
    }


def _dtype(documents: Documents, planned: list[PlannedTensor], format: Format) -> None:
    """config.json says the type that the weights have; the published word stays where it is right."""
    common = _WORDS.get(_common(planned) or "")
    keys = [key for key in ("dtype", "torch_dtype") if documents.config.get(key) is not None]
    if not FORMS[format].beside or common is None:
        return
    for key in keys or ["torch_dtype"]:
        if documents.config.get(key) != common:
            documents.config = {**documents.config, key: common}


def _common(planned: list[PlannedTensor]) -> str | None:
    """The type that most values of the matrices have."""
    counted: Counter[str] = Counter()
    for tensor in planned:
        if len(tensor.shape) > 1 and not tensor.placeholder and DTYPES[tensor.dtype].kind == "float":
            counted[tensor.dtype] += tensor.elements
    return counted.most_common(1)[0][0] if counted else None


def _held(planned: list[PlannedTensor]) -> list[tuple[str | None, Tensor]]:
    """The planned tensors as those of an artifact, for questions about labels."""
    return [
        (tensor.canonical, Tensor(tensor.name, tensor.dtype, tensor.shape, Path(), 0, tensor.nbytes))
        for tensor in planned
        if not tensor.placeholder
    ]
