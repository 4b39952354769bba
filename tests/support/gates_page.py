"""Writes docs/gates.md from the definitions: `python -m support.gates_page`, in `tests/`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from model_contracts import definitions
from model_contracts.invariant import Gate, Invariant

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gates.md"
HEAD = """# The gates

Every gate of the shipped definitions: what holds where it is green, in which contract it is owed, and what it is there
to see. `contracts explain GATE` says the same with each bound and the line it stands on. *must* decides the exit code;
*should* is told and decides nothing. A *kind* is the code that compares (`contracts list kinds`).

`conversion` owes all that `default` owes, `inference` and `adapter` all that `conversion` owes: a gate is listed under
the first. `conversion` counts where `--against` is given, `adapter` with `--adapter` beside it, `golden` with
`--golden`. `inference` is asked for (`--contract inference`). A playbook owes by its tier
([qualification](qualification.md)).

This page is written from `invariants/` by `python -m support.gates_page`, in `tests/`.
"""
#: Groups of the page, by what an invariant is held against.
SUBJECTS = {
    "artifact": "One artifact",
    "pair": "A pair: a file and what it was made from",
    "qualification": "A model in all its formats",
}

#: A contract after those that it extends.
CONTRACTS = ("default", "golden", "conversion", "inference", "adapter")


def page() -> str:
    """The page."""
    owed = _owed()
    invariants = [definitions.load_invariant(name) for name in definitions.shipped_ids("invariant")]
    lines = [HEAD]
    for subject, title in SUBJECTS.items():
        group = [one for one in invariants if one.subject == subject]
        lines += [f"## {title}", "", *_index(group, owed)]
        for invariant in group:
            lines += _told(invariant)
    return "\n".join(lines).rstrip("\n") + "\n"


def _owed() -> dict[str, str]:
    """Gate to the first contract that owes it, with its force; the others extend that one."""
    found: dict[str, str] = {}
    assert set(CONTRACTS) == set(definitions.shipped_ids("contract"))
    for name in CONTRACTS:
        for clause in definitions.load_contract(name).clauses:
            for gate in definitions.load_invariant(clause.invariant).gates:
                if not clause.gates or gate.id in clause.gates:
                    found.setdefault(gate.id, f"{name} ({clause.force})")
    return found


def _index(group: list[Invariant], owed: dict[str, str]) -> Iterator[str]:
    yield "| gate | holds | owed in |"
    yield "|---|---|---|"
    for invariant in group:
        for gate in invariant.gates:
            yield f"| [{gate.id}](#{anchor(invariant.id)}) | {safe(gate.title)} | {_contract(invariant, gate, owed)} |"
    yield ""


def _contract(invariant: Invariant, gate: Gate, owed: dict[str, str]) -> str:
    made = "playbooks" if invariant.subject == "qualification" else "what `contracts init` writes"
    return owed.get(gate.id, made)


def _told(invariant: Invariant) -> Iterator[str]:
    yield from (f"### {invariant.id}", "", f"**{safe(invariant.title)}.** {safe(invariant.statement)}", "")
    yield "| gate | kind | class of its faults |"
    yield "|---|---|---|"
    yield from (f"| {gate.id} | `{gate.check}` | {gate.fault or invariant.fault} |" for gate in invariant.gates)
    yield ""
    for word, texts in (("Catches", invariant.catches), ("Sources", invariant.sources)):
        if texts:
            yield from (f"{word}:", "", *(f"* {safe(text)}" for text in texts), "")


def anchor(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def safe(text: str) -> str:
    """Text as it is, in a cell too."""
    return re.sub(r"([|*<\[\]])", r"\\\1", " ".join(text.split()))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
