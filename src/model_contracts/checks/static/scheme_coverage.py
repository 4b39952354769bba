"""Kind `scheme_coverage`: what is packed is what the configuration promises, module by module, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.anatomy.storage.packed import PackedWeight
from model_contracts.anatomy.storage.quantization import Quantisation
from model_contracts.anatomy.storage.storage_claims import claims_of
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.interface import (
    Comparisons,
    Examination,
    NoParameters,
    Where,
    owed_to_schemes,
    static,
)
from model_contracts.outcome import Comparison, Place, Uncompared


def scheme_coverage(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare blocks, lists and single entries of the configurations with the modules that are packed."""
    view = examination.view
    found = owed_to_schemes(view)
    yield from claims_of(view.stored, found)
    for weight in found.weights:
        yield from _ignored(weight)
    for block in found.declared:
        yield from _covered(view, block)


def _ignored(weight: PackedWeight) -> Iterator[Comparison]:
    """No packed weight is of a module that the configuration says stays as it is."""
    if weight.block is None or not (weight.block.ignore or weight.block.single):
        return
    hit = weight.block.ignored(weight.module)
    yield Comparison(
        measure="module_packed" if hit is None else "module_ignored",
        place=Place(tensor=weight.module, key=hit[1].key if hit else None, file=hit[1].file if hit else None),
        expected="a module that no list names" if hit is None else f"not packed: {hit[1].key} names it",
        observed=weight.title,
        holds=hit is None,
        note=None if hit is None else f"the ignore list has {hit[0][:120]!r}, and the module is packed all the same",
    )


def _covered(view: View, block: Quantisation) -> Comparisons:
    """Where a scheme is for every linear layer, each is packed or named by a list."""
    own = [weight for weight in view.storage.weights if weight.block is block]
    undecided = sorted(text for modules, _ in block.ignore for text in modules.undecided)
    if undecided:
        reason = f"{len(undecided)} expressions of its lists are not evaluated (they may take too long)"
        yield Uncompared(place=block.place, count=len(undecided), reason=reason)
    if not own or not block.every_linear:
        return
    if view.family is None:
        yield Uncompared(place=block.place, reason=f"{view.unknown}: which modules are linear layers is not known")
        return
    for canonical, tensor in view.by_canonical.items():
        role = view.role(canonical)
        linear = role is not None and len(role.shape) == 2 and not role.vocabulary_rows
        if linear and tensor.packed is None:
            yield from _left(view, block, tensor)


def _left(view: View, block: Quantisation, tensor: Tensor) -> Comparisons:
    module = tensor.name.removesuffix(".weight")
    place = Place(file=tensor.file.name, tensor=module)
    hit = block.ignored(module)
    if hit is None and block.may_ignore(module):
        yield Uncompared(place=place, reason="whether a list of modules that stay as they are names it is not settled")
        return
    yield Comparison(
        measure="module_packed",
        place=place,
        expected=f"packed ({block.method}), or named by a list of modules that stay" if hit is None else "not packed",
        observed=tensor.dtype,
        holds=hit is not None,
        note=None if hit is not None else f"{block.place} is for every linear layer and its ignore list has none of it",
    )


SCHEME_COVERAGE = static(NoParameters, scheme_coverage)
