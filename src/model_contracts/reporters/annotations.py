"""Owns workflow annotations of GitHub: one command a line, whose text no name from a model can end or begin."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.outcome import Evidence, Run
from model_contracts.reporters.faults import Fault, State, faults
from model_contracts.reporters.lines import excuse
from model_contracts.terminal import safe

#: Annotations of one kind that a step shows; others are dropped without a word there.
SHOWN = 10
#: Characters of a message; GitHub cuts at 4,096.
_LONGEST = 2_000
_KINDS: dict[State, str] = {
    "fault": "error",
    "error": "error",
    "unproven": "warning",
    "warning": "warning",
    "excused": "notice",
}


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """Errors, warnings and notices, at most ten of each; width and color do not apply."""
    gates: dict[str, list[Fault]] = {}
    for fault in faults(outcomes, run):
        gates.setdefault(fault.outcome.id, []).append(fault)
    kinds: dict[str, list[list[Fault]]] = {"error": [], "warning": [], "notice": []}
    for found in gates.values():
        kinds["error" if found[0].closes else _KINDS[found[0].state]].append(found)
    return "".join(f"{line}\n" for kind, found in kinds.items() for line in _kind(kind, found))


def _kind(kind: str, found: list[list[Fault]]) -> Iterator[str]:
    shown = found if len(found) <= SHOWN else found[: SHOWN - 1]
    yield from (_annotation(kind, own) for own in shown)
    if rest := found[len(shown) :]:
        gates = ", ".join(dict.fromkeys(own[0].outcome.gate_id for own in rest))
        many = _property(f"{len(rest):,} more")
        yield f"::{kind} title={many}::{_message(gates)}"


def _annotation(kind: str, found: list[Fault]) -> str:
    """One gate on one artifact: the worst of each kind of fault."""
    outcome = found[0].outcome
    title = f"{outcome.gate_id} {found[0].word} ({found[0].klass})"
    lines = [f"{safe(outcome.subject.name)}: {safe(outcome.title)}", *(fault.said for fault in found)]
    if outcome.excused is not None:
        lines.append(excuse(outcome))
    return f"::{kind} file={_property(outcome.subject.path)},title={_property(title)}::{_message(chr(10).join(lines))}"


def _message(text: str) -> str:
    """Text whose line ends are escaped, as the runner reads them again; what else is not printable is shown escaped."""
    lines = "\n".join(safe(line) for line in text.split("\n"))
    cut = lines if len(lines) <= _LONGEST else f"{lines[: _LONGEST - 1]}…"
    return cut.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
