"""Owns the summary for a pull request: what GitHub shows of a job, and what a comment holds; long parts are folded."""

from __future__ import annotations

from collections.abc import Iterable

from model_contracts.outcome import Evidence, Run
from model_contracts.reporters import pages
from model_contracts.reporters.brief import brief
from model_contracts.reporters.faults import faults
from model_contracts.reporters.markdown import fenced, prose

#: Characters of a whole summary: a comment of GitHub holds 65,536, in which a character may count as several.
LIMIT = 50_000
#: What stands first in a comment, so that the next run finds its own and replaces it.
MARK = "<!-- model-contracts -->"


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """Verdict, cause, table of files, what fails, what was not evaluated, then folded details."""
    found, told = faults(outcomes, run), brief(outcomes, run)
    failing = [fault for fault in found if fault.state != "unproven"]
    parts: list[Iterable[str]] = [
        (MARK, f"## Model contracts: {prose(run.decision.word)}", ""),
        pages.verdict(outcomes, run),
        pages.files(outcomes, run),
        _headed("### What does not hold", pages.what_fails(failing, 20)),
        _headed("### Not evaluated", pages.not_evaluated(outcomes, run)),
        ("Next:", "", *fenced(told.explain), "") if told.explain else (),
        _folded("Numbers, the worst ten of each kind", pages.numbers(found, 20)),
        _folded(f"All gates ({len(outcomes):,})", pages.gates(outcomes)),
        _folded("Files and digests", pages.artifacts(run.artifacts)),
        _folded("The command", pages.command(run)),
    ]
    return _fitted(parts)


def _headed(head: str, lines: Iterable[str]) -> list[str]:
    body = list(lines)
    return [head, "", *body] if body else []


def _folded(head: str, lines: Iterable[str]) -> list[str]:
    body = list(lines)
    return [f"<details><summary>{head}</summary>", "", *body, "</details>", ""] if body else []


def _fitted(parts: Iterable[Iterable[str]]) -> str:
    """The parts in their order, as long as there is room; one that is too long is named as left out."""
    text, left_out = "", 0
    for part in parts:
        block = "".join(f"{line}\n" for line in part)
        if len(text) + len(block) <= LIMIT:
            text += block
        else:
            left_out += 1
    return text + (f"{left_out} longer parts are left out: the evidence has them.\n" if left_out else "")
