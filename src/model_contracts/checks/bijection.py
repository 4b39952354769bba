"""Kind `bijection` (I-2): every tensor of the source has one in the target and the reverse, explained extras aside."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.checks.interface import Examination, NoParameters, Where
from model_contracts.outcome import Comparison, Place


def bijection(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare the two sets of tensors under the architecture's map of names."""
    match = examination.match
    for name, pairing in match.pairings.items():
        yield Comparison(
            measure="tensor_paired", place=Place(tensor=name), expected=pairing.source.name, observed=name, holds=True
        )
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


def pair_shapes(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare the row-major shapes of each pair."""
    for name, pairing in examination.match.pairings.items():
        holds = pairing.target.shape == pairing.source.shape
        turned = pairing.target.shape == pairing.source.shape[::-1]
        yield Comparison(
            measure="shape",
            place=Place(file=pairing.target.file.name, tensor=name),
            expected=list(pairing.source.shape),
            observed=list(pairing.target.shape),
            holds=holds,
            note="the axes are turned round" if turned and not holds else None,
        )
