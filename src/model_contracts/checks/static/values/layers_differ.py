"""Kind `layers_differ`: no layer holds, matrix for matrix, the bytes of another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

from model_contracts.anatomy.families.names import template
from model_contracts.artifact import Tensor
from model_contracts.checks.interface import Comparisons, Examination, Where, not_owed, static
from model_contracts.outcome import Comparison, Place, Record, Uncompared
from model_contracts.sweep.interface import Moments
from model_contracts.sweep.reads import same_bytes


class LayersDifferParameters(Record):
    """Which architectures share layers by design."""

    shared: tuple[str, ...] = ()


def layers_differ(examination: Examination, parameters: LayersDifferParameters, where: Where) -> Comparisons:
    """Compare the moments of each layer's matrices with those of the layers before it, and bytes where all agree."""
    view = examination.view
    layers, unread = _layers(examination)
    if len(layers) < 2:
        raise not_owed("there are no two layers to tell apart")
    said = view.architecture.name.lower() if view.architecture is not None else ""
    if any(word in said for word in parameters.shared):
        raise not_owed(f"{said} shares layers by design")
    seen: dict[Hashable, str] = {}
    for layer, matrices in sorted(layers.items()):
        if layer in unread:
            yield Uncompared(place=Place(tensor=layer), reason="values of it could not be read")
            continue
        moments = tuple((name, *_told(found)) for name, (_, found) in sorted(matrices.items()))
        twin = seen.setdefault(moments, layer)
        equal = twin != layer and all(same_bytes(matrices[name][0], layers[twin][name][0]) for name in matrices)
        first = next(iter(matrices.values()))[0]
        yield Comparison(
            measure="layer_equal",
            place=Place(file=first.file.name, tensor=layer),
            expected="other values than every layer before it",
            observed=f"the bytes of {twin}" if equal else "other values",
            holds=not equal,
            count=sum(tensor.elements for tensor, _ in matrices.values()) or 1,
            note=f"all {len(matrices)} matrices of {layer} and {twin} are equal: one was copied, or read under "
            "another's number"
            if equal
            else None,
        )


def _layers(examination: Examination) -> tuple[dict[str, dict[str, tuple[Tensor, Moments]]], set[str]]:
    """Layer (its name up to the number) to its matrices, where one of them varies; and layers that were not read."""
    layers: dict[str, dict[str, tuple[Tensor, Moments]]] = defaultdict(dict)
    unread: set[str] = set()
    for name, tensor in examination.view.artifact.tensors.items():
        bare, number = template(name)
        if number is None or len(tensor.shape) < 2 or tensor.kind not in ("float", "quantised"):
            continue
        start, _, rest = bare.partition("{n}")
        layer = f"{start}{number}"
        moments = examination.sweep.moments.get(name)
        if moments is None:
            unread.add(layer)
        else:
            layers[layer][rest] = (tensor, moments)
    vary = {
        layer: matrices
        for layer, matrices in layers.items()
        if any(moments.minimum < moments.maximum for _, moments in matrices.values())
    }
    return vary, unread & set(vary)


def _told(moments: Moments) -> tuple[float, ...]:
    return (moments.count, moments.minimum, moments.maximum, moments.total, moments.squares)


LAYERS_DIFFER = static(LayersDifferParameters, layers_differ, reads_values=True)
