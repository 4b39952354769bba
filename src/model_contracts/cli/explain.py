"""Owns `contracts explain`: what a gate, invariant, contract or sign holds and where that stands; what a word means."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from model_contracts.cli import engine_facts
from model_contracts.cli.output import colour, width
from model_contracts.cli.signs import explained
from model_contracts.cli.words import WORDS, find
from model_contracts.definitions.errors import DefinitionError, nearest
from model_contracts.definitions.known import known_ids
from model_contracts.definitions.outline import Outline, outlines
from model_contracts.terminal import Pen, wrap
from model_contracts.terminal import columns as aligned

_EXIT = (
    "A must that is Falsified, Crashed or out of time exits 1; one that could not be evaluated exits 3, unless the "
    "artifact owes nothing there; an error of the checker itself exits 4. A should is said and decides nothing."
)


_SUBJECTS = {
    "artifact": "one artifact",
    "pair": "an artifact and its source (--against SOURCE)",
    "qualification": "a model in all its formats (contracts qualify PLAYBOOK)",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    named = "a gate, the start of one, an invariant, a contract, a sign, an engine, or a word of a report (words: all)"
    parser.add_argument("name", metavar="GATE|ID|WORD", help=named)
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
    if name in known_ids("contract"):
        yield from _contract(name, pen, columns)
        return
    if lines := [*explained(name, pen, columns), *engine_facts.explained(name, pen, columns)]:
        yield from lines
        return
    if lines := list(_words(name, pen, columns)):
        yield from lines
        return
    chosen = list(_chosen(name))
    for at, (invariant, gates) in enumerate(chosen):
        if at:
            yield ""
        yield from _invariant(invariant, gates, pen, columns)
    if chosen:
        yield ""
        yield from wrap(_EXIT, columns)


def _words(name: str, pen: Pen, columns: int) -> Iterator[str]:
    """A word of a report with what it means; all words beside those of the evidence where `words` is asked for."""
    if name == "words":
        yield from aligned([["report", "evidence"], *([word.word, word.evidence] for word in WORDS)])
        return
    if (word := find(name)) is None:
        return
    yield from wrap(word.means, columns, f"{word.word}  ", "  ")
    yield from wrap(f"in the evidence: {word.evidence}", columns, "  ", "    ")
    if word.act:
        yield from wrap(word.act, columns, "  → ")
    if word.also:
        yield from wrap(f"also found as: {', '.join(word.also)}", columns, "  ", "    ")


def _chosen(name: str) -> Iterator[tuple[Outline, list[int]]]:
    """The invariant of that id with all its gates; else the gate of that id; else gates whose ids begin so."""
    invariants = list(outlines("invariant"))
    for invariant in invariants:
        if invariant.id == name:
            yield invariant, list(range(len(invariant.get("gates"))))
            return
    ids = [gate["id"] for invariant in invariants for gate in invariant.get("gates")]
    for invariant in invariants:
        own = [gate["id"] for gate in invariant.get("gates")]
        if at := [at for at, gate in enumerate(own) if gate == name or (name not in ids and gate.startswith(name))]:
            yield invariant, at


def _invariant(invariant: Outline, gates: list[int], pen: Pen, columns: int) -> Iterator[str]:
    yield f"{pen('bold', invariant.id)}  {invariant.get('title')}  {pen('dim', invariant.where('id'))}"
    yield from wrap(" ".join(invariant.get("statement").split()), columns, "  ")
    yield f"  Held against: {_SUBJECTS[invariant.get('subject')]}"
    if clauses := ", ".join(_clauses(invariant.id)):
        yield f"  In contracts: {clauses}"
    if tiers := ", ".join(_tiers([invariant.get("gates")[at]["id"] for at in gates])):
        yield f"  In playbooks of the tiers: {tiers}"
    for at in gates:
        gate = invariant.get("gates")[at]
        yield ""
        yield from wrap(gate["title"], columns, f"  {gate['id']}  ")
        yield f"    check: {gate['check']}  {pen('dim', invariant.where('gates', at, 'check'))}"
        for key, value in gate.get("parameters", {}).items():
            yield from _parameter(key, value, invariant.where("gates", at, "parameters", key), pen, columns)
    if shared := invariant.get("parameters"):
        yield ""
        yield "  Parameters of all its gates"
        for key, value in shared.items():
            yield from _parameter(key, value, invariant.where("parameters", key), pen, columns)
    for key in ("catches", "sources"):
        if texts := invariant.get(key):
            yield ""
            yield f"  {key.capitalize()}"
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
    """The known contracts that hold an artifact to an invariant, themselves or through one that they extend."""
    contracts = {contract.id: contract for contract in outlines("contract")}

    def force(name: str) -> str | None:
        for clause in contracts[name].get("clauses", []):
            if clause["invariant"] == invariant:
                return str(clause.get("force", "must"))
        above = [found for base in contracts[name].get("extends", []) if (found := force(base)) is not None]
        return above[-1] if above else None

    for name in contracts:
        if (found := force(name)) is not None:
            yield f"{name} ({found})"


def _tiers(gates: list[str]) -> Iterator[str]:
    """The tiers of playbooks that evaluate one of these gates."""
    for tier in outlines("tier"):
        patterns = [pattern for choice in tier.get("gates") for pattern in choice["gates"]]
        if any(fnmatchcase(gate, pattern) for gate in gates for pattern in patterns):
            yield tier.id.rpartition("/")[2]


def _contract(name: str, pen: Pen, columns: int) -> Iterator[str]:
    from model_contracts.definitions.loading import invariant_of, load_contract

    contract = load_contract(name)
    yield f"{pen('bold', contract.id)}  {contract.title}  {pen('dim', contract.where('id'))}"
    if contract.description:
        yield from wrap(" ".join(contract.description.split()), columns, "  ")
    yield ""
    for at, clause in enumerate(contract.clauses):
        invariant = invariant_of(contract, at)
        yield f"  {clause.force:<6}  {pen('bold', invariant.id)}  {pen('dim', contract.where('clauses', at))}"
        for gate in invariant.gates:
            if not clause.gates or gate.id in clause.gates:
                yield from wrap(gate.title, columns, f"            {gate.id}  ")


def _unknown(name: str) -> DefinitionError:
    known = [gate["id"] for invariant in outlines("invariant") for gate in invariant.get("gates")]
    known += [word.word for word in WORDS]
    known += [*known_ids("invariant"), *known_ids("contract"), *known_ids("audit"), *known_ids("engine")]
    expected = (
        "a gate, an invariant, a contract, a sign, an engine (contracts list) or a word (contracts explain words)"
    )
    return DefinitionError("explain", None, None, expected, f"{name!r}{nearest(name, known)}")
