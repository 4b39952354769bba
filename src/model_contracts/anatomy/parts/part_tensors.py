"""Owns what the tensors of a part of a model owe: which there are, their shapes, the sizes that it declares."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.anatomy.parts import adapter_tensors
from model_contracts.anatomy.parts.components import component_sizes, declared_components
from model_contracts.anatomy.parts.drafts import draft_shapes, draft_sizes, draft_tensors
from model_contracts.anatomy.parts.projectors import layers_of
from model_contracts.anatomy.parts.recognised import Part
from model_contracts.artifact import Artifact
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable

Seen = Iterator[Comparison | Uncompared]
#: What a pooling calls the width that it takes: sentence-transformers up to 5, and 6.
WIDTH_KEYS = ("word_embedding_dimension", "embedding_dimension")


def tensors_of(artifact: Artifact, part: Part) -> Seen:
    """Compare the tensors of a part with what parts of its kind are made of."""
    if part.name == "vocabulary":
        yield from _vocabulary(artifact, part)
        return
    yield Comparison(
        measure="tensor_present",
        place=Place(file=artifact.path.name),
        expected=f"{part.words} with a tensor at least",
        observed=f"{len(artifact.tensors):,} tensors" if artifact.tensors else "no tensor at all",
        holds=bool(artifact.tensors),
    )
    if part.name == "adapter" and adapter_tensors.known(artifact):
        yield from adapter_tensors.tensors(artifact)
    elif part.name == "adapter":
        kind = jsonable((artifact.config or {}).get("peft_type"))
        yield from _not_known(artifact, f"what an adapter of the kind {kind} is made of is not known")
    elif part.name == "imatrix":
        yield from _imatrix(artifact)
    elif part.name == "dense":
        yield from _dense(artifact)
    elif part.name == "draft":
        yield from draft_tensors(artifact)
    else:
        yield from _not_known(artifact, f"no family is shipped for {part}: which tensors it has is not known")


def shapes_of(artifact: Artifact, part: Part) -> Seen:
    """Compare the shapes of a part with each other."""
    if part.name == "adapter" and adapter_tensors.known(artifact):
        yield from adapter_tensors.shapes(artifact)
    elif part.name == "dense":
        yield from _dense_shapes(artifact)
    elif part.name == "draft":
        yield from draft_shapes(artifact)
    else:
        yield from _not_known(artifact, f"no family is shipped for {part}: the shapes of its tensors are not known")


def sizes_of(artifact: Artifact, part: Part) -> Seen:
    """Compare what a part declares of its sizes with its tensors."""
    if part.name == "adapter" and adapter_tensors.known(artifact):
        yield from adapter_tensors.sizes(artifact)
    elif part.name == "dense":
        yield from _dense_shapes(artifact)
    elif part.name == "pooling":
        yield from _pooling(artifact)
    elif part.name == "draft":
        yield from draft_sizes(artifact)
    elif part.name == "repository":
        yield from declared_components(artifact)
    else:
        if part.name == "component":
            yield from component_sizes(artifact)
        if part.name == "projector":
            yield from layers_of(artifact)
        yield from _not_known(artifact, f"no family is shipped for {part}: which sizes it declares is not known")


def _not_known(artifact: Artifact, reason: str) -> Seen:
    for name, tensor in artifact.tensors.items():
        yield Uncompared(place=Place(file=tensor.file.name, tensor=name), reason=reason)


def _vocabulary(artifact: Artifact, part: Part) -> Seen:
    """A file without tensors is a vocabulary where its name says so; else a model may have lost them all."""
    if part.named:
        yield Comparison(measure="no_tensors", place=Place(file=artifact.path.name), expected=0, observed=0, holds=True)
    else:
        reason = "it holds no tensor: a vocabulary alone, or a model that lost them all, which nothing in it tells"
        yield Uncompared(place=Place(file=artifact.path.name), reason=reason)


def _imatrix(artifact: Artifact) -> Seen:
    names = artifact.tensors
    for name, tensor in names.items():
        ends = (".in_sum2", ".counts")
        other = next((name.removesuffix(end) + ends[1 - at] for at, end in enumerate(ends) if name.endswith(end)), None)
        yield Comparison(
            measure="imatrix_pair",
            place=Place(file=tensor.file.name, tensor=name),
            expected=other or "a name that ends in .in_sum2 or .counts",
            observed=other if other in names else "missing" if other else name,
            holds=other in names,
        )


def _dense(artifact: Artifact) -> Seen:
    config = artifact.config or {}
    owed = ["linear.weight", *(["linear.bias"] if config.get("bias", True) is not False else [])]
    for name in owed:
        there = name in artifact.tensors
        observed = "there" if there else "missing"
        place = Place(tensor=name)
        yield Comparison(measure="tensor_present", place=place, expected="there", observed=observed, holds=there)
    for name, tensor in artifact.tensors.items():
        if name not in owed:
            place = Place(file=tensor.file.name, tensor=name)
            yield Comparison(measure="tensor_known", place=place, expected=list(owed), observed=name, holds=False)


def _dense_shapes(artifact: Artifact) -> Seen:
    config = artifact.config or {}
    rows, columns = config.get("out_features"), config.get("in_features")
    for name, expected in (("linear.weight", [rows, columns]), ("linear.bias", [rows])):
        if (tensor := artifact.tensors.get(name)) is not None:
            shape = list(tensor.shape)
            yield Comparison(
                measure="shape",
                place=Place(file=tensor.file.name, tensor=name),
                expected=jsonable(expected),
                observed=jsonable(shape),
                holds=shape == expected,
            )


def _pooling(artifact: Artifact) -> Seen:
    config = artifact.config or {}
    key = next((key for key in WIDTH_KEYS if key in config), WIDTH_KEYS[0])
    width = config.get(key)
    modes = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    named = config.get("pooling_mode")
    place = artifact.sidecars["config"].path.name if "config" in artifact.sidecars else None
    whole = isinstance(width, int) and not isinstance(width, bool) and width > 0
    yield Comparison(
        measure=key,
        place=Place(file=place, key=key),
        expected="a whole number above 0",
        observed=jsonable(width),
        holds=whole,
    )
    yield Comparison(
        measure="pooling_mode",
        place=Place(file=place, key="pooling_mode"),
        expected="a mode at least",
        observed=jsonable(modes or named),
        holds=bool(modes or named),
    )
