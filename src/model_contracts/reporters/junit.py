"""Owns the JUnit report: a suite an artifact, a case a gate; what was not proven is an error and never a pass."""

from __future__ import annotations

from datetime import datetime

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from model_contracts.outcome import Evidence, Outcome, Run, Verdict
from model_contracts.reporters.faults import Fault, faults
from model_contracts.reporters.lines import circumstances
from model_contracts.reporters.text import by_subject
from model_contracts.terminal import safe


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """XML of the form that pytest, Jenkins and GitLab share; width and color do not apply.

    What closes the gate is a failure, or an error of type `not proven` or `checker`. What does not close it is skipped,
    with its type: `not owed`, `warning`, `not proven`, `excused`.
    """
    found: dict[str, list[Fault]] = {}
    for fault in faults(outcomes, run):
        found.setdefault(fault.outcome.id, []).append(fault)
    xml = JUnitXml("model-contracts")
    for group in by_subject(outcomes):
        suite = TestSuite(safe(group[0].subject.name))
        suite.hostname = safe(group[0].host.hostname)
        if (started := _instant(group[0].timestamp)) is not None:
            suite.timestamp = started
        _describe(suite, group[0], run)
        for outcome in group:
            suite.add_testcase(_case(outcome, found.get(outcome.id, [])))
        suite.update_statistics()
        xml.add_testsuite(suite)
    # The schema knows no count of skipped cases over all suites: those of each stand at it.
    text: bytes = xml.tostring()
    return text.decode() + "\n"


def _case(outcome: Outcome, found: list[Fault]) -> TestCase:
    where = circumstances(outcome, whole=True)
    name = f"{outcome.gate_id}{f' ({where})' if where else ''}: {outcome.title}"
    case = TestCase(safe(name), classname=safe(outcome.invariant), time=round(outcome.duration, 3))
    if outcome.skip_cause == "not_owed":
        case.result = [Skipped(safe(outcome.reason), "not owed")]
    elif found:
        result = _result(found[0])
        result.text = "\n".join(dict.fromkeys(line for fault in found for line in fault.lines))
        case.result = [result]
    elif outcome.outcome is not Verdict.CORROBORATED:  # a verdict that this report has no word for is no pass
        case.result = [Error(safe(outcome.reason), outcome.outcome.value)]
    return case


def _result(fault: Fault) -> Failure | Error | Skipped:
    if not fault.closes:
        return Skipped(fault.said, fault.word)
    if fault.state == "fault":
        return Failure(fault.said, fault.klass)
    return Error(fault.said, "checker" if fault.state == "error" else fault.word)


def _describe(suite: TestSuite, first: Outcome, run: Run) -> None:
    """What the suite was held against."""
    facts = {
        "path": first.subject.path,
        "format": first.subject.format,
        "digest": first.subject.digest or "",
        "decision": run.decision.word,
        "exit_code": str(run.decision.exit_code),
        "terms": run.decision.terms.said,
        "version": run.version,
    }
    for name, value in facts.items():
        suite.add_property(name, safe(value))


def _instant(text: str) -> str | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0).isoformat()
    except ValueError:
        return None
