"""Owns what is wrong with a contract: clauses that name nobody, never apply, repeat, or let the fault they see pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_contracts.checks import KINDS
from model_contracts.contract import Clause, Contract
from model_contracts.definitions import DefinitionError, known_ids, load_contract, load_invariant
from model_contracts.definitions.errors import nearest
from model_contracts.engine.plan import typed_parameters
from model_contracts.invariant import Gate, Invariant
from model_contracts.lint.flaws import Flaw, flaw, of_error

#: What is found beside an artifact adds to these.
_ALWAYS = ("default", "conversion")


def flaws_of(contract: Contract, *, beside: bool) -> Iterator[Flaw]:
    """Everything; `beside`: its file is one that is found beside artifacts, which only adds."""
    yield from _above(contract)
    seen: dict[str, list[int]] = {}
    for index, clause in enumerate(contract.clauses):
        for earlier in seen.setdefault(clause.invariant, []):
            other = contract.clauses[earlier]
            if not clause.gates or not other.gates or set(clause.gates) & set(other.gates):
                where = contract.where("clauses", earlier)
                yield flaw(contract, "duplicate", f"a gate of it stands in a clause before ({where})", "clauses", index)
        seen[clause.invariant].append(index)
        if clause.invariant not in (known := known_ids("invariant")):
            says = f"no invariant is called {clause.invariant!r}{nearest(clause.invariant, known)}"
            yield flaw(contract, "unknown", says, "clauses", index, "invariant")
            continue
        try:
            invariant = load_invariant(clause.invariant)
        except DefinitionError as error:
            yield of_error(error)
            continue
        yield from _clause(contract, index, invariant)
        if beside and clause.force == "should" and (must := _must(clause)) is not None:
            says = f"{must} holds it as must, and what is found beside an artifact takes nothing away"
            yield flaw(contract, "shadowed", says, "clauses", index)


def _above(contract: Contract) -> Iterator[Flaw]:
    """What is wrong with what it extends."""
    known = known_ids("contract")
    clauses: dict[str, tuple[str, tuple[Clause, ...]]] = {}
    own = {clause.invariant for clause in contract.clauses}
    for index, name in enumerate(contract.extends):
        if name in contract.extends[:index]:
            yield flaw(contract, "duplicate", f"{name} is extended already", "extends", index)
            continue
        if name not in known:
            says = f"no contract is called {name!r}{nearest(name, known)}"
            yield flaw(contract, "unknown", says, "extends", index)
            continue
        try:
            parent = load_contract(name)
        except DefinitionError as error:
            yield of_error(error)
            continue
        for invariant in dict.fromkeys(clause.invariant for clause in parent.clauses):
            theirs = tuple(clause for clause in parent.clauses if clause.invariant == invariant)
            before = clauses.get(invariant)
            if before is not None and before[1] != theirs and invariant not in own:
                says = f"its clause of {invariant} replaces that of {before[0]}, which says otherwise"
                yield flaw(contract, "shadowed", says, "extends", index)
            clauses[invariant] = name, theirs
    for index, clause in enumerate(contract.clauses):
        if clauses.get(clause.invariant, ("", ()))[1] == (clause,):
            says = f"{clauses[clause.invariant][0]} says the same"
            yield flaw(contract, "duplicate", says, "clauses", index)


def _must(clause: Clause) -> str | None:
    """The contract that every artifact or pair is held to, where it has this invariant as a must."""
    for name in _ALWAYS:
        for other in load_contract(name).clauses:
            if other.invariant == clause.invariant and other.force == "must":
                return name
    return None


def _clause(contract: Contract, index: int, invariant: Invariant) -> Iterator[Flaw]:
    clause = contract.clauses[index]
    ids = [gate.id for gate in invariant.gates]
    for at, gate_id in enumerate(clause.gates):
        place = ("clauses", index, "gates", at)
        if gate_id not in ids:
            yield flaw(contract, "unknown", f"{invariant.id} has no gate {gate_id!r}{nearest(gate_id, ids)}", *place)
        elif gate_id in clause.gates[:at]:
            yield flaw(contract, "duplicate", f"{gate_id} is named already", *place)
    chosen = [at for at, gate in enumerate(invariant.gates) if not clause.gates or gate.id in clause.gates]
    if invariant.subject == "qualification":
        says = "its gates are those of a qualification (contracts qualify): no check evaluates them"
        yield flaw(contract, "never applies", says, "clauses", index, "invariant")
        return
    if any(invariant.gates[at].check not in KINDS for at in chosen):
        return  # of the invariant's own flaws
    yield from _parameters(contract, index, invariant, chosen)


def _parameters(contract: Contract, index: int, invariant: Invariant, chosen: list[int]) -> Iterator[Flaw]:
    clause = contract.clauses[index]
    fields = {at: KINDS[gate.check].parameters.model_fields for at, gate in enumerate(invariant.gates) if at in chosen}
    others = {
        name
        for at, gate in enumerate(invariant.gates)
        if at not in chosen and gate.check in KINDS
        for name in KINDS[gate.check].parameters.model_fields
    }
    known = sorted({name for own in fields.values() for name in own})
    for name in clause.parameters:
        place = ("clauses", index, "parameters", name)
        if name in known:
            continue
        if name in others:
            yield flaw(contract, "never applies", f"{name} is a parameter of gates that the clause leaves out", *place)
        else:
            yield flaw(contract, "unknown", f"{invariant.id} has no parameter {name!r}{nearest(name, known)}", *place)
    told: set[str] = set()
    for at in chosen:
        try:
            typed_parameters(contract, index, invariant, at)
        except DefinitionError as error:
            # The invariant's own parameters are told of with the invariant.
            if set(clause.parameters) & set(fields[at]) and str(error) not in told:
                yield of_error(error)
            told.add(str(error))
            continue
        yield from _wider(contract, index, invariant.gates[at], invariant)


def _wider(contract: Contract, index: int, gate: Gate, invariant: Invariant) -> Iterator[Flaw]:
    """Bounds of a clause under which a fault passes that the gate is there to see."""
    given = contract.clauses[index].parameters
    for guard in gate.guards:
        own, asked = bound(guard.parameter, {**invariant.parameters, **gate.parameters}), bound(guard.parameter, given)
        if own is None or asked is None or not lets_pass(own, asked, guard.passes_at):
            continue
        says = (
            f"{asked:g} lets pass what {gate.id} is there to see: {guard.fault} ({guard.passes_at:g}; it has {own:g})"
        )
        yield flaw(contract, "wider than its fault", says, "clauses", index, "parameters", *guard.parameter)


def bound(path: tuple[str, ...], parameters: Mapping[str, Any]) -> float | None:
    """The number under keys; None where there is none."""
    value: Any = parameters
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def lets_pass(own: float, asked: float, passes_at: float) -> bool:
    """Whether a bound lies where the fault passes: on the other side of it than the gate's own."""
    return asked >= passes_at if own < passes_at else asked <= passes_at
