"""Owns the verification card for a model's README: what was held, of what, and how to see it again."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.outcome import Evidence, Outcome, Run, Verdict
from model_contracts.reporters import pages
from model_contracts.reporters.faults import faults
from model_contracts.reporters.markdown import code, prose, table
from model_contracts.reporters.text import by_subject


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """What was held against which source, figures by quant, what does not hold, what was not evaluated, the command."""
    found = faults(outcomes, run)
    lines = ["## Verification", "", f"Checked with {prose(run.tool)} {code(run.version)} on {code(run.started[:10])}."]
    lines += ["A gate is listed as held only where all that it is about was compared.", ""]
    lines += [*pages.verdict(outcomes, run), *_source(outcomes), *pages.files(outcomes, run), *_held(outcomes)]
    if found:
        lines += ["### What does not hold or is not proven", "", *pages.what_fails(found)]
    lines += ["### Not evaluated", "", *pages.not_evaluated(outcomes, run)]
    lines += ["### Files", "", *pages.artifacts(run.artifacts)]
    lines += ["### See it again", "", *pages.command(run), f"Definitions: {code(run.definitions_digest)}", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _source(outcomes: Evidence) -> Iterator[str]:
    sources = {one.path: one for outcome in outcomes if (one := outcome.subject.against) is not None}
    for source in list(sources.values())[: pages.ROWS]:
        digest = code(source.digest) if source.digest else "not read whole"
        yield f"Held against the source {code(source.name)} ({code(source.format)}), weights {digest}."
    yield from (["Held against no source: what only a source can tell was not evaluated."] if not sources else [])
    yield ""


def _held(outcomes: Evidence) -> Iterator[str]:
    """Gates that hold on every file, then those that hold on some."""
    files = len(list(by_subject(outcomes)))
    gates: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.outcome is Verdict.CORROBORATED:
            gates.setdefault(outcome.gate_id, []).append(outcome)
    if not gates:
        return
    rows = [
        (code(gate), prose(held[0].title), f"{len(held)} of {files}" if files > 1 else "", f"{_values(held):,}")
        for gate, held in gates.items()
    ]
    head = ("gate", "what was held", "files" if files > 1 else "", "values compared")
    keep = [at for at, name in enumerate(head) if name]
    cells = [tuple(row[at] for at in keep) for row in rows[:200]]
    yield from ("### What was held", "", *table(tuple(head[at] for at in keep), cells), "")


def _values(held: list[Outcome]) -> int:
    return sum(outcome.compared for outcome in held)
