"""Owns the comparisons of packed weights as a whole: how large their values are, and whether codes lie around zero."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pydantic import Field

from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, share
from model_contracts.checks.interface import Examination, Where
from model_contracts.outcome import Comparison, Place, Record
from model_contracts.sweep.interface import Moments

#: Weights whose median says something of all.
_FEW = 3


class SchemeScalesParameters(Record):
    """The bounds."""

    largest_rms: float = Field(gt=0, description="Of the values of a packed matrix, as its scales make them.")
    centre: float = Field(gt=0, description="Of the mean code in steps, over the weights of few bits of one layout.")
    centre_of_one: float = Field(gt=0, description="The same of one weight of 3 or 4 bits.")


def size_of_values(tensor: Tensor, moments: Moments | None, bound: float, origin: str) -> Iterator[Draft]:
    """Values as the scales make them are those of a matrix: codes without their scales, or inverted ones, are not."""
    if moments is None or not moments.finite:
        return
    yield Draft(moments.rms <= bound, partial(_rms, tensor, moments.rms, bound, origin), moments.count)


def _rms(tensor: Tensor, rms: float, bound: float, origin: str) -> Comparison:
    return Comparison(
        measure="root_mean_square",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=f"at most {bound:g}",
        observed=rms,
        holds=rms <= bound,
        tolerance=bound,
        smallest_passing_tolerance=rms,
        bound_from=origin,
        note=None if rms <= bound else "scales that are inverted or not applied make values of that size",
    )


def centred(examination: Examination, parameters: SchemeScalesParameters, where: Where) -> Iterator[Draft]:
    """Codes less their zero points lie around zero, of one weight and more closely of all: else zero points are off."""
    means: dict[str, list[float]] = {}
    for weight in examination.view.storage.weights:
        figures, bits = examination.sweep.packed.get(weight.name), weight.settings.get("bits")
        units = figures.units if figures is not None else None
        packed = examination.view.artifact.tensors[weight.name].packed if figures is not None else None
        whole = packed is not None and packed.grain is not None and "INT" in packed.grain[0]
        if units is not None and units.mean is not None and whole and isinstance(bits, int) and 2 <= bits <= 4:
            means.setdefault(weight.title, []).append(units.mean)
            place = Place(file=next(iter(weight.parts.values())).file.name, tensor=weight.name)
            bound = parameters.centre_of_one
            if bits > 2:
                write = partial(_centre, place, units.mean, bound, where("centre_of_one"), 1, weight.title)
                yield Draft(abs(units.mean) <= bound, write, units.codes, share(abs(units.mean), bound))
    for title, found in means.items():
        middle, bound = sorted(found)[len(found) // 2], parameters.centre
        place = Place(file=examination.target.files[0].name)
        if len(found) > _FEW:
            write = partial(_centre, place, middle, bound, where("centre"), len(found), title)
            yield Draft(abs(middle) <= bound, write, len(found), share(abs(middle), bound))


def _centre(place: Place, mean: float, bound: float, origin: str, weights: int, title: str) -> Comparison:
    holds = abs(mean) <= bound
    whose = f"the median over {weights:,} weights of {title}" if weights > 1 else title
    off = "too low" if mean > 0 else "too high"
    return Comparison(
        measure="codes_centred",
        place=place,
        expected=f"a mean code within {bound:g} steps of zero",
        observed=mean,
        holds=holds,
        tolerance=bound,
        smallest_passing_tolerance=abs(mean),
        count=weights,
        bound_from=origin,
        note=None if holds else f"zero points that are {max(round(abs(mean)), 1)} {off} would explain it: {whose}",
    )
