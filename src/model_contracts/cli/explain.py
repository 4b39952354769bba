"""Owns `contracts explain`: what a gate, invariant or contract holds, where that is written, what it catches."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from model_contracts import definitions
from model_contracts.cli.output import colour, width
from model_contracts.cli.output import columns as aligned
from model_contracts.contract import Contract
from model_contracts.definitions.errors import nearest
from model_contracts.invariant import Gate, Invariant
from model_contracts.terminal import Pen, wrap

_EXIT = (
    "A must that is Falsified, Crashed or out of time exits 1; one that could not be evaluated exits 3, unless the "
    "artifact owes nothing there; an error of the checker itself exits 4. A should is said and decides nothing."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="GATE|ID", help="a gate, the start of one, an invariant or a contract")
    parser.add_argument("--no-color", action="store_true", help="no colours")


def run(arguments: argparse.Namespace) -> int:
    """0; 2 where nothing has that name."""
    pen = Pen(colour(arguments.no_color))
    lines = list(_explained(arguments.name, pen, width()))
    if not lines:
        raise _unknown(arguments.name)
    print("\n".join(lines))
    return 0


def _explained(name: str, pen: Pen, columns: int) -> Iterator[str]:
    invariants = [definitions.load_invariant(known) for known in definitions.shipped_ids("invariant")]
    if name in definitions.shipped_ids("contract"):
        yield from _contract(definitions.load_contract(name), pen, columns)
        return
    if exact := [i for i in invariants if i.id == name]:
        chosen = [(invariant, invariant.gates) for invariant in exact]
    else:
        matching = [(i, tuple(g for g in i.gates if g.id == name)) for i in invariants]
        if not any(gates for _, gates in matching):
            matching = [(i, tuple(g for g in i.gates if g.id.startswith(name))) for i in invariants]
        chosen = [(invariant, gates) for invariant, gates in matching if gates]
    for at, (invariant, gates) in enumerate(chosen):
        if at:
            yield ""
        yield from _invariant(invariant, gates, pen, columns)
    if chosen:
        yield ""
        yield from wrap(_EXIT, columns)


def _invariant(invariant: Invariant, gates: tuple[Gate, ...], pen: Pen, columns: int) -> Iterator[str]:
    yield f"{pen('bold', invariant.id)}  {invariant.title}  {pen('dim', invariant.where('id'))}"
    yield from wrap(" ".join(invariant.statement.split()), columns, "  ")
    subject = "an artifact and its source (--against SOURCE)" if invariant.subject == "pair" else "one artifact"
    yield f"  Held against: {subject}"
    if clauses := list(_clauses(invariant.id)):
        yield f"  In contracts: {', '.join(clauses)}"
    for gate in gates:
        at = invariant.gates.index(gate)
        yield ""
        yield from wrap(gate.title, columns, f"  {pen('bold', gate.id)}  ", " " * (len(gate.id) + 4))
        yield f"    check: {gate.check}  {pen('dim', invariant.where('gates', at, 'check'))}"
        for key, value in gate.parameters.items():
            yield from _parameter(key, value, invariant.where("gates", at, "parameters", key), pen, columns)
    if invariant.parameters:
        yield ""
        yield "  Parameters of all its gates"
        for key, value in invariant.parameters.items():
            yield from _parameter(key, value, invariant.where("parameters", key), pen, columns)
    for title, texts in (("Catches", invariant.catches), ("Sources", invariant.sources)):
        if texts:
            yield ""
            yield f"  {title}"
            for text in texts:
                yield from wrap(" ".join(text.split()), columns, "    - ", "      ")


def _parameter(key: str, value: object, where: str, pen: Pen, columns: int) -> Iterator[str]:
    if isinstance(value, dict) and value and all(isinstance(part, dict) for part in value.values()):
        yield f"    {key}  {pen('dim', where)}"
        yield from (f"      {line}" for line in _table(value))
        return
    yield from wrap(f"{key}: {_compact(value)}  [{where}]", columns, "    ", "      ")


def _table(value: dict[str, Any]) -> list[str]:
    """A mapping of mappings, one line each."""
    keys = list(dict.fromkeys(key for part in value.values() for key in part))
    rows = [["", *keys]]
    rows += [[name, *(_compact(part[key]) if key in part else "" for key in keys)] for name, part in value.items()]
    return aligned(rows, [False, *[True] * len(keys)])


def _compact(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_compact(part)}" for key, part in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(_compact, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _clauses(invariant: str) -> Iterator[str]:
    for name in definitions.shipped_ids("contract"):
        contract = definitions.load_contract(name)
        for clause in contract.clauses:
            if clause.invariant == invariant:
                yield f"{name} ({clause.force})"


def _contract(contract: Contract, pen: Pen, columns: int) -> Iterator[str]:
    yield f"{pen('bold', contract.id)}  {contract.title}  {pen('dim', contract.where('id'))}"
    if contract.description:
        yield from wrap(" ".join(contract.description.split()), columns, "  ")
    yield ""
    for at, clause in enumerate(contract.clauses):
        invariant = definitions.invariant_of(contract, at)
        yield f"  {clause.force:<6}  {pen('bold', invariant.id)}  {pen('dim', contract.where('clauses', at))}"
        for gate in invariant.gates:
            if not clause.gates or gate.id in clause.gates:
                yield from wrap(gate.title, columns, f"            {gate.id}  ")


def _unknown(name: str) -> definitions.DefinitionError:
    invariants = [definitions.load_invariant(known) for known in definitions.shipped_ids("invariant")]
    known = [gate.id for invariant in invariants for gate in invariant.gates]
    known += [*definitions.shipped_ids("invariant"), *definitions.shipped_ids("contract")]
    expected = "a gate, an invariant or a contract (contracts list)"
    return definitions.DefinitionError("explain", None, None, expected, f"{name!r}{nearest(name, known)}")
