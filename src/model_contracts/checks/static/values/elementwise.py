"""Kind `elementwise` (I-4): value by value, under the declared row order, the error stays within the type's budget."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import isnan, sqrt

from model_contracts.anatomy.hypotheses.budgets import Budget, Budgets, exact
from model_contracts.anatomy.hypotheses.folded import Folded
from model_contracts.anatomy.hypotheses.rivals import explain
from model_contracts.anatomy.pairing.logical_places import logical_place
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, gap, share
from model_contracts.checks.gaps import uncompared, undeclared
from model_contracts.checks.interface import Comparisons, Examination, Where, static
from model_contracts.outcome import Comparison, Place
from model_contracts.sweep.interface import Moments, Pairing, PairMeasures

#: Rival explanations read tensors again; a run that broke every tensor the same way needs only a few of them.
_EXPLAINED = 8


def elementwise(examination: Examination, parameters: Budgets, where: Where) -> Comparisons:
    """Compare each pair's measures with its budget; where one fails, fit the rival explanations and name the best."""
    sweep, views = examination.sweep, (examination.view, examination.source_view)
    for unmade in examination.match.unmade:
        yield gap(unmade.tensor, unmade.reason, unmade.tensor.elements)
    explained = 0
    packed = bool(examination.view.storage.weights)
    for name, pairing in examination.match.pairings.items():
        measures = sweep.pairs.get(name)
        known = parameters.of(pairing, packed)
        if measures is None or (not exact(pairing) and known is None):
            yield uncompared(pairing, sweep)
            continue
        if not measures.differing and not measures.nonfinite and exact(pairing):
            yield Draft(True, partial(_equality, pairing, measures), measures.count)
            continue
        ours, theirs = sweep.moments[name], sweep.source_moments[pairing.source.name]
        # Where no pair of values is finite on both sides, there is no error to measure.
        comparisons = [
            *(_compare(pairing, measures, theirs, known, where) if measures.count else ()),
            *_finite(pairing, measures, ours, theirs),
        ]
        worst = next((index for index, comparison in enumerate(comparisons) if not comparison.holds), None)
        if worst is not None and (folded := examination.folded(name, parameters)) is not None:
            yield Draft(True, partial(_folded, pairing, measures, folded), measures.count)
            continue
        rival = None
        if worst is not None and explained < _EXPLAINED:
            explained += 1
            rival = explain(pairing, measures, known[1] if known is not None else None, *views)
        if worst is not None and not pairing.declared:
            yield undeclared(examination, pairing, _reading(rival))
            continue
        comparisons = [_placed(one, examination.view, pairing.target) for one in comparisons]
        if worst is not None and rival is not None:
            comparisons[worst] = comparisons[worst]._replace(write=partial(_explained, comparisons[worst], rival))
        yield from comparisons


def _placed(draft: Draft, view: View, target: Tensor) -> Draft:
    """The same, and of a row that fails which row it is of which weight, expert and head."""
    return draft if draft.holds else draft._replace(write=partial(_with_place, draft, view, target))


def _with_place(draft: Draft, view: View, target: Tensor) -> Comparison:
    found = draft.write()
    words = logical_place(view, target, found.place.row) if found.place.row is not None else None
    note = "; ".join(part for part in (found.note, words) if part is not None)
    return found.model_copy(update={"note": note}) if words is not None else found


def _folded(pairing: Pairing, pair: PairMeasures, folded: Folded) -> Comparison:
    return Comparison(
        measure="relative_rmse",
        place=_place(pairing, pair, None),
        expected=0.0,
        observed=folded.error,
        holds=True,
        tolerance=folded.bound,
        smallest_passing_tolerance=folded.error,
        count=pair.count,
        note=f"compared under scales that were moved between layers: {folded.words}",
    )


def _explained(draft: Draft, rival: str) -> Comparison:
    return draft.write().model_copy(update={"note": rival})


def _reading(rival: str | None) -> str | None:
    """The reading of a rival explanation alone, so that tensors with the same one are told of together."""
    return rival.partition(" explains ")[0] if rival is not None else None


def _compare(
    pairing: Pairing, pair: PairMeasures, theirs: Moments, known: tuple[str, Budget] | None, where: Where
) -> Iterator[Draft]:
    if exact(pairing) or known is None:
        yield Draft(not pair.differing, partial(_equality, pairing, pair), pair.count)
        return
    name, budget = known
    scale = theirs.rms or 1.0
    reach = max(abs(theirs.minimum), abs(theirs.maximum)) or 1.0
    rows = (
        ("relative_rmse", 0.0, pair.relative_rmse, pair.relative_rmse, None),
        ("row_cosine", 1.0, pair.min_row_cosine, 1.0 - pair.min_row_cosine, pair.min_row),
        ("gain", 1.0, pair.gain, abs(pair.gain - 1.0), None),
        ("offset", 0.0, pair.offset, abs(pair.offset) / scale, None),
        ("max_error", 0.0, pair.max_error, pair.max_error / reach, pair.max_error_row),
    )
    for measure, expected, observed, distance, row in rows:
        if isnan(distance):  # the slope of a constant tensor is not defined
            continue
        tolerance: float = getattr(budget, measure)
        if measure in ("gain", "offset"):
            tolerance += _rounding(budget, theirs, pair.count)
        # The first measure stands for the values; the others are of the same values.
        count = pair.count if measure == "relative_rmse" else 0
        origin = where("budgets", name, measure)
        write = partial(_measured, pairing, pair, row, measure, expected, observed, tolerance, distance, count, origin)
        yield Draft(distance <= tolerance, write, count, share(distance, tolerance))


def _measured(
    pairing: Pairing,
    pair: PairMeasures,
    row: int | None,
    measure: str,
    expected: float,
    observed: float,
    tolerance: float,
    distance: float,
    count: int,
    origin: str,
) -> Comparison:
    return Comparison(
        measure=measure,
        place=_place(pairing, pair, row),
        expected=expected,
        observed=observed,
        holds=distance <= tolerance,
        tolerance=tolerance,
        smallest_passing_tolerance=distance,
        count=count,
        bound_from=origin,
    )


def _rounding(budget: Budget, theirs: Moments, count: int) -> float:
    """How far honest rounding alone moves a regression: three standard errors of its slope.

    It matters in short vectors that hardly vary (a norm around one); in a matrix it is nothing beside the budget.
    """
    spread = theirs.std * sqrt(count)
    return min(3 * budget.relative_rmse * theirs.rms / spread, 0.05) if spread else 0.05


def _finite(pairing: Pairing, pair: PairMeasures, ours: Moments, theirs: Moments) -> Iterator[Draft]:
    """The other measures are over pairs of finite values: what is not finite has to be the same on both sides."""
    if not pair.nonfinite:
        return
    yield Draft(not pair.nonfinite_differing, partial(_same, pairing, pair, ours, theirs), pair.nonfinite)


def _same(pairing: Pairing, pair: PairMeasures, ours: Moments, theirs: Moments) -> Comparison:
    differing = pair.nonfinite_differing
    rows = ours.first_nonfinite or theirs.first_nonfinite
    here, there = (f"{side.nan:,} NaN and {side.infinite:,} infinite" for side in (ours, theirs))
    return Comparison(
        measure="nonfinite_values",
        place=_place(pairing, pair, rows[0] if rows else None),
        expected=0,
        observed=differing,
        holds=differing == 0,
        count=pair.nonfinite,
        note=f"{here}; {there} in the source; {differing:,} are not the same on both sides" if differing else None,
    )


def _equality(pairing: Pairing, pair: PairMeasures) -> Comparison:
    differing = pair.differing
    return Comparison(
        measure="differing_values",
        place=_place(pairing, pair, pair.max_error_row if differing else None),
        expected=0,
        observed=differing,
        holds=differing == 0,
        tolerance=0.0,
        smallest_passing_tolerance=float(differing),
        count=pair.count,
        bound_from=f"{_kept_as(pairing.target)} holds every {_kept_as(pairing.source)} value",
        note=_sizes(pair) if differing else None,
    )


def _kept_as(tensor: Tensor) -> str:
    return tensor.dtype if tensor.packed is None else tensor.packed.layout


def _place(pairing: Pairing, pair: PairMeasures, row: int | None) -> Place:
    row = row if row is not None and row >= 0 and pair.rows > 1 else None
    return Place(file=pairing.target.file.name, tensor=pairing.target.name, row=row)


def _sizes(pair: PairMeasures) -> str:
    return (
        f"{pair.differing:,} of {pair.count:,} values differ, relative RMSE {pair.relative_rmse:.3g}, "
        f"largest error {pair.max_error:.3g}, smallest row cosine {pair.min_row_cosine:.4f}"
    )


ELEMENTWISE = static(Budgets, elementwise, reads_values=True)
