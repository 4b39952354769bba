"""Kind `family_tensors`: every tensor the family requires is there, once, and none that it does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from model_contracts.anatomy.names import layer_count
from model_contracts.anatomy.view import View
from model_contracts.checks.interface import Examination, NoParameters, Where, family_of
from model_contracts.family import Family
from model_contracts.outcome import Comparison, Place


def family_tensors(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare the tensor names with the family's table, layer by layer."""
    view = examination.view
    family = family_of(view)
    layers = view.numbers.get("num_hidden_layers")
    if not isinstance(layers, int) or isinstance(layers, bool) or not 0 < layers <= 10_000:
        layers = layer_count(view.canonical.values())
    seen = Counter(name for name in view.canonical.values() if name is not None)
    seen.update(view.refused)
    for canonical, name, source in _owed(family, layers, view):
        yield Comparison(
            measure="tensor_present",
            place=Place(tensor=name),
            expected=1,
            observed=seen[canonical],
            holds=seen[canonical] == 1,
            bound_from=source,
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


def _owed(family: Family, layers: int, view: View) -> Iterator[tuple[str, str, str]]:
    """Canonical name, name in this artifact's own words, and origin of every tensor that must be there."""
    gguf_names = view.rows_interleaved
    for bare, tensor in family.tensors.items():
        if tensor is None or tensor.presence != "required":
            continue
        name = bare if gguf_names else tensor.huggingface
        for layer in range(layers) if "{n}" in bare else (None,):
            number = "" if layer is None else str(layer)
            yield bare.replace("{n}", number), name.replace("{n}", number), family.where("tensors", bare)
