"""Owns the model in the terms of its target: its tensors and their types, the tied head, what a label may claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from model_contracts.anatomy.claims import claims
from model_contracts.anatomy.families.carried import PREFIX
from model_contracts.anatomy.families.names import huggingface_name, layer_count
from model_contracts.anatomy.pairing.keyed import as_keys
from model_contracts.anatomy.pairing.made import parts_of
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.containers import FORMS, Format
from model_contracts.converters import rope
from model_contracts.converters.interface import ConversionRefused, Documents, PlannedTensor, TargetModel
from model_contracts.converters.planning import EMBEDDING, FREQUENCIES, HEAD, TensorPlan
from model_contracts.converters.stated_keys import stated, stated_apr
from model_contracts.converters.types import HOLDS, Types, label_of
from model_contracts.definitions import load_keys
from model_contracts.dtypes import DTYPES
from model_contracts.recipes import Recipes
from model_contracts.sweep.reads import same_bytes

_WORDS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}


def model_of(
    view: View, documents: Documents, format: Format, dtype: str | None, recipes: Recipes, name: str
) -> tuple[TargetModel, tuple[str, ...]]:
    """The model to write, and what people should know of it. Raises ConversionRefused."""
    for tensor in _all(view):
        if tensor.packed is not None and tensor.packed.unread is not None:
            raise ConversionRefused(f"{view.artifact.path}: values of layout {tensor.packed.layout} are not decoded")
    embedding, head = view.by_canonical.get(EMBEDDING), view.by_canonical.get(HEAD)
    if embedding is None or len(embedding.shape) != 2:
        raise ConversionRefused(f"{view.artifact.path}: it has no token embedding that is known by its name")
    tied = view.tied is not False and (head is None or head.placeholder or _copied(view, head, embedding))
    types = Types.asked(dtype, format, recipes, layer_count(view.canonical.values()), tied)
    types.unpacked = _unpacked(view)
    blocks = (tensor.dtype for tensor in _all(view) if tensor.packed is None and tensor.type.kind == "quantised")
    types.decoded = any(dtype not in HOLDS[format] for dtype in blocks)
    to_gguf = FORMS[format].prefixed_keys
    keys = _stated(view, documents.config, format)
    plan = TensorPlan(view, format, tied, _alone(documents.config), _blocks(keys))
    planned = _planned(view, documents, plan, types)
    scaling = _scaling(documents)
    numbers = {**view.numbers, "vocab_size": embedding.shape[0], **scaling}
    label = types.label or label_of(_held(planned), recipes, format, _claimed(view, recipes))
    recipe = recipes.recipes[label] if label is not None else None
    _dtype(documents, planned, format)
    if to_gguf:
        documents.types = documents.types | _widened(planned, view)
        planned += _factors(view, documents, numbers, {tensor.name for tensor in planned})
    model = TargetModel(
        name=name,
        architecture=_architecture(view),
        documents=documents,
        numbers=numbers,
        declared=dict.fromkeys(scaling)
        | {found: value.place for found, value in view.declared.items() if value.enabled},
        keys={found: parameter.apr for found, parameter in view.base.hyperparameters.items()},
        tensors=tuple(planned),
        label=label,
        file_type=recipe.file_type if recipe is not None else None,
        tied=any(tensor.placeholder for tensor in planned),
        metadata=_metadata(view),
        stated=keys,
    )
    return model, (*types.conclude(), *_left_out(plan))


def _stated(view: View, config: Mapping[str, Any], format: Format) -> dict[str, Any]:
    """The hyper-parameters in the keys of a target that has keys of its own."""
    form = FORMS[format]
    if form.prefixed_keys and view.family is not None and not view.family.gguf:
        raise ConversionRefused(f"{view.artifact.path}: llama.cpp has no word for {view.family.title}, and reads none")
    if form.prefixed_keys:
        keys = stated(view, config, _architecture(view), load_keys())
        return keys | as_keys(view, _architecture(view))
    return {} if form.beside else stated_apr(view, config, load_keys())


def _blocks(keys: Mapping[str, Any]) -> int | None:
    """How many layers a GGUF states; a model of two stacks has those of the larger (None: it states none)."""
    counts = [value for key, value in keys.items() if key.endswith("block_count") and isinstance(value, int)]
    return max(counts, default=None)


def _factors(view: View, documents: Documents, numbers: Mapping[str, Any], there: set[str]) -> Iterator[PlannedTensor]:
    """Tensors of factors of scaled positions, where the source has them as numbers."""
    scaling = rope.scaling_of(documents.config)
    one = rope.factors(scaling, numbers.get("rope_theta"), numbers.get("head_dim"))
    found = {FREQUENCIES: one} if one else {}
    if (two := rope.longrope(documents.config, _architecture(view))) is not None:
        found |= two[0]
    for name, data in found.items():
        if name not in there:
            yield PlannedTensor(name, name, "F32", (len(data) // 4,), data=data)


def _left_out(plan: TensorPlan) -> Iterator[str]:
    if names := plan.left_out:
        some = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        yield f"{len(names)} tensors have no place in the convention {plan.convention} and were left out: {some}"


def _all(view: View) -> Iterator[Tensor]:
    """The tensors that have bytes."""
    return (tensor for tensor in view.artifact.tensors.values() if not tensor.placeholder)


def _unpacked(view: View) -> str:
    """The commonest float type among weights that are not packed; F32 where all are."""
    types = Counter(tensor.dtype for tensor in _all(view) if tensor.packed is None and tensor.dtype in _WORDS)
    return next((dtype for dtype, _ in types.most_common(1)), "F32")


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


def _planned(view: View, documents: Documents, plan: TensorPlan, types: Types) -> list[PlannedTensor]:
    planned: list[PlannedTensor] = []
    for meant in plan.tensors():
        if not all(part.readable for part in parts_of(meant.source)):
            raise ConversionRefused(f"{meant.source.name}: the file ends before the tensor does")
        dtype = types.of(meant.source, meant.canonical)
        found = PlannedTensor(meant.name, meant.canonical, dtype, meant.source.shape, meant.source)
        planned.append(_with_rows(found) if FORMS[plan.format].padded_rows else found)
    if FORMS[plan.format].vectors is None and types.label is None:
        planned = _restored(planned, documents)
    headed = view.family is None or HEAD in view.family.tensors
    if plan.format == "apr" and plan.tied and headed:
        embedding = next(tensor for tensor in planned if tensor.canonical == EMBEDDING)
        name = huggingface_name(view.base, HEAD)
        planned.append(PlannedTensor(name, HEAD, "F32", embedding.shape, placeholder=True))
    return planned


def _alone(config: Mapping[str, Any]) -> bool:
    """Whether a config.json names the base class of its architecture, which transformers saves without its prefix."""
    classes = config.get("architectures")
    name = classes[0] if isinstance(classes, list) and classes and isinstance(classes[0], str) else ""
    return name.endswith("Model") and not name.endswith("LMHeadModel")


def _with_rows(tensor: PlannedTensor) -> PlannedTensor:
    """.apr pads each row of a quantised matrix to whole blocks."""
    kind = DTYPES[tensor.dtype]
    if kind.block == 1 or len(tensor.shape) < 2 or tensor.shape[-1] % kind.block == 0:
        return tensor
    return replace(tensor, row_bytes=kind.nbytes(tensor.shape[-1]))


def _restored(planned: list[PlannedTensor], documents: Documents) -> list[PlannedTensor]:
    """What a container widened, in the type that it was published in, where the matrices have it too."""
    common = _common(planned)
    return [
        replace(tensor, dtype=common)
        if common is not None and tensor.dtype == "F32" and documents.types.get(tensor.name) == common
        else tensor
        for tensor in planned
    ]


def _widened(planned: list[PlannedTensor], view: View) -> dict[str, str]:
    """What the types were of tensors that GGUF keeps in float32, by Hugging Face name."""
    found: dict[str, str] = {}
    for tensor in planned:
        if tensor.source is None or tensor.canonical is None or tensor.dtype != "F32" or view.family is None:
            continue
        for part in parts_of(tensor.source):
            if part.dtype in ("F16", "BF16"):
                ours = view.convention == "huggingface"
                found[view.bare[part.name] if ours else huggingface_name(view.family, tensor.canonical)] = part.dtype
    return found


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
