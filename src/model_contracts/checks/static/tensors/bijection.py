"""Kinds `bijection` and `pair_shapes` (I-2): each tensor of the source has one in the target, of the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from model_contracts.anatomy.pairing.match import Extra, Match
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, Gap, gap
from model_contracts.checks.gaps import undeclared, wrapped
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, static
from model_contracts.outcome import Comparison, Place
from model_contracts.sweep.interface import Pairing


def bijection(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the two sets of tensors under the architecture's map of names."""
    match = examination.match
    if examination.view.wrapped and not examination.source_view.wrapped:
        yield wrapped(examination.view)
    for name, pairing in match.pairings.items():
        yield Draft(True, partial(_paired, name, pairing))
    yield from _layers(examination, match)
    for tensor in match.missing:
        yield Draft(False, partial(_missing, tensor))
    for tensor, reason in match.explained_missing:
        yield Draft(True, partial(_dropped, tensor, reason))
    for extra in match.extra:
        yield Draft(extra.explanation is not None, partial(_extra, extra))
    for unmade in match.unmade:
        yield gap(unmade.tensor, unmade.reason)
    for tensor in match.absent:
        yield gap(tensor, match.absence or "the source is not whole")
    for tensor in match.undecided:
        yield gap(tensor, match.unknown or "no name answers to it")


def _paired(name: str, pairing: Pairing) -> Comparison:
    return Comparison(
        measure="tensor_paired", place=Place(tensor=name), expected=pairing.source.name, observed=name, holds=True
    )


def _missing(tensor: Tensor) -> Comparison:
    return Comparison(
        measure="tensor_missing",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected="a tensor in the target",
        observed=None,
        holds=False,
        note=f"{tensor.elements:,} values of the source are not in the target",
    )


def _dropped(tensor: Tensor, reason: str) -> Comparison:
    return Comparison(
        measure="tensor_dropped", place=Place(tensor=tensor.name), expected="absent", holds=True, note=reason
    )


def _extra(extra: Extra) -> Comparison:
    return Comparison(
        measure="tensor_extra",
        place=Place(file=extra.tensor.file.name, tensor=extra.tensor.name),
        expected="a tensor of the source, or an explained extra",
        observed=extra.tensor.name,
        holds=extra.explanation is not None,
        note=extra.explanation or "the source has no such tensor",
    )


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
    stored = examination.source_view.artifact.tensors
    for pairing in examination.match.pairings.values():
        for side in (pairing.target.packed, pairing.source.packed):
            if side is not None and not side.shape_known:
                yield gap(pairing.target, f"its parts do not say its shape: layout {side.layout}")
                break
        else:
            made = pairing.source.made is not None
            shape = pairing.source.shape if made else stored[pairing.source.name].shape
            yield _shapes(examination, pairing, shape)


def _shapes(examination: Examination, pairing: Pairing, stored: tuple[int, ...]) -> Draft | Gap:
    holds = pairing.target.shape == pairing.source.shape
    if not holds and not pairing.declared:
        return undeclared(examination, pairing)
    return Draft(holds, partial(_shape, pairing, stored, holds))


def _shape(pairing: Pairing, stored: tuple[int, ...], holds: bool) -> Comparison:
    turned = pairing.target.shape == stored[::-1]
    note = "the axes are turned round" if turned and not holds else None
    return Comparison(
        measure="shape",
        place=Place(file=pairing.target.file.name, tensor=pairing.target.name),
        expected=list(stored),
        observed=list(pairing.target.shape),
        holds=holds,
        note="they differ by axes of 1 only" if holds and stored != pairing.target.shape else note,
    )


BIJECTION = static(NoParameters, bijection)
PAIR_SHAPES = static(NoParameters, pair_shapes)
