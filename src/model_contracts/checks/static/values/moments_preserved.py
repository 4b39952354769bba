"""Kind `moments_preserved` (I-4): mean, standard deviation, minimum and maximum survive within the type's tolerance."""

from __future__ import annotations

from functools import partial
from math import sqrt

from model_contracts.anatomy.hypotheses.budgets import Budget, Budgets, exact
from model_contracts.checks.drafts import Draft, Gap, gap, share
from model_contracts.checks.gaps import uncompared, undeclared
from model_contracts.checks.interface import Comparisons, Examination, Where, static
from model_contracts.outcome import Comparison, Place, Uncompared
from model_contracts.sweep.interface import Moments, Pairing


def moments_preserved(examination: Examination, parameters: Budgets, where: Where) -> Comparisons:
    """Compare the moments of each pair. Moments alone are blind to order, so that this never stands alone."""
    sweep = examination.sweep
    for unmade in examination.match.unmade:
        yield gap(unmade.tensor, unmade.reason, unmade.tensor.elements)
    packed = bool(examination.view.storage.weights)
    for name, pairing in examination.match.pairings.items():
        known = None if exact(pairing) else parameters.of(pairing, packed)
        if name not in sweep.pairs or (not exact(pairing) and known is None):
            yield uncompared(pairing, sweep)
            continue
        ours, theirs = sweep.moments[name], sweep.source_moments[pairing.source.name]
        if not (ours.finite and theirs.finite):
            if pairing.target.elements:
                reason = "no value of one of the two is finite"
                write = partial(_uncompared, name, pairing.target.elements, reason)
                yield Gap(reason, write, pairing.target.elements)
            continue
        comparisons = _moments(pairing, ours, theirs, known, where)
        if not pairing.declared and not all(comparison.holds for comparison in comparisons):
            yield undeclared(examination, pairing)
            continue
        if not all(comparison.holds for comparison in comparisons) and examination.folded(name, parameters) is not None:
            reason = "scales were moved between layers: its values are compared under those"
            yield Draft(True, partial(_moved, pairing, ours.finite, reason), ours.finite)
            continue
        yield from comparisons


def _moved(pairing: Pairing, count: int, reason: str) -> Comparison:
    place = Place(tensor=pairing.target.name)
    return Comparison(measure="scales_moved", place=place, expected="a norm or rows before it divided alike",
                      observed="divided alike", holds=True, count=count, note=reason)  # fmt: skip


def _uncompared(name: str, count: int, reason: str) -> Uncompared:
    return Uncompared(place=Place(tensor=name), count=count, reason=reason)


#: Where values lie closer together than this share of their size, their deviation is compared with that.
_LEAST_SPREAD = 0.1
_MEASURES = ("mean", "std", "minimum", "maximum")
_Row = tuple[float, float, float, float]


def _moments(
    pairing: Pairing, ours: Moments, theirs: Moments, known: tuple[str, Budget] | None, where: Where
) -> list[Draft]:
    budget = known[1] if known is not None else None
    write = partial(_compared, pairing, ours, theirs, known, where)
    finite = ours.finite
    if ours is theirs:
        return [Draft(True, partial(write, at), 0 if at else finite) for at in range(4)]
    return [
        Draft(distance <= tolerance, partial(write, at), 0 if at else finite, share(distance, tolerance))
        for at, (_, _, distance, tolerance) in enumerate(_rows(ours, theirs, budget))
    ]


def _rows(ours: Moments, theirs: Moments, budget: Budget | None) -> tuple[_Row, ...]:
    """Expected, observed, distance and tolerance of each measure; two sides that share one record differ in none."""
    scale = theirs.rms or 1.0
    reach = max(abs(theirs.minimum), abs(theirs.maximum)) or 1.0
    (mean, std), (mean_owed, std_owed) = ((side.mean, side.std) for side in (ours, theirs))
    # Rounding shifts a deviation by a share of the values, not of itself: it is no smaller than a tenth of them here.
    spread = abs(std - std_owed) / max(std_owed, _LEAST_SPREAD * scale)
    extreme = budget.extreme if budget else 0.0
    shift = budget.mean + _rounding(budget, ours.finite) if budget else 1e-9
    if ours is theirs:
        spread = 0.0
    return (
        (mean_owed, mean, 0.0 if ours is theirs else abs(mean - mean_owed) / scale, shift),
        (std_owed, std, spread, budget.std if budget else 1e-6),
        (theirs.minimum, ours.minimum, abs(ours.minimum - theirs.minimum) / reach, extreme),
        (theirs.maximum, ours.maximum, abs(ours.maximum - theirs.maximum) / reach, extreme),
    )


def _rounding(budget: Budget, count: int) -> float:
    """How far honest rounding alone moves a mean: three standard errors of it, which matter in small tensors."""
    return min(3 * budget.relative_rmse / sqrt(max(count, 1)), 0.05)


def _compared(
    pairing: Pairing, ours: Moments, theirs: Moments, known: tuple[str, Budget] | None, where: Where, at: int
) -> Comparison:
    name, budget = known if known is not None else ("", None)
    expected, observed, distance, tolerance = _rows(ours, theirs, budget)[at]
    field = "extreme" if at > 1 else _MEASURES[at]
    origin = where("budgets", name, field) if budget else "the types hold the same values"
    return Comparison(
        measure=_MEASURES[at],
        place=Place(tensor=pairing.target.name),
        expected=expected,
        observed=observed,
        holds=distance <= tolerance,
        tolerance=tolerance,
        smallest_passing_tolerance=distance,
        count=0 if at else ours.finite,
        bound_from=origin,
    )


MOMENTS_PRESERVED = static(Budgets, moments_preserved, reads_values=True)
