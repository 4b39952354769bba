"""Kind `family_tensors`: every tensor the family requires is there, once, and none that it does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from model_contracts.anatomy.names import layer_count
from model_contracts.anatomy.part_tensors import tensors_of
from model_contracts.anatomy.view import View
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, missing_input, wrapped
from model_contracts.family import Family, FamilyTensor
from model_contracts.outcome import Comparison, Place, Uncompared


def family_tensors(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the tensor names with the family's table, layer by layer; a part of a model with what it is made of."""
    view = examination.view
    if not view.part.whole:
        yield from tensors_of(view.artifact, view.part)
        return
    if view.wrapped:
        yield wrapped(view)
    if view.family is not None:
        yield from _of_family(view, view.family)
        return
    if view.architecture is None:
        raise missing_input(str(view.unknown))
    if not view.artifact.tensors:
        yield Comparison(
            measure="tensor_present",
            place=Place(file=view.artifact.path.name),
            expected="a tensor at least",
            observed="none",
            holds=False,
        )
    for name, tensor in view.artifact.tensors.items():
        place = Place(file=tensor.file.name, tensor=name)
        yield Uncompared(place=place, reason=f"{view.unknown}: which tensors it has is not known")


def _of_family(view: View, family: Family) -> Iterator[Comparison]:
    layers = view.numbers.get("num_hidden_layers")
    if not isinstance(layers, int) or isinstance(layers, bool) or not 0 < layers <= 10_000:
        layers = layer_count(view.canonical.values())
    seen = Counter(name for name in view.canonical.values() if name is not None)
    seen.update(view.refused)
    for canonical, name, source, flag in _owed(family, layers, view):
        count = seen[canonical]
        yield Comparison(
            measure="tensor_present",
            place=Place(tensor=name),
            expected="once",
            observed={0: "missing", 1: "once"}.get(count, f"{count} times"),
            holds=count == 1,
            bound_from=source,
            note=f"{flag} is declared true" if flag is not None else None,
        )
    allowed = set(family.converter_only)
    for name, known in view.canonical.items():
        if known is None or (known not in allowed and view.role(known) is None):
            yield Comparison(
                measure="tensor_known",
                place=Place(tensor=name),
                expected=f"a tensor of {family.id}",
                observed=name,
                holds=False,
                bound_from=family.where("tensors"),
            )


def _owed(family: Family, layers: int, view: View) -> Iterator[tuple[str, str, str, str | None]]:
    """Canonical name, the artifact's own, origin, and the flag that asks for it, of all that must be there."""
    gguf_names = view.rows_interleaved
    for bare, tensor in family.tensors.items():
        if tensor is None or not (tensor.presence == "required" or _asked_for(tensor, view)):
            continue
        name = bare if gguf_names else tensor.huggingface
        for layer in range(layers) if "{n}" in bare else (None,):
            number = "" if layer is None else str(layer)
            flag = tensor.required_by if tensor.presence != "required" else None
            yield bare.replace("{n}", number), name.replace("{n}", number), family.where("tensors", bare), flag


def _asked_for(tensor: FamilyTensor, view: View) -> bool:
    return tensor.required_by is not None and view.flag(tensor.required_by)
