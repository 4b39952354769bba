"""Kind `values_finite`: no NaN and no infinity in any tensor, block scales included."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from model_contracts.anatomy.pairing.logical_places import logical_place
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft
from model_contracts.checks.gaps import unread
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, static
from model_contracts.outcome import Comparison, Place
from model_contracts.sweep.interface import Moments


def values_finite(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the number of non-finite values of each tensor with 0 (a broken block scale shows in its values)."""
    sweep, read = examination.sweep, examination.read
    parts = examination.view.storage.parts
    for name, moments in sweep.moments.items():
        if not moments.count:
            continue
        bad = moments.nan + moments.infinite
        tensor = read[name]
        if name in parts and tensor.packed is None and tensor.type.kind == "integer":
            continue
        yield Draft(bad == 0, partial(_finite, examination.view, tensor, moments), moments.count)
    yield from unread(examination)


def _finite(view: View, tensor: Tensor, moments: Moments) -> Comparison:
    bad = moments.nan + moments.infinite
    row = moments.first_nonfinite[0] if moments.first_nonfinite else None
    placed = logical_place(view, tensor, row) if bad and row is not None else None
    where = _where(bad, moments.nan, moments.infinite, moments.nonfinite_rows, moments.experts)
    return Comparison(
        measure="nonfinite_values",
        place=Place(file=tensor.file.name, tensor=tensor.name, row=row),
        expected=0,
        observed=bad,
        holds=bad == 0,
        tolerance=0.0,
        smallest_passing_tolerance=float(bad),
        count=moments.count,
        note="; ".join(part for part in (where, placed) if part is not None) if bad else None,
    )


def _where(bad: int, nan: int, infinite: int, rows: int, experts: Mapping[int, tuple[int, int]]) -> str:
    parts = [f"{nan:,} NaN, {infinite:,} infinite", f"in {rows:,} rows"]
    hit = sorted(index for index, (_, nonfinite) in experts.items() if nonfinite)
    if hit:
        parts.append(f"of experts {', '.join(map(str, hit[:8]))}{' …' if len(hit) > 8 else ''}")
    return " ".join(parts)


VALUES_FINITE = static(NoParameters, values_finite, reads_values=True)
