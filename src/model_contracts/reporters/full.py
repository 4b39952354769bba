"""Owns the whole report in Markdown: nothing folded, for a wiki, an issue of one's own, or a release's notes."""

from __future__ import annotations

from model_contracts.outcome import Evidence, Run
from model_contracts.reporters import pages
from model_contracts.reporters.faults import faults
from model_contracts.reporters.markdown import code, prose


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """Verdict, files, what does not hold with its numbers, what was not evaluated, every gate, digests, the command."""
    found = faults(outcomes, run)
    lines = [f"# Model contracts: {prose(run.decision.word)}", "", *pages.verdict(outcomes, run)]
    lines += pages.files(outcomes, run)
    if found:
        lines += [
            "## What does not hold or is not proven",
            "",
            *pages.what_fails(found, 200),
            *pages.numbers(found, 200),
        ]
    lines += ["## Not evaluated", "", *pages.not_evaluated(outcomes, run)]
    lines += ["## Gates", "", *pages.gates(outcomes, 2_000), "## Files", "", *pages.artifacts(run.artifacts)]
    lines += ["## The run", "", f"Held by {prose(run.tool)} {code(run.version)} on {code(run.started)}.", ""]
    lines += pages.command(run)
    return "\n".join(lines).rstrip("\n") + "\n"
