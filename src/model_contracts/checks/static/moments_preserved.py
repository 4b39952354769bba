"""Kind `moments_preserved` (I-4): mean, standard deviation, minimum and maximum survive within the type's tolerance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from model_contracts.anatomy.budgets import Budgets, exact
from model_contracts.checks.drafts import Draft, Gap, share
from model_contracts.checks.interface import Comparisons, Examination, Where, static, uncompared, undeclared
from model_contracts.outcome import Comparison, Place, Uncompared
from model_contracts.sweep.interface import Moments, Pairing


def moments_preserved(examination: Examination, parameters: Budgets, where: Where) -> Comparisons:
    """Compare the moments of each pair. Moments alone are blind to order, so that this never stands alone."""
    sweep = examination.sweep
    for name, pairing in examination.match.pairings.items():
        if name not in sweep.pairs or (not exact(pairing) and pairing.target.dtype not in parameters.budgets):
            yield uncompared(pairing, sweep)
            continue
        ours, theirs = sweep.moments[name], sweep.source_moments[pairing.source.name]
        if not (ours.finite and theirs.finite):
            if pairing.target.elements:
                reason = "no value of one of the two is finite"
                write = partial(_uncompared, name, pairing.target.elements, reason)
                yield Gap(reason, write, pairing.target.elements)
            continue
        comparisons = list(_moments(pairing, ours, theirs, parameters, where))
        if not pairing.declared and any(not comparison.holds for comparison in comparisons):
            yield undeclared(examination, pairing)
            continue
        yield from comparisons


def _uncompared(name: str, count: int, reason: str) -> Uncompared:
    return Uncompared(place=Place(tensor=name), count=count, reason=reason)


def _moments(pairing: Pairing, ours: Moments, theirs: Moments, parameters: Budgets, where: Where) -> Iterator[Draft]:
    budget = None if exact(pairing) else parameters.budgets[pairing.target.dtype]
    scale = theirs.rms or 1.0
    reach = max(abs(theirs.minimum), abs(theirs.maximum)) or 1.0
    spread = abs(ours.std / theirs.std - 1.0) if theirs.std > 1e-6 * scale else abs(ours.std - theirs.std) / scale
    rows = (
        ("mean", theirs.mean, ours.mean, abs(ours.mean - theirs.mean) / scale, budget.mean if budget else 1e-9),
        ("std", theirs.std, ours.std, spread, budget.std if budget else 1e-6),
        ("minimum", theirs.minimum, ours.minimum, abs(ours.minimum - theirs.minimum) / reach, _extreme(budget)),
        ("maximum", theirs.maximum, ours.maximum, abs(ours.maximum - theirs.maximum) / reach, _extreme(budget)),
    )
    for measure, expected, observed, distance, tolerance in rows:
        field = {"minimum": "extreme", "maximum": "extreme"}.get(measure, measure)
        origin = partial(where, "budgets", pairing.target.dtype, field) if budget else _the_same
        count = ours.finite if measure == "mean" else 0
        write = partial(_compared, pairing, measure, expected, observed, distance, tolerance, count, origin)
        yield Draft(distance <= tolerance, write, count, share(distance, tolerance))


def _the_same() -> str:
    return "the types hold the same values"


def _compared(
    pairing: Pairing,
    measure: str,
    expected: float,
    observed: float,
    distance: float,
    tolerance: float,
    count: int,
    origin: Callable[[], str],
) -> Comparison:
    return Comparison(
        measure=measure,
        place=Place(tensor=pairing.target.name),
        expected=expected,
        observed=observed,
        holds=distance <= tolerance,
        tolerance=tolerance,
        smallest_passing_tolerance=distance,
        count=count,
        bound_from=origin(),
    )


def _extreme(budget: object) -> float:
    return float(getattr(budget, "extreme", 0.0))


MOMENTS_PRESERVED = static(Budgets, moments_preserved, reads_values=True)
