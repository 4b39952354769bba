"""Owns the verdict in a few words that a script or an agent acts on: what was decided, why, and the next command."""

from __future__ import annotations

from shlex import join
from typing import Literal

from pydantic import Field

from model_contracts.outcome import Evidence, FaultClass, Outcome, Record, Run
from model_contracts.reporters.causes import causes, reproduction
from model_contracts.reporters.faults import faults
from model_contracts.reporters.likely import likely


class FileVerdict(Record):
    """One of several files."""

    path: str
    word: Literal["kept", "falsified", "usage", "not proven", "checker broken"]
    cause: str | None
    fault: FaultClass | None = Field(alias="class")


class Brief(Record):
    """`verdict` of the JSON report."""

    word: Literal["kept", "falsified", "usage", "not proven", "checker broken"]
    exit_code: Literal[0, 1, 2, 3, 4]
    cause: str | None = Field(description="The gravest of the likely causes, in one sentence; null where all is kept.")
    fault: FaultClass | None = Field(alias="class", description="What kind of fault it is; null where all is kept.")
    gates: tuple[str, ...] = Field(description="The gates that decided; none where all is kept.")
    excused: tuple[str, ...] = Field(description="Gates that do not hold and are let through.")
    terms: str = Field(description="What was asked for beside the command's own terms; empty where nothing was.")
    next: str | None = Field(description="The command that shows it again, narrowed to the first gate.")
    explain: str | None = Field(description="The command that explains that gate.")
    files: tuple[FileVerdict, ...] = Field((), description="Each of several files.")


def brief(outcomes: Evidence, run: Run) -> Brief:
    """The verdict of a run."""
    decision = run.decision
    cause, klass, first = why(outcomes, run)
    bad = decision.word != "kept"
    return Brief.model_validate(
        {
            "word": decision.word,
            "exit_code": decision.exit_code,
            "cause": cause,
            "class": klass,
            "gates": decision.decided_by if bad else (),
            "excused": decision.excused,
            "terms": decision.terms.said,
            "next": _next(outcomes, run, first) if bad else None,
            "explain": join(["contracts", "explain", first.gate_id]) if bad and first is not None else None,
            "files": _files(outcomes, run),
        }
    )


def why(outcomes: Evidence, run: Run) -> tuple[str | None, FaultClass | None, Outcome | None]:
    """The gravest cause of what was decided, what kind of fault it is, and the outcome that shows it."""
    deciding = [outcome for outcome in outcomes if outcome.gate_id in run.decision.decided_by]
    closing = [fault for fault in faults(tuple(deciding), run) if fault.state in ("fault", "error", "unproven")]
    if run.decision.word == "kept" or not closing:
        return None, None, None
    if run.playbook is not None and (groups := causes(outcomes)):
        return groups[0].statement, groups[0].shown[0].fault, groups[0].shown[0]
    if run.decision.word == "falsified" and (found := likely(outcomes)):
        shown = next(o for o in outcomes if o.gate_id == found[0].gates[0] and found[0].shown in o.comparisons)
        return found[0].statement, shown.fault, shown
    return closing[0].said, closing[0].outcome.fault, closing[0].outcome


def _next(outcomes: Evidence, run: Run, first: Outcome | None) -> str:
    """The command of the run narrowed to one gate; of a qualification as the cause says."""
    if run.playbook is not None and (groups := causes(outcomes)):
        return reproduction(groups[0], run)
    own = [group for group in causes(outcomes) if first is not None and first in group.outcomes]
    if own:
        return reproduction(own[0], run)
    return join(run.command) if first is None else join(["contracts", "explain", first.gate_id])


def _files(outcomes: Evidence, run: Run) -> tuple[FileVerdict, ...]:
    from model_contracts.decision import decide
    from model_contracts.reporters.text import by_subject

    groups = [tuple(group) for group in by_subject(outcomes)] if run.playbook is None else []
    told = []
    for group in groups if len(groups) > 1 else ():
        own = run.model_copy(update={"decision": decide(group, run.decision.terms)})
        cause, klass, _ = why(group, own)
        fields = {"path": group[0].subject.path, "word": own.decision.word, "cause": cause, "class": klass}
        told.append(FileVerdict.model_validate(fields))
    return tuple(told)
