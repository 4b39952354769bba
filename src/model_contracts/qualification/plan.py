"""Owns the plan of a qualification: which gates in which scenarios, with which force, and which were left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from model_contracts.checks.interface import NoParameters, Where
from model_contracts.definitions import known_ids, load_invariant, parameters
from model_contracts.engine.plan import UsageError
from model_contracts.invariant import Gate, Invariant
from model_contracts.outcome import Record
from model_contracts.playbook import GateChoice
from model_contracts.qualification.gates import GATES, borrowed, oracles
from model_contracts.qualification.interface import QualificationStep
from model_contracts.qualification.matrix import Settled

#: In which order gates are evaluated, by the kind of thing they ask; those that run a model stand by artifact.
_ORDER = ("source_present", "format_written")


@dataclass(frozen=True, slots=True)
class Planned:
    """The steps in their order, what was left out and why, and the definitions they stand on."""

    steps: tuple[QualificationStep, ...]
    not_evaluated: dict[str, str]
    definitions: dict[str, str]


def plan(settled: Settled, only: tuple[str, ...] = (), skip: tuple[str, ...] = ()) -> Planned:
    """The plan. Raises UsageError for a pattern that matches no gate."""
    known = _known()
    _refuse_unknown(settled, only, skip, tuple(known))
    oracles.refuse_unknown(settled)
    steps: list[QualificationStep] = []
    left_out = dict(settled.not_made)
    for gate_id, (invariant, at) in known.items():
        choice = _choice(settled, gate_id)
        if choice is None:
            continue
        why = _left_out(choice, gate_id, only, skip)
        found = [] if why else list(_steps(settled, invariant, at, choice))
        if not found:
            left_out[gate_id] = why or "the playbook names nothing that it is about"
        steps += found
    definitions = {step.invariant.id: _digest(step.invariant) for step in steps}
    return Planned(tuple(sorted(steps, key=_place)), left_out, definitions)


def _known() -> dict[str, tuple[Invariant, int]]:
    """Every gate by its id, with its invariant and its place there."""
    invariants = [load_invariant(name) for name in known_ids("invariant")]
    return {gate.id: (invariant, at) for invariant in invariants for at, gate in enumerate(invariant.gates)}


def _choice(settled: Settled, gate_id: str) -> GateChoice | None:
    chosen = [choice for choice in settled.gates if any(fnmatchcase(gate_id, pattern) for pattern in choice.gates)]
    return chosen[-1] if chosen else None


def _left_out(choice: GateChoice, gate_id: str, only: tuple[str, ...], skip: tuple[str, ...]) -> str | None:
    if choice.force == "left-out":
        return choice.reason or "the playbook leaves it out"
    if only and not any(fnmatchcase(gate_id, pattern) for pattern in only):
        return "left out by --only"
    return "left out by --skip" if any(fnmatchcase(gate_id, pattern) for pattern in skip) else None


def _steps(settled: Settled, invariant: Invariant, at: int, choice: GateChoice) -> Iterator[QualificationStep]:
    gate = invariant.gates[at]
    kind = GATES.get(gate.check)
    if kind is None:
        typed: Record = NoParameters()
        scenarios = borrowed.scenarios(settled, invariant, choice)
    else:
        typed = parameters(kind.parameters, dict(gate.parameters), invariant, "gates", at, "parameters")
        scenarios = kind.scenarios(settled, typed)
    assert choice.force != "left-out"
    base = QualificationStep(gate, invariant, choice.force, typed, _where(invariant, at), scenario=None, chains=())  # type: ignore[arg-type]
    for scenario, chains in scenarios:
        yield replace(base, scenario=scenario, chains=chains)


def _where(invariant: Invariant, at: int) -> Where:
    return lambda *pointer: invariant.where("gates", at, "parameters", *pointer)


def _place(step: QualificationStep) -> tuple[int, int, tuple[str, ...], str]:
    """The source first, then each format as it is made, with what runs it; chains by their length."""
    first = _ORDER.index(step.gate.check) if step.gate.check in _ORDER else len(_ORDER)
    chains = step.chains or ((),)
    longest = max(chains, key=len)
    return (0 if first == 0 else 1, len(longest), longest, f"{first} {_runs(step.gate)} {step.gate.id}")


def _runs(gate: Gate) -> int:
    """Gates of files before gates of runtimes, so that what is broken is known before it is run.

    A pair first, and then the one of it that is left open: opening a model takes more memory than holding it.
    """
    if gate.check in ("answers", "tokens_per_second", "seconds_to_first_token", "peak_memory"):
        return 3
    return {"same_distributions": 1, "conversion": 2, "same_answers": 2}.get(gate.check, 0)


def _refuse_unknown(settled: Settled, only: tuple[str, ...], skip: tuple[str, ...], known: tuple[str, ...]) -> None:
    asked = [(pattern, "--only and --skip") for pattern in (*only, *skip)]
    asked += [(pattern, settled.playbook.id) for choice in settled.gates for pattern in choice.gates]
    for pattern, origin in asked:
        if not any(fnmatchcase(gate, pattern) for gate in known):
            raise UsageError(f"{pattern}: no gate has that id ({origin}; contracts list gates)")


def _digest(definition: Invariant) -> str:
    origin = definition._origin
    return origin.digest if origin is not None else ""
