"""Kinds `adapter_merged` and `outside_adapter`: a target is its base with an adapter merged, and the base elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from pydantic import Field

from model_contracts.anatomy.adapters.coefficients import Coefficient, coefficients
from model_contracts.anatomy.adapters.fits import Misfit
from model_contracts.anatomy.hypotheses.adapter_rivals import another, by_rounding, named, packed_base, scales
from model_contracts.anatomy.hypotheses.budgets import Budget, Budgets, exact
from model_contracts.anatomy.parts.adapter_settings import AdapterSettings
from model_contracts.checks.drafts import Draft, share
from model_contracts.checks.gaps import uncompared, undeclared
from model_contracts.checks.interface import Comparisons, Examination, Where, missing_input, static
from model_contracts.definitions import load_invariant
from model_contracts.invariant import Name
from model_contracts.outcome import Comparison, Place, Record, Uncompared
from model_contracts.sweep.interface import Pairing, PairMeasures

#: Modules whose other explanations are looked for: these read tensors again.
_EXPLAINED = 8


class MergedParameters(Record):
    """How far a coefficient may be from 1 beside its error, and whose budgets the rest is held to."""

    coefficient: float = Field(gt=0, le=0.5, description="Distance of a coefficient from 1, beside its own error.")
    budgets_of: Name = Field(description="The invariant whose budgets by element type hold here too.")


class OutsideParameters(Record):
    """Whose budgets hold for tensors that the adapter does not touch."""

    budgets_of: Name = Field(description="The invariant whose budgets by element type hold here too.")


def adapter_merged(examination: Examination, parameters: MergedParameters, where: Where) -> Comparisons:
    """Compare the coefficient of each module's change with 1, and what of the target that leaves with the budgets."""
    if examination.adapter is None:
        raise missing_input("no adapter was given (--adapter DIR)")
    budgets = _budgets(parameters.budgets_of)
    found = list(coefficients(examination.sweep, examination.match.pairings))
    modules, explained = [], 0
    for one in found:
        module = _Module(one, examination, parameters, budgets, where)
        if not module.holds and explained < _EXPLAINED * (4 if module.merged else 1):
            explained += 1
            module.explain()
        modules.append(module)
    if told := [module for module in modules if module.known or not module.rest]:
        yield _altogether(told, examination)
    for module in modules:
        yield from module.told()
    yield from _left_out(examination, {one.name for one in found})


class _Module:
    """One tensor of the base, with what was added to it: its state in words, and the comparisons of it."""

    def __init__(
        self,
        found: Coefficient,
        examination: Examination,
        parameters: MergedParameters,
        budgets: tuple[Budgets, Where],
        where: Where,
    ) -> None:
        self.found, self._examination = found, examination
        self._placed = examination.adapted.placed.get(found.name)
        self._tolerance, self._where = parameters.coefficient, where
        self._budget, self._from = _rest_budget(found, *budgets)
        one, none = found.near(1.0, self._tolerance), found.near(0.0, self._tolerance)
        #: Whether the error tells merged from not merged.
        self.known = found.change > 0 and not (one and none)
        self.merged = self.known and one
        self.rest = self._budget is None or found.rest <= self._budget
        self._settings = AdapterSettings.of(examination.adapter or examination.target)
        self.state = "merged" if self.merged else "not merged" if self.known and none else None
        if self.known and self.state is None and self.rest:
            self.state = named(found, scales(self._placed, self._settings), self._tolerance)
        #: Whether the coefficient speaks for itself: a type of few bits rounds a small change away.
        self.sure = self.state is not None and found.error < 0.1
        self.why: str | None = None
        self.looked = False

    @property
    def holds(self) -> bool:
        """Whether nothing of it is violated."""
        return self.rest and (not self.known or self.merged)

    def explain(self) -> None:
        """Say what else was done, where something known explains it: tensors are read again for that."""
        found, self.looked = self.found, True
        if self.merged:
            self.why = packed_base(found)
        elif not self.rest or self.state is None or not self.sure:
            self.why = another(found, self._placed, self._examination.adapted.placed)
            if self.why is None and not self.sure:
                self.state = by_rounding(found, scales(self._placed, self._settings)) or self.state
            if self.why is None and not self.rest:
                self.why = packed_base(found)

    def told(self) -> Iterator[Comparison | Uncompared]:
        """The coefficient, and the rest where it was to be told from rounding."""
        found, target = self.found, self.found.pairings[0].target
        place = Place(file=target.file.name, tensor=target.name)
        if not self.holds and not all(pairing.declared for pairing in found.pairings):
            reason = self._examination.match.unknown or "nothing declares the layout of it"
            yield Uncompared(place=place, count=max(found.count, 1), reason=reason)
            return
        if not self.known:
            yield Uncompared(place=place, count=max(found.count, 1), reason=self._unknown())
        else:
            yield self._coefficient(place)
        if self._budget is not None and (self.known or not self.rest):
            yield Comparison(
                measure="rest",
                place=place,
                expected=0.0,
                observed=found.rest,
                holds=self.rest,
                tolerance=self._budget,
                smallest_passing_tolerance=found.rest,
                count=0 if self.known else max(found.count, 1),
                bound_from=self._from,
                note=None if self.rest else self.why or "neither of the base nor of the adapter: another base?",
            )

    def _coefficient(self, place: Place) -> Comparison:
        found = self.found
        return Comparison(
            measure="coefficient",
            place=place,
            expected=1.0,
            observed=found.value,
            holds=self.merged,
            tolerance=self._tolerance + found.error,
            smallest_passing_tolerance=abs(found.value - 1),
            count=max(found.count, 1),
            bound_from=self._where("coefficient"),
            note=self._note(),
        )

    def _unknown(self) -> str:
        if not self.found.change:
            return "what the adapter adds is zero here, or is lost in the rounding of the type"
        return "the error of the coefficient is too large to tell merged from not merged"

    def _note(self) -> str:
        found = self.found
        said = self.why or self.state or "a coefficient that no known mistake makes"
        if not self.rest and self.why is None:
            said += ", and the rest is neither of the base nor of the adapter"
        change = f"the change is {found.change:.2g} of the weight"
        return f"{said}; ± {found.error:.2g}, {change}" + (f"; {found.name}" if found.name else "")


def _altogether(modules: list[_Module], examination: Examination) -> Comparison:
    """One word for the whole, first of all."""
    differ, of = _outside(examination)
    states = Counter(_word(module, other=2 * differ > of) for module in modules)
    holds = all(module.holds for module in modules)
    outside = f"; {differ} of {of} tensors outside the adapter differ from the base too" if differ else ""
    observed = next(iter(states)) if len(states) == 1 else _partly(states)
    return Comparison(
        measure="merged",
        place=Place(file=examination.target.path.name),
        expected="merged",
        observed="merged" if holds else observed,
        holds=holds,
        count=len(modules),
        note=None if holds else f"{len(modules)} modules looked at{outside}",
    )


def _word(module: _Module, other: bool) -> str:
    """The state of a module in the words that several may share."""
    if module.why is not None and not module.merged:
        return module.why.partition(":")[0]
    if module.why is not None:
        return f"merged, and {module.why}"
    if not module.rest and other:
        return "of another base"
    if not module.rest and not module.looked:
        return "not looked into"
    state = module.state or "of a coefficient that no known mistake makes"
    return state if module.rest else f"{state}, and changed beside it"


def _partly(states: Counter[str]) -> str:
    parts = ", ".join(f"{count} {word}" for word, count in states.most_common(4))
    return f"partly: {parts}" if "merged" in states else parts


def _outside(examination: Examination) -> tuple[int, int]:
    """How many tensors that nothing was added to differ from the base, and how many there are."""
    pairs = {name: pair for name, pair in examination.sweep.pairs.items() if not _touched(examination, name)}
    return sum(pair.relative_rmse > 1e-6 for pair in pairs.values()), len(pairs)


def _touched(examination: Examination, name: str) -> bool:
    return examination.match.pairings[name].added is not None


def _left_out(examination: Examination, found: set[str]) -> Iterator[Uncompared]:
    """What of the adapter was not looked for: it has no place, or no tensor of the target answers to its own."""
    sweep = examination.sweep
    for misfit in examination.adapted.fits:
        if isinstance(misfit, Misfit):
            place = Place(file=misfit.first.file.name, tensor=misfit.first.name)
            yield Uncompared(place=place, reason=f"it was not looked for: {misfit.reason}")
    for name, pairing in examination.match.pairings.items():
        if pairing.added is not None and name not in sweep.projections:
            found.update(pairing.added.of)
            reason = sweep.uncompared.get(name, "its values were not read")
            yield Uncompared(place=Place(tensor=name), count=max(pairing.target.elements, 1), reason=reason)
    for name in examination.adapted.added.keys() - found:
        yield Uncompared(place=Place(tensor=name), reason="no tensor of the target of its shape answers to it")


def outside_adapter(examination: Examination, parameters: OutsideParameters, where: Where) -> Comparisons:
    """Compare every tensor that the adapter does not touch with the base: equal, or within the budget of its type."""
    if examination.adapter is None:
        raise missing_input("no adapter was given (--adapter DIR)")
    budgets, origin = _budgets(parameters.budgets_of)
    pairings = examination.match.pairings
    outside = {name: pairing for name, pairing in pairings.items() if pairing.added is None}
    for name, pairing in outside.items():
        measures, known = examination.sweep.pairs.get(name), budgets.of(pairing)
        if measures is None or (known is None and not exact(pairing)):
            yield uncompared(pairing, examination.sweep)
        elif not _holds(pairing, measures, known) and not pairing.declared:
            yield undeclared(examination, pairing)
        elif exact(pairing):
            yield Draft(_holds(pairing, measures, known), partial(_equal, pairing, measures), max(measures.count, 1))
        elif known is not None:
            bound, line = known[1].relative_rmse, origin("budgets", known[0], "relative_rmse")
            used = share(measures.relative_rmse, bound)
            write = partial(_within, pairing, measures, bound, line)
            yield Draft(measures.relative_rmse <= bound, write, max(measures.count, 1), used)


def _holds(pairing: Pairing, measures: PairMeasures, known: tuple[str, Budget] | None) -> bool:
    if exact(pairing):
        return not measures.differing and not measures.nonfinite_differing
    return known is not None and measures.relative_rmse <= known[1].relative_rmse


def _equal(pairing: Pairing, measures: PairMeasures) -> Comparison:
    return Comparison(
        measure="differing_values",
        place=Place(file=pairing.target.file.name, tensor=pairing.target.name),
        expected=0,
        observed=measures.differing,
        holds=not measures.differing and not measures.nonfinite_differing,
        tolerance=0.0,
        smallest_passing_tolerance=float(measures.differing),
        count=max(measures.count, 1),
        note=_changed(measures) if measures.differing else None,
    )


def _within(pairing: Pairing, measures: PairMeasures, bound: float, line: str) -> Comparison:
    holds = measures.relative_rmse <= bound
    return Comparison(
        measure="relative_rmse",
        place=Place(file=pairing.target.file.name, tensor=pairing.target.name),
        expected=0.0,
        observed=measures.relative_rmse,
        holds=holds,
        tolerance=bound,
        smallest_passing_tolerance=measures.relative_rmse,
        count=max(measures.count, 1),
        bound_from=line,
        note=None if holds else _changed(measures),
    )


def _changed(measures: PairMeasures) -> str:
    return f"changed outside the adapter, which does not touch it: relative RMSE {measures.relative_rmse:.3g}"


def _budgets(name: str) -> tuple[Budgets, Where]:
    """The budgets of an invariant, and where its lines stand."""
    invariant = load_invariant(name)
    return Budgets.model_validate({"budgets": invariant.parameters["budgets"]}), partial(invariant.where, "parameters")


def _rest_budget(found: Coefficient, budgets: Budgets, where: Where) -> tuple[float | None, str | None]:
    """The largest budget of the pairs that a tensor of the base stands in; None where no type of them has one."""
    known = [known for pairing in found.pairings if (known := budgets.of(pairing)) is not None]
    if not known:
        return None, None
    name, budget = max(known, key=lambda one: one[1].relative_rmse)
    return budget.relative_rmse, where("budgets", name, "relative_rmse")


ADAPTER_MERGED = static(MergedParameters, adapter_merged, reads_values=True)
OUTSIDE_ADAPTER = static(OutsideParameters, outside_adapter, reads_values=True)
