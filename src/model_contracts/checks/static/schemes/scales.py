"""Kind `scheme_scales`: scales, zero points and orders of columns are such as a writer makes, no memory left over."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from model_contracts.anatomy.storage.packed import PackedWeight
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, Gap, gap
from model_contracts.checks.interface import Comparisons, Examination, Where, not_owed, owed_to_schemes, static
from model_contracts.checks.static.schemes.sizes import SchemeScalesParameters, centred, size_of_values
from model_contracts.checks.static.schemes.tables import tables_of
from model_contracts.checks.static.schemes.zeros import orders_of, zeros_of
from model_contracts.outcome import Comparison, Place
from model_contracts.scheme import WeightPart
from model_contracts.sweep.figures import PackedFigures, PartFigures
from model_contracts.sweep.interface import Moments
from model_contracts.sweep.part_figures import figures_of
from model_contracts.sweep.reads import Files, ReadFailed

#: What a part is to its decoder where it scales; another part is one where its name says so.
_SCALES = ("scale", "global", "nested", "inputs")
#: Of these a number of zero is never right: nothing is left of what they scale.
_WHOLE = ("global", "nested", "inputs", None)


def scheme_scales(examination: Examination, parameters: SchemeScalesParameters, where: Where) -> Comparisons:
    """Compare the numbers of each part that scales or shifts codes with what such a part can hold."""
    view = examination.view
    weights = owed_to_schemes(view).weights
    if not weights:
        raise not_owed("no tensor is part of a packed weight")
    yield from orders_of(view)
    yield from tables_of(view)
    sweep, logical = examination.sweep, view.artifact.tensors
    for weight in weights:
        tensor = logical.get(weight.name)
        figures = sweep.packed.get(weight.name)
        if tensor is None or tensor.packed is None or (figures is None and tensor.packed.unread is None):
            at = tensor or next(iter(weight.parts.values()))
            yield gap(at, sweep.undecodable.get(weight.name, "its parts were not read"))
            continue
        yield from _scales(weight, figures, sweep.moments)
        if figures is not None:
            yield from zeros_of(weight, figures)
            yield from size_of_values(
                tensor, sweep.moments.get(weight.name), parameters.largest_rms, where("largest_rms")
            )
    yield from _beside(view)
    yield from centred(examination, parameters, where)


def _scales(weight: PackedWeight, figures: PackedFigures | None, moments: dict[str, Moments]) -> Iterator[Draft | Gap]:
    for part in weight.layout.parts[1:]:
        tensor = weight.part(part)
        shift = tensor is not None and _is_shift(part, tensor)
        if tensor is None or not tensor.elements or not (shift or _is_scale(part, tensor)):
            continue
        numbers = figures.parts.get(tensor.name) if figures is not None else _of_moments(moments.get(tensor.name))
        if numbers is None:
            yield gap(tensor, "its numbers were not read")
            continue
        if shift:
            yield from _shifts(weight, part, tensor, numbers)
            continue
        lost = figures.units.lost if figures is not None and figures.units is not None else 0
        yield from _numbers(weight, part, tensor, numbers, lost)


def _is_shift(part: WeightPart, tensor: Tensor) -> bool:
    """A zero point, or an offset, that is a number and no packed word."""
    return part.role in ("zero", "offset") and (tensor.type.kind == "float" or tensor.dtype in ("I8", "I32"))


def _is_scale(part: WeightPart, tensor: Tensor) -> bool:
    """By its role, or else a float whose name says so (packed scales are whole numbers)."""
    end = tensor.name.rpartition(".")[2]
    named = "scale" in end and "zero" not in end and tensor.type.kind == "float"
    return part.role in _SCALES or (part.role is None and named)


def _of_moments(moments: Moments | None) -> PartFigures | None:
    """What the pass saw of a part that it read as a tensor of its own."""
    if moments is None or not moments.count:
        return None
    same = moments.count if moments.minimum == moments.maximum and moments.finite == moments.count else 0
    return PartFigures(
        count=moments.count, nan=moments.nan, infinite=moments.infinite, negative=int(moments.minimum < 0),
        zeros=moments.zeros, minimum=moments.minimum, maximum=moments.maximum, alike=same,
    )  # fmt: skip


def _shifts(weight: PackedWeight, part: WeightPart, tensor: Tensor, numbers: PartFigures) -> Iterator[Draft]:
    """Zero points and offsets are finite; those of 8-bit elements lie within their range."""
    say = partial(_said, weight, tensor, numbers)
    bad = numbers.nan + numbers.infinite
    some = f"{bad:,} of {numbers.count:,}"
    yield _draft(say, "shift_finite", bad, "no NaN and no infinity", some, ("nan", "infinite"))
    lost = part.role == "offset" and numbers.count > 1 and numbers.zeros == numbers.count
    yield _draft(say, "shift_set", lost, "numbers made from the weight", "every one is 0" if lost else "they vary", ())
    if weight.layout.decoder == "scaled" and numbers.finite:
        out = not -128 <= numbers.minimum <= numbers.maximum <= 127
        yield _draft(say, "zero_in_range", out, "-128 to 127", f"{numbers.minimum:g} to {numbers.maximum:g}", ())


def _numbers(
    weight: PackedWeight, part: WeightPart, tensor: Tensor, numbers: PartFigures, lost: int
) -> Iterator[Draft]:
    """Finite, of the right sign, none subnormal, and not what an untouched buffer holds."""
    bad = numbers.nan + numbers.infinite
    say = partial(_said, weight, tensor, numbers)
    yield _draft(
        say, "scale_finite", bad, "no NaN and no infinity", f"{bad:,} of {numbers.count:,}", ("nan", "infinite")
    )
    if not part.signed:
        count = numbers.negative
        yield _draft(say, "scale_sign", count, "no negative scale", f"{count:,} negative", ("negative",))
    count = numbers.tiny
    words = "memory that nobody wrote holds such numbers"
    yield _draft(say, "scale_normal", count, "no subnormal scale", f"{count:,} subnormal", ("tiny",), words)
    zeros = numbers.zeros if part.role in _WHOLE or numbers.zeros == numbers.count else 0
    zeros = max(zeros, lost if part.role == "scale" else 0)
    words = "codes of them are not zero, and the values are"
    yield _draft(say, "scale_not_zero", zeros, "no scale of zero", f"{zeros:,} of zero", ("zeros",), words)
    ones = numbers.count > 1 and numbers.alike == numbers.count and numbers.minimum == 1.0
    words = "an untouched buffer holds that"
    yield _draft(
        say, "scale_set", ones, "numbers made from the weight", "every one is 1" if ones else "they vary", (), words
    )
    if part.role == "global" and not bad:
        yield from _global(weight, say, numbers)


def _global(weight: PackedWeight, say: partial[Comparison], numbers: PartFigures) -> Iterator[Draft]:
    """A global scale that divides is above 1, one that multiplies below it: 448 x 6 over the largest magnitude."""
    if weight.settings.get("global_per") is not None or not numbers.count:
        return
    divides = weight.settings.get("global_divides") is True
    wrong = numbers.minimum < 1 if divides else numbers.maximum > 1
    number = numbers.minimum if divides else numbers.maximum
    expected = f"{'above' if divides else 'below'} 1: it {'divides' if divides else 'multiplies'}"
    yield _draft(say, "global_scale_side", wrong, expected, number, (), "the reciprocal would be on the right side")


def _draft(
    say: partial[Comparison], measure: str, bad: int | bool, expected: str, observed: object, flaws: tuple[str, ...],
    words: str | None = None,
) -> Draft:  # fmt: skip
    return Draft(not bad, partial(say, measure, not bad, expected, observed, flaws, words))


def _said(
    weight: PackedWeight, tensor: Tensor, numbers: PartFigures, measure: str, holds: bool, expected: str,
    observed: object, flaws: tuple[str, ...], words: str | None,
) -> Comparison:  # fmt: skip
    places = [numbers.places[flaw] for flaw in flaws if flaw in numbers.places]
    row = min(places) // max(tensor.columns, 1) if places and tensor.elements > 1 else None
    said = f"a part of {weight.name}: layout {weight.title}" + (f"; {words}" if words is not None else "")
    return Comparison(
        measure=measure,
        place=Place(file=tensor.file.name, tensor=tensor.name, row=row),
        expected=expected,
        observed=observed,
        holds=holds,
        count=numbers.count,
        note=None if holds else said,
    )


def _beside(view: View) -> Comparisons:
    """Scales of a key-value cache are finite and above zero."""
    files = Files()
    try:
        for tensor in view.storage.beside:
            if not tensor.name.endswith("_scale") or not tensor.elements:
                continue
            try:
                numbers = figures_of(tensor, files)
            except ReadFailed:
                yield gap(tensor, "its bytes are not there")
                continue
            bad = numbers.nan + numbers.infinite + numbers.negative + numbers.zeros + numbers.tiny
            yield Comparison(
                measure="cache_scale",
                place=Place(file=tensor.file.name, tensor=tensor.name),
                expected="finite and above zero",
                observed=f"{bad:,} of {numbers.count:,} are not" if bad else "as expected",
                holds=not bad,
                count=numbers.count,
            )
    finally:
        files.close()


SCHEME_SCALES = static(SchemeScalesParameters, scheme_scales, reads_values=True)
