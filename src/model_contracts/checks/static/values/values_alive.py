"""Kind `values_alive`: no tensor, expert or row is dead (all zeros) or constant beyond what its family allows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pydantic import Field

from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.parts.recognised import LORA
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, gap
from model_contracts.checks.gaps import unread
from model_contracts.checks.interface import Comparisons, Examination, Where, static
from model_contracts.checks.static.values.rows_in_use import rows_in_use
from model_contracts.family import FamilyTensor
from model_contracts.outcome import Comparison, Place, Record, Uncompared
from model_contracts.sweep.interface import Moments


class ValuesAliveParameters(Record):
    """How many rows of a matrix may be dead or constant."""

    dead_rows: float = Field(ge=0, le=1, description="Share of a layer matrix's rows.")
    dead_vocabulary_rows: float = Field(ge=0, le=1, description="Share of the rows that have a token.")


def values_alive(examination: Examination, parameters: ValuesAliveParameters, where: Where) -> Comparisons:
    """Compare whole tensors first; then, in matrices, experts and rows; in an embedding, the rows of tokens in use."""
    tokenizer = examination.view.artifact.tokenizer
    tokens = tokenizer.used if tokenizer is not None else None
    for name, moments in examination.sweep.moments.items():
        tensor, view = examination.read[name], examination.reading(name)
        if name in view.storage.parts and tensor.packed is None:
            continue
        if tensor.kind not in ("float", "quantised"):
            known = view.canonical[name]
            if known is not None and view.role(known) is not None:
                reason = f"{tensor.dtype} where the family keeps weights: what its numbers stand for is not known"
                place = Place(file=tensor.file.name, tensor=name)
                yield Uncompared(place=place, count=max(tensor.elements, 1), reason=reason)
            continue
        if not moments.finite:
            if moments.count:
                place = Place(file=tensor.file.name, tensor=name)
                yield Uncompared(place=place, count=moments.count, reason="no value of it is finite")
            continue
        canonical = view.canonical[name]
        role = view.role(canonical) if canonical is not None else None
        whole = _whole(tensor, moments, role)
        if not whole.holds and view.part.name == "adapter" and LORA.match(name) is not None:
            yield Draft(True, partial(_untrained, tensor, moments), moments.finite)
            continue
        doubt = None if whole.holds else _doubt(view, tensor)
        yield whole if doubt is None else gap(tensor, doubt, moments.finite)
        if not whole.holds:
            continue
        yield from _subnormal(tensor, moments, role)
        if len(tensor.shape) > 1 and moments.rows > 1:
            yield from _experts(tensor, moments)
            yield from _rows(tensor, moments, role, tokens, parameters, where)
            if moments.dead_rows and (canonical == "token_embd.weight" or (role is not None and role.vocabulary_rows)):
                yield from rows_in_use(tensor, view.artifact)
    yield from unread(examination)


def _doubt(view: View, tensor: Tensor) -> str | None:
    """Why a tensor of one value may be right where no family knows it (None: it is not).

    A matrix of a numbered layer is trained, so that one of one value is dead whatever the architecture; a table beside
    the layers (positions, a mask token), a column, or the second half of an untrained factor may be so by design.
    """
    if view.family is not None and (view.part.whole or view.canonical[tensor.name] is not None):
        return None
    column = len(tensor.shape) > 1 and tensor.columns == 1
    half = not view.part.whole and LORA.match(tensor.name) is not None
    if template(view.bare[tensor.name])[1] is not None and not (column or half):
        return None
    return f"{view.unknown or f'this is {view.part}'}: whether one value in every place is right is not known"


def _untrained(tensor: Tensor, moments: Moments) -> Comparison:
    """A half of a factor that has one value: training begins with zero, and G0-ADAPTER-002 tells of it."""
    return Comparison(
        measure="factor_half",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected="any value: training begins with zero in every place",
        observed=moments.minimum,
        holds=True,
        count=moments.finite,
    )


def _subnormal(tensor: Tensor, moments: Moments, role: FamilyTensor | None) -> Comparisons:
    """A tensor without one normal number: hardware that flushes subnormals reads zeros."""
    smallest, largest = _NORMAL.get(tensor.dtype), max(abs(moments.minimum), abs(moments.maximum))
    if smallest is None or not 0.0 < largest < smallest:
        return
    if role is None or role.may_be_zero:
        reason = f"every value is subnormal in {tensor.dtype}: whether that is a fault only a family could say"
        yield gap(tensor, reason, max(tensor.elements, 1))
        return
    yield Draft(False, partial(_flushed, tensor, moments, smallest, largest), moments.finite)


def _flushed(tensor: Tensor, moments: Moments, smallest: float, largest: float) -> Comparison:
    return Comparison(
        measure="tensor_normal",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=f"a value of at least {smallest:g}, the smallest normal {tensor.dtype}",
        observed=largest,
        holds=False,
        count=moments.finite,
        note="every value is subnormal: graphics cards flush such values to zero",
    )


#: The smallest normal number of each type.
_NORMAL = {"F64": 2.0**-1022, "F32": 2.0**-126, "BF16": 2.0**-126, "F16": 2.0**-14}


def _whole(tensor: Tensor, moments: Moments, role: FamilyTensor | None) -> Draft:
    constant = moments.minimum == moments.maximum and moments.finite > 1
    zero = constant and moments.minimum == 0.0
    vector = len(tensor.shape) < 2
    # An unknown vector may be anything (a norm of ones, a bias of zeros); an unknown matrix may not.
    allowed = (role.may_be_zero if zero else role.may_be_constant) if role is not None else vector
    holds = not constant or allowed
    return Draft(holds, partial(_varies, tensor, moments, constant, holds), moments.finite)


def _varies(tensor: Tensor, moments: Moments, constant: bool, holds: bool) -> Comparison:
    return Comparison(
        measure="tensor_varies",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected="more than one value",
        observed=f"every value is {moments.minimum:g}" if constant else f"{moments.minimum:g} … {moments.maximum:g}",
        holds=holds,
        count=moments.finite,
    )


def _rows(
    tensor: Tensor,
    moments: Moments,
    role: FamilyTensor | None,
    tokens: int | None,
    parameters: ValuesAliveParameters,
    where: Where,
) -> Comparisons:
    vocabulary = role is not None and role.vocabulary_rows
    bound = parameters.dead_vocabulary_rows if vocabulary else parameters.dead_rows
    padded = max(tensor.rows - tokens, 0) if vocabulary and tokens else 0
    rows = moments.rows - padded
    dead = max(moments.dead_rows + moments.constant_rows - padded, 0)
    share = dead / rows if rows > 0 else 0.0
    first = (*moments.first_dead, *moments.first_constant)
    if share > bound and role is None:
        reason = f"{dead:,} rows are zero or constant: whether that is a fault only a family could say"
        place = Place(file=tensor.file.name, tensor=tensor.name, row=min(first) if first else None)
        yield Uncompared(place=place, count=dead, reason=reason)
        return
    yield Comparison(
        measure="dead_rows",
        place=Place(file=tensor.file.name, tensor=tensor.name, row=min(first) if first and dead else None),
        expected=0.0,
        observed=share,
        holds=share <= bound,
        tolerance=bound,
        smallest_passing_tolerance=share,
        count=max(rows, 1),
        bound_from=where("dead_vocabulary_rows" if vocabulary else "dead_rows"),
        note=f"{moments.dead_rows:,} all-zero and {moments.constant_rows:,} constant rows of {moments.rows:,}"
        if dead
        else None,
    )


def _experts(tensor: Tensor, moments: Moments) -> Iterator[Comparison]:
    # A convolution [channels, 1, kernel] has three axes too, and a channel may rest.
    if len(tensor.shape) != 3 or tensor.shape[0] < 2 or tensor.shape[1] < 2 or "exp" not in tensor.name.lower():
        return
    dead = sorted(index for index, (rows, _) in moments.experts.items() if rows >= tensor.shape[1])
    yield Comparison(
        measure="experts_alive",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=0,
        observed=len(dead),
        holds=not dead,
        count=tensor.shape[0],
        note=f"experts {', '.join(map(str, dead[:8]))} hold only zeros" if dead else None,
    )


VALUES_ALIVE = static(ValuesAliveParameters, values_alive, reads_values=True)
