"""Owns the plan of a run: which gates, in which order, with which parameters and force, and which were left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from model_contracts.artifact import Artifact
from model_contracts.checks import KINDS
from model_contracts.checks.interface import Sweeper, Where
from model_contracts.contract import Clause, Contract
from model_contracts.definitions import (
    DefinitionError,
    find_contract,
    flattened,
    invariant_of,
    known_ids,
    load_contract,
    parameters,
)
from model_contracts.definitions.errors import short
from model_contracts.invariant import Gate, Invariant
from model_contracts.outcome import Force, Record

if TYPE_CHECKING:
    from model_contracts.tables import TensorTable

#: Kinds that run both artifacts with the runtime that is named.
_CONTINUED = ("same_continuations", "same_framing")


class UsageError(Exception):
    """The command asks for something there is not (one line; exit 2)."""


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What `contracts check` is asked."""

    paths: tuple[Path, ...]
    against: Path | None = None
    #: `against` as it was opened already, with the tokenizer it is held to.
    source: Artifact | None = None
    #: What starts the pass over the bytes, where that is there already.
    sweeper: Sweeper | None = None
    #: What a model answered, as `contracts golden record` wrote it.
    golden: Path | None = None
    #: The adapter that each path is to have, merged into `against`.
    adapter: Path | None = None
    contract: str | Contract | None = None
    dtype: str | None = None
    #: The tokenizer.json that stands for the source's own.
    tokenizer: Path | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    seed: int | None = None
    max_examples: int | None = None
    #: Seconds after which a property generates no more.
    time_budget: float | None = None
    #: Name the first module that departs where distributions are falsified.
    bisect: bool = False
    #: What both are run with, by name or by the path of its definition, where continuations are compared.
    runtime: str | None = None
    #: How the table of several files is grouped.
    group_by: Literal["release"] | None = None
    command: tuple[str, ...] = ()
    #: Whether `only` and `skip` may name gates that other models of the run have, and this one has not.
    among_others: bool = False
    #: Why the bytes of the target, and of the source, are not here: nothing of what needs them is compared.
    missing: str | None = None
    missing_source: str | None = None
    #: Called with bytes done and bytes in all.
    progress: Callable[[int, int], None] | None = None
    #: Called with the table of tensors of each artifact whose bytes were read.
    tables: Callable[[TensorTable], None] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One gate to evaluate."""

    gate: Gate
    invariant: Invariant
    contract: str
    force: Force
    parameters: Record
    where: Where


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps for one artifact, what was left out and why, and the definitions they stand on."""

    steps: tuple[Step, ...]
    not_evaluated: dict[str, str]
    definitions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    #: Why a contract that lies beside the artifact could not be used (None: it could, or there is none).
    refused: str | None = None


def plan(request: CheckRequest, target: Path) -> Plan:
    """The plan for one of the paths. Raises UsageError for a gate nobody defines, DefinitionError for a bad file."""
    if request.adapter is not None and request.against is None:
        raise UsageError("--adapter asks whether PATH is a base with the adapter merged: give --against BASE")
    contracts, found, notes, refused = _contracts(request, target)
    held, said = _held(contracts, found)
    notes = (*notes, *said)
    steps = {step.gate.id: step for step in held}
    named = ", ".join(c.id for c in (*contracts, *found))
    if not request.among_others:
        refuse_unknown_gates(request, named, steps)
    left_out = dict(_left_out(request, steps))
    chosen = tuple(step for step in held if step.gate.id not in left_out)
    if not chosen:
        notes = (
            *notes,
            f"no clause of {named} was left to hold it to: nothing was compared",
        )
    if request.bisect and not any(getattr(step.parameters, "departure", None) for step in chosen):
        raise UsageError("--bisect explains distributions that differ: give --against SOURCE --contract inference")
    if request.runtime is not None and not any(step.gate.check in _CONTINUED for step in chosen):
        raise UsageError("--runtime continues prompts of a pair: give --against SOURCE --contract inference")
    definitions = {c.id: _digest(c) for c in (*contracts, *found)}
    definitions |= {step.invariant.id: _digest(step.invariant) for step in chosen}
    return Plan(chosen, left_out, definitions, notes, refused)


def refuse_unknown_gates(request: CheckRequest, whose: str, gates: Collection[str]) -> None:
    """Raises UsageError for a pattern of `only` or `skip` that no gate answers to."""
    for pattern in (*request.only, *request.skip):
        if not any(fnmatchcase(gate, pattern) for gate in gates):
            raise UsageError(f"{pattern}: no gate of {whose} has that id (contracts list)")


def step_of(contract: str, invariant: str, gate: str) -> Step:
    """The step of a gate as a contract has it; where no such contract is known, as its invariant has it.

    Raises UsageError where the invariant has no such gate, DefinitionError where there is no such invariant.
    """
    known = load_contract(contract) if contract in known_ids("contract") else None
    alone = Contract(id="replay", title="", clauses=(Clause(invariant=invariant),))
    for held in (known, alone):
        for step in _steps(held) if held is not None else ():
            if (step.invariant.id, step.gate.id) == (invariant, gate):
                return step
    raise UsageError(f"{invariant} has no gate {gate} (contracts list)")


def _held(contracts: list[Contract], found: tuple[Contract, ...]) -> tuple[list[Step], tuple[str, ...]]:
    """The steps of the contracts, a gate once; then those of what was found beside the artifact, which only add.

    A gate that stands in both keeps its parameters, and is a `must` where either says so. Where the one that was found
    has other parameters it is evaluated with those as well: both must hold.
    """
    steps = {step.gate.id: step for contract in contracts for step in _steps(contract)}
    added: dict[str, Step] = {}
    weaker: list[str] = []
    for step in (step for contract in found for step in _steps(contract)):
        own = steps.get(step.gate.id)
        if own is None:
            added[step.gate.id] = step
        elif step.parameters != own.parameters:
            added[step.gate.id] = _told_apart(step, own)
        if own is None or step.force == own.force:
            continue
        if step.force == "must":
            steps[step.gate.id] = replace(own, force="must")
        else:
            weaker.append(step.gate.id)
    said = f"{', '.join(weaker)}: asked for as should by what was found beside the artifact, and kept as must"
    return [*steps.values(), *added.values()], (said,) if weaker else ()


def _told_apart(step: Step, own: Step) -> Step:
    """A step whose title says which contract asks for the gate again, and with which other parameters."""
    ours, theirs = own.parameters.model_dump(mode="json"), step.parameters.model_dump(mode="json")
    changed = [name for name, value in theirs.items() if value != ours.get(name)]
    shown = (f"{name} {short(theirs[name])}" for name in changed[:4])
    title = f"{step.gate.title} ({step.contract} asks for {', '.join(shown)})"
    return replace(step, gate=step.gate.model_copy(update={"title": title}))


def _contracts(
    request: CheckRequest, target: Path
) -> tuple[list[Contract], tuple[Contract, ...], tuple[str, ...], str | None]:
    """The contracts that were asked for, those found beside the artifact, what is said of it, and why it is refused."""
    asked = [load_contract("golden")] if request.golden is not None else []
    if request.contract is not None:
        given = request.contract
        return [flattened(given) if isinstance(given, Contract) else load_contract(given), *asked], (), (), None
    contracts = [load_contract(_asked_for(request)), *asked]
    # A downloaded folder may hold a contracts.yaml of its own: what is found beside a model adds, it never takes away,
    # and it ends no check.
    found = find_contract(target if os.path.isdir(target) else target.parent)  # noqa: PTH112 -- raises for nothing
    if found is None:
        return contracts, (), (), None
    try:
        contract = load_contract(found)
        for _ in _steps(contract):
            continue
    except DefinitionError as error:
        said = f"{found} was found upward from the artifact and adds no clause: it cannot be read as a contract"
        return contracts, (), (said,), str(error)
    said = f"{found} was found upward from the artifact; its clauses come on top of {contracts[0].id}"
    return contracts, (contract,), (said,), None


def _asked_for(request: CheckRequest) -> str:
    if request.adapter is not None:
        return "adapter"
    return "conversion" if request.against is not None else "default"


def _steps(contract: Contract) -> Iterator[Step]:
    for index, clause in enumerate(contract.clauses):
        invariant = invariant_of(contract, index)
        _refuse_unknown(contract, index, invariant)
        for at, gate in enumerate(invariant.gates):
            if not clause.gates or gate.id in clause.gates:
                typed = typed_parameters(contract, index, invariant, at)
                yield Step(gate, invariant, contract.id, clause.force, typed, _where(contract, index, invariant, at))


def typed_parameters(contract: Contract, index: int, invariant: Invariant, at: int) -> Record:
    """A gate's parameters: the invariant's that it knows, then its own, then the clause's that it knows."""
    gate, clause = invariant.gates[at], contract.clauses[index]
    typed = _kind(invariant, at)
    shared = {key: value for key, value in invariant.parameters.items() if key in typed.model_fields}
    replaced = {key: value for key, value in clause.parameters.items() if key in typed.model_fields}
    own = {**shared, **gate.parameters}
    if replaced:
        parameters(typed, {**own, **replaced}, contract, "clauses", index, "parameters")
    return parameters(typed, {**own, **replaced}, invariant, "gates", at, "parameters")


def _kind(invariant: Invariant, at: int) -> type[Record]:
    """The type of a gate's parameters, by its kind of check."""
    name = invariant.gates[at].check
    kind = KINDS.get(name)
    if kind is None:
        known = ", ".join(sorted(KINDS))
        where = invariant.where("gates", at, "check")
        raise DefinitionError(where, None, None, f"one of {known}, or a kind of a plugin (--plugins)", repr(name))
    return kind.parameters


def _refuse_unknown(contract: Contract, index: int, invariant: Invariant) -> None:
    """A clause may name only parameters that one of its gates knows."""
    clause = contract.clauses[index]
    known = {field for at in range(len(invariant.gates)) for field in _kind(invariant, at).model_fields}
    for name in clause.parameters:
        if name not in known:
            place = contract.where("clauses", index, "parameters", name)
            expected = f"a parameter of {invariant.id} ({', '.join(sorted(known)) or 'it has none'})"
            raise DefinitionError(place, None, None, expected, repr(name))


def _where(contract: Contract, index: int, invariant: Invariant, at: int) -> Where:
    """`file:line` of a parameter: the clause's own, else the gate's, else the invariant's."""

    def where(name: str, *below: str | int) -> str:
        if name in contract.clauses[index].parameters:
            return contract.where("clauses", index, "parameters", name, *below)
        if name in invariant.gates[at].parameters:
            return invariant.where("gates", at, "parameters", name, *below)
        return invariant.where("parameters", name, *below)

    return where


def _left_out(request: CheckRequest, steps: dict[str, Step]) -> Iterator[tuple[str, str]]:
    for gate, step in steps.items():
        if request.only and not any(fnmatchcase(gate, pattern) for pattern in request.only):
            yield gate, "left out by --only"
        elif any(fnmatchcase(gate, pattern) for pattern in request.skip):
            yield gate, "left out by --skip"
        elif step.invariant.subject == "pair" and request.against is None:
            yield gate, "needs a source (--against SOURCE)"


def _digest(definition: Contract | Invariant) -> str:
    if definition._origin is not None:
        return definition._origin.digest
    from blake3 import blake3  # of one that was made in a program

    return f"blake3:{blake3(definition.model_dump_json().encode()).hexdigest()}"
