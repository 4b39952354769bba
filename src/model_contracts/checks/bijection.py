"""Kinds `bijection` and `pair_shapes` (I-2): each tensor of the source has one in the target, of the same shape."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.anatomy.pairing import Match
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, undeclared, wrapped
from model_contracts.outcome import Comparison, Place, Uncompared


def bijection(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the two sets of tensors under the architecture's map of names."""
    match = examination.match
    if examination.view.wrapped and not examination.source_view.wrapped:
        yield wrapped(examination.view)
    for name, pairing in match.pairings.items():
        yield Comparison(
            measure="tensor_paired", place=Place(tensor=name), expected=pairing.source.name, observed=name, holds=True
        )
    yield from _layers(examination, match)
    for tensor in match.missing:
        yield Comparison(
            measure="tensor_missing",
            place=Place(file=tensor.file.name, tensor=tensor.name),
            expected="a tensor in the target",
            observed=None,
            holds=False,
            note=f"{tensor.elements:,} values of the source are not in the target",
        )
    for tensor, reason in match.explained_missing:
        yield Comparison(
            measure="tensor_dropped", place=Place(tensor=tensor.name), expected="absent", holds=True, note=reason
        )
    for extra in match.extra:
        yield Comparison(
            measure="tensor_extra",
            place=Place(file=extra.tensor.file.name, tensor=extra.tensor.name),
            expected="a tensor of the source, or an explained extra",
            observed=extra.tensor.name,
            holds=extra.explanation is not None,
            note=extra.explanation or "the source has no such tensor",
        )
    for tensor in match.undecided:
        place = Place(file=tensor.file.name, tensor=tensor.name)
        yield Uncompared(place=place, reason=match.unknown or "no name answers to it")


def _layers(examination: Examination, match: Match) -> Iterator[Comparison]:
    for layer in match.missing_layers:
        yield Comparison(
            measure="layer_missing",
            place=Place(file=examination.target.path.name, tensor=f"layer {layer}"),
            expected="tensors of that layer, as the source has them",
            observed=None,
            holds=False,
            note=f"no tensor of the target bears the number of layer {layer}, which the source declares and has",
        )


def pair_shapes(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the row-major shapes of each pair; axes of 1 that a converter adds or takes away hold no value."""
    for name, pairing in examination.match.pairings.items():
        sides = (pairing.target.packed, pairing.source.packed)
        if unknown := next((side for side in sides if side is not None and not side.shape_known), None):
            reason = f"its parts do not say its shape: layout {unknown.layout}"
            yield Uncompared(place=Place(file=pairing.target.file.name, tensor=name), reason=reason)
            continue
        holds = pairing.target.shape == pairing.source.shape
        if not holds and not pairing.declared:
            yield undeclared(examination, pairing)
            continue
        stored = examination.source_view.artifact.tensors[pairing.source.name].shape
        turned = pairing.target.shape == stored[::-1]
        note = "the axes are turned round" if turned and not holds else None
        yield Comparison(
            measure="shape",
            place=Place(file=pairing.target.file.name, tensor=name),
            expected=list(stored),
            observed=list(pairing.target.shape),
            holds=holds,
            note="they differ by axes of 1 only" if holds and stored != pairing.target.shape else note,
        )
