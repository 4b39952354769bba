"""Evidence to text: each reporter is a pure function of the outcomes and the run, and reads nothing else."""

from __future__ import annotations

from model_contracts.outcome import Evidence, Run
from model_contracts.reporters import issue, json, qualification, text
from model_contracts.reporters.interface import Reporter


def _people(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """A run with a playbook begins with its causes."""
    report: Reporter = text.report if run.playbook is None else qualification.report
    return report(outcomes, run, width=width, color=color)


def verdicts(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """The verdict lines only, of any run: what `-q` prints."""
    if run.playbook is None:
        return text.verdicts(outcomes, run, width=width, color=color)
    return qualification.report(outcomes, run, width=width, color=color).splitlines()[-1] + "\n"


REPORTERS: dict[str, Reporter] = {
    "text": _people,
    "json": json.report,
    "issue": issue.report,
}
