"""Owns what is wrong with an invariant: kinds nobody has, parameters no gate takes, globs that leave nothing over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_contracts.checks import KINDS
from model_contracts.checks.static.custom.selected import matched
from model_contracts.definitions import DefinitionError, known_ids, load_invariant, parameters
from model_contracts.definitions.errors import nearest
from model_contracts.invariant import Corpus, Invariant
from model_contracts.lint.contracts import bound, lets_pass
from model_contracts.lint.flaws import Flaw, flaw, of_error
from model_contracts.outcome import Record
from model_contracts.qualification.gates import GATES


def kind_of(name: str) -> type[Record] | None:
    """The type of the parameters of a kind of check; None where nothing has that name."""
    if name in KINDS:
        return KINDS[name].parameters
    return GATES[name].parameters if name in GATES else None


def flaws_of(invariant: Invariant) -> Iterator[Flaw]:
    """Everything that is wrong with it."""
    typed = [kind_of(gate.check) for gate in invariant.gates]
    known = {name for kind in typed if kind is not None for name in kind.model_fields}
    for name in invariant.parameters:
        if name not in known and None not in typed:
            yield flaw(invariant, "never applies", f"no gate takes {name!r}{nearest(name, known)}", "parameters", name)
    seen: dict[str, str] = {}
    for at, (gate, kind) in enumerate(zip(invariant.gates, typed, strict=True)):
        if gate.id in [other.id for other in invariant.gates[:at]]:
            yield flaw(invariant, "duplicate", f"{gate.id} is a gate of it already", "gates", at, "id")
        yield from _same(invariant, at, seen)
        yield from _guards(invariant, at)
        if kind is None:
            kinds = (*KINDS, *GATES)
            says = f"no kind of check is called {gate.check!r}{nearest(gate.check, kinds)} (contracts list kinds)"
            yield flaw(invariant, "unknown", says, "gates", at, "check")
            continue
        if (gate.check in GATES) != (invariant.subject == "qualification") and gate.check not in KINDS:
            says = f"{gate.check} is asked of a qualification only, and this is held against: {invariant.subject}"
            yield flaw(invariant, "never applies", says, "gates", at, "check")
        shared = {name: value for name, value in invariant.parameters.items() if name in kind.model_fields}
        try:
            parameters(kind, {**shared, **gate.parameters}, invariant, "gates", at, "parameters")
        except DefinitionError as error:
            yield of_error(error)
            continue
        yield from _globs(invariant, at, gate.parameters)


def _same(invariant: Invariant, at: int, seen: dict[str, str]) -> Iterator[Flaw]:
    gate = invariant.gates[at]
    asked = repr((gate.check, sorted(gate.parameters.items(), key=str)))
    if (other := seen.get(asked)) is not None and gate.parameters:
        yield flaw(invariant, "duplicate", f"{other} asks the same of the same", "gates", at)
    seen.setdefault(asked, gate.id)


def _guards(invariant: Invariant, at: int) -> Iterator[Flaw]:
    gate = invariant.gates[at]
    for number, guard in enumerate(gate.guards):
        own = bound(guard.parameter, {**invariant.parameters, **gate.parameters})
        place = ("gates", at, "guards", number)
        if own is None:
            says = f"{' '.join(guard.parameter)} is no number among its parameters"
            yield flaw(invariant, "unknown", says, *place, "parameter")
        elif lets_pass(own, own, guard.passes_at):
            says = f"its own bound lets pass what it is there to see: {guard.fault} ({guard.passes_at:g})"
            yield flaw(invariant, "wider than its fault", says, *place)


def _globs(invariant: Invariant, at: int, given: dict[str, Any]) -> Iterator[Flaw]:
    """Globs that another one makes superfluous, and globs of which nothing is left over."""
    globs, but = given.get("tensors"), given.get("but", [])
    if not isinstance(globs, list):
        return
    for number, glob in enumerate(globs):
        place = ("gates", at, "parameters", "tensors", number)
        # A glob that another matches as if it were a name stands for no tensor that the other does not stand for.
        if (cover := next((other for other in but if matched(other, glob) is not None), None)) is not None:
            yield flaw(invariant, "never applies", f"{cover!r} leaves out every tensor of {glob!r}", *place)
        elif (cover := next((o for n, o in enumerate(globs) if _covers(o, n, glob, number)), None)) is not None:
            yield flaw(invariant, "duplicate", f"{cover!r} has every tensor of {glob!r}", *place)


def _covers(other: str, number: int, glob: str, own: int) -> bool:
    """Whether another glob has all that one has; of two equal ones the first."""
    return number != own and matched(other, glob) is not None and (other != glob or number < own)


def flaws_of_corpus(corpus: Corpus) -> Iterator[Flaw]:
    """Inputs of an invariant or a property that nobody has."""
    known = known_ids("invariant")
    if corpus.invariant not in known:
        says = f"no invariant is called {corpus.invariant!r}{nearest(corpus.invariant, known)}"
        yield flaw(corpus, "unknown", says, "invariant")
        return
    checks = {gate.check for gate in load_invariant(corpus.invariant).gates}
    for at, pinned in enumerate(corpus.inputs):
        if pinned.check not in checks:
            says = f"{corpus.invariant} asks no {pinned.check!r}{nearest(pinned.check, checks)}"
            yield flaw(corpus, "never applies", says, "inputs", at, "check")
