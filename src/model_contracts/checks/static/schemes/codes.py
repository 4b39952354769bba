"""Kind `scheme_codes`: codes use the range that their scales give them, and none are what nobody wrote."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pydantic import Field

from model_contracts.anatomy.storage.packed import PackedWeight
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, gap, share
from model_contracts.checks.interface import Comparisons, Examination, Where, not_owed, owed_to_schemes, static
from model_contracts.family import FamilyTensor
from model_contracts.outcome import Comparison, Place, Record
from model_contracts.sweep.figures import PackedFigures, UnitFigures


class SchemeCodesParameters(Record):
    """The bounds: shares of the units (values that share a scale) of one weight."""

    half: float = Field(ge=0, le=1, description="Of units whose codes stay below half of their range.")
    short: float = Field(ge=0, le=1, description="Of units whose codes do not reach its end, where scales are exact.")
    flat: float = Field(ge=0, le=1, description="Of units of one code that is not zero.")
    blank: float = Field(ge=0, le=1, description="Of units whose codes are all zero.")


def scheme_codes(examination: Examination, parameters: SchemeCodesParameters, where: Where) -> Comparisons:
    """Compare, weight by weight, how many units fall short of their range, or hold one code only."""
    view = examination.view
    weights = owed_to_schemes(view).weights
    if not weights:
        raise not_owed("no tensor is part of a packed weight")
    fitted: set[str] = set()
    told = False
    for weight in weights:
        tensor = view.artifact.tensors.get(weight.name)
        figures = examination.sweep.packed.get(weight.name)
        units = figures.units if figures is not None else None
        if tensor is None or tensor.packed is None or figures is None:
            told = True
            unread = tensor.packed.unread if tensor is not None and tensor.packed is not None else None
            reason = examination.sweep.undecodable.get(weight.name, unread or "its codes were not read")
            yield gap(tensor or next(iter(weight.parts.values())), reason)
        elif units is None or not units.looked:
            fitted.add(weight.title)
        else:
            told = True
            role = view.role(view.canonical.get(weight.name) or "")
            yield from _units(weight, tensor, figures, units, parameters, where, role)
    if not told:
        raise not_owed(
            f"scales of {', '.join(sorted(fitted))[:200]} are fitted, and not made from the largest magnitude"
        )


def _units(
    weight: PackedWeight, tensor: Tensor, figures: PackedFigures, units: UnitFigures,
    parameters: SchemeCodesParameters, where: Where, role: FamilyTensor | None,
) -> Iterator[Draft]:  # fmt: skip
    shared = units.units == 1 or (units.units < 2 * max(tensor.rows // max(tensor.shape[-2], 1), 1))
    bounds = [("flat", units.flat, units.looked, "first_flat"), ("blank", units.blank, units.looked, "")]
    if role is not None and role.vocabulary_rows:  # rows of tokens that never occurred are alike, or zero
        bounds = []
    if not shared:  # one scale of a whole matrix may be that of a larger sibling
        bounds.append(("half", units.half, units.used, "first_half"))
        if not _rounded(weight, figures):
            bounds.append(("short", units.short, units.used, ""))
    for name, count, total, first in bounds:
        bound = getattr(parameters, name)
        part = count / total if total else 0.0
        place = getattr(units, first) if first else None
        write = partial(_compared, weight, tensor, units, name, part, bound, where(name), place)
        yield Draft(part <= bound, write, units.looked, share(part, bound))


def _rounded(weight: PackedWeight, figures: PackedFigures) -> bool:
    """Whether the scales are powers of two: codes made with them end anywhere in the upper half of the range."""
    scale = next((weight.part(part) for part in weight.layout.parts if part.role == "scale"), None)
    numbers = figures.parts.get(scale.name) if scale is not None else None
    return numbers is not None and numbers.powers >= numbers.count - numbers.zeros - numbers.nan > 0


_SAYS = {
    "flat": "one code in all of its places, in so many units",
    "blank": "codes that stand for zero alone, in so many units",
    "half": "codes below half of the range: scales of another weight, or left from before",
    "short": "codes that do not reach the end of the range: scales that were not made from this weight",
}


def _compared(
    weight: PackedWeight, tensor: Tensor, units: UnitFigures, name: str, part: float, bound: float, origin: str,
    place: tuple[int, int] | None,
) -> Comparison:  # fmt: skip
    holds = part <= bound
    said = f"{_SAYS[name]}; the codes use at most {units.reach:.0%} of it, layout {weight.title}"
    at = f"; the first is at row {place[0]:,}, column {place[1]:,}" if place is not None else ""
    return Comparison(
        measure=f"units_{name}",
        place=Place(
            file=tensor.file.name, tensor=tensor.name, row=place[0] if place is not None and not holds else None
        ),
        expected=f"at most {bound:g} of the units",
        observed=part,
        holds=holds,
        tolerance=bound,
        smallest_passing_tolerance=part,
        count=units.looked,
        bound_from=origin,
        note=None if holds else said + at,
    )


SCHEME_CODES = static(SchemeCodesParameters, scheme_codes, reads_values=True)
