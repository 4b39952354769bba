"""Owns the parts that pages in Markdown are made of: verdict, tables, what was not evaluated; all safe and bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_contracts.outcome import ArtifactRecord, Evidence, Outcome, Run, Verdict
from model_contracts.reporters.brief import why
from model_contracts.reporters.faults import Fault
from model_contracts.reporters.files_table import FileRow, failed, file_rows, headed, most_lost, size_of
from model_contracts.reporters.lines import circumstances, judged, left_out, outcome_counts
from model_contracts.reporters.markdown import code, fenced, prose, table, value
from model_contracts.reporters.odd import odd_ones
from model_contracts.reporters.text import by_subject
from model_contracts.terminal import plural

#: Rows of one table, and gates or names in one line.
ROWS, NAMES = 50, 12


def verdict(outcomes: Evidence, run: Run) -> Iterator[str]:
    """The decision with what it was decided by, and the gravest cause."""
    decision = run.decision
    by = _few([code(gate) for gate in decision.decided_by]) if decision.word != "kept" and decision.decided_by else ""
    terms = f", under {code(decision.terms.said)}" if decision.terms.said else ""
    yield f"**{decision.word.upper()}** (exit {decision.exit_code}{terms}){f', by {by}' if by else ''}"
    yield ""
    yield from (f"{plural(len(outcomes), 'gate')}: {outcome_counts(outcomes)}.", "")
    cause, klass, _ = why(outcomes, run)
    if cause is not None:
        yield from (f"Cause ({klass or 'unknown'}): {prose(cause)}", "")
    said = list(judged(outcomes, run))
    yield from (f"- Note: {prose(line.removeprefix('~ '))}" for line in said[:ROWS])
    if said:
        yield ""


def files(outcomes: Evidence, run: Run) -> Iterator[str]:
    """The table of files, with which failed, which lost most and which is the odd one out."""
    groups = [] if run.playbook is not None else list(by_subject(outcomes))
    if not groups:
        return
    rows = file_rows(groups, run)
    head, cells = headed(rows)
    own = [(code(row.cells[0]), *map(_cell, cell[1:])) for row, cell in zip(rows, cells, strict=True)]
    yield from (*table((*head, "worst tensor"), [(*c, _worst(r)) for c, r in zip(own[:ROWS], rows, strict=False)]), "")
    if len(rows) > ROWS:
        yield from (f"and {plural(len(rows) - ROWS, 'file')} more", "")
    records = [row.record for row in rows if row.record is not None]
    said = [*(failed(rows) if len(rows) > 1 else ()), *most_lost(rows), *odd_ones(records)]
    yield from (f"- Of these, {prose(line)}" for line in said[:ROWS])
    if said:
        yield ""


def _cell(text: str) -> str:
    return prose(text) if text else ""


def _worst(row: FileRow) -> str:
    figures = row.record.figures if row.record is not None else None
    return code(figures.worst_tensor) if figures is not None else ""


def what_fails(found: Sequence[Fault], rows: int = ROWS) -> Iterator[str]:
    """A line for each kind of fault at a gate, with the numbers of the worst."""
    if not found:
        return
    cells = []
    for fault in found[:rows]:
        worst = fault.worst
        numbers = ("", "", prose(fault.outcome.reason)) if worst is None else _numbers(fault)
        cells.append((code(fault.outcome.gate_id), fault.word, fault.klass, code(fault.outcome.subject.name), *numbers))
    yield from (*table(("gate", "is", "class", "artifact", "measure", "where", "worst of it"), cells), "")
    if len(found) > rows:
        yield from (f"and {len(found) - rows:,} more", "")


def _numbers(fault: Fault) -> tuple[str, str, str]:
    worst = fault.comparisons[0]
    count = len(fault.comparisons) + fault.more
    many = f" and {plural(count - 1, 'place')} more" if count > 1 else ""
    told = f"expected {value(worst.expected)}, observed {value(worst.observed)}"
    if worst.tolerance is not None:
        told += f", within {value(worst.tolerance)}"
    place = str(worst.place)
    return code(worst.measure), (code(place) if place else "") + many, told


def numbers(found: Sequence[Fault], most: int = ROWS) -> Iterator[str]:
    """The worst ten comparisons of each kind of fault."""
    for fault in [fault for fault in found if fault.comparisons][:most]:
        outcome = fault.outcome
        yield from (f"Gate {code(outcome.gate_id)} of {code(outcome.subject.name)}, {prose(outcome.title)}:", "")
        rows = [
            (code(str(c.place) or outcome.subject.name), value(c.expected), value(c.observed), _bound(c.tolerance))
            for c in fault.comparisons
        ]
        yield from (*table(("where", "expected", "observed", "tolerance"), rows), "")
        if fault.more:
            yield from (f"and {plural(fault.more, 'comparison')} more", "")
        notes = dict.fromkeys(c.note for c in fault.comparisons if c.note)
        yield from (f"- Note: {prose(note)}" for note in list(notes)[:3])
        if notes:
            yield ""


def _bound(tolerance: float | None) -> str:
    return "" if tolerance is None else value(tolerance)


def gates(outcomes: Sequence[Outcome], rows: int = 400) -> Iterator[str]:
    """A line a gate: what it holds, and how much was compared."""
    cells = [
        (code(o.gate_id), prose(circumstances(o)), _word(o), o.force, f"{o.compared:,} of {o.owed:,}", prose(o.title))
        for o in outcomes[:rows]
    ]
    yield from (*table(("gate", "in", "is", "force", "compared", "holds"), cells), "")
    if len(outcomes) > rows:
        yield from (f"and {plural(len(outcomes) - rows, 'gate')} more", "")


def _word(outcome: Outcome) -> str:
    if outcome.outcome is Verdict.CORROBORATED:
        return "kept"
    if outcome.excused is not None:
        return "excused"
    if outcome.outcome is Verdict.SKIPPED:
        return "not owed" if outcome.skip_cause == "not_owed" else "not proven"
    return outcome.outcome.value.lower()


def not_evaluated(outcomes: Evidence, run: Run) -> Iterator[str]:
    """Why gates were skipped or left out of the plan, what is not proven first; that nothing was, where nothing was."""
    reasons = left_out(outcomes, run)
    for reason, ids in reasons[:ROWS]:
        yield f"- Reason: {prose(reason)}: {_few([prose(one) for one in ids])}"
    if not reasons:
        yield "Nothing was left out."
    yield ""


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES:,} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more


def artifacts(records: Sequence[ArtifactRecord]) -> Iterator[str]:
    """Every file with its size and digest, every artifact with its fingerprint."""
    rows = [
        (code(record.name), code(record.format), code(file.name), size_of(file.size), code(file.digest or "not read"))
        for record in records
        for file in record.files
    ]
    if not rows:
        return
    yield from (*table(("artifact", "format", "file", "size", "digest"), rows[:ROWS]), "")
    if len(rows) > ROWS:
        yield from (f"and {plural(len(rows) - ROWS, 'file')} more", "")
    for record in records[:ROWS]:
        if record.fingerprint is not None:
            yield f"- Fingerprint of {code(record.name)}: {code(record.fingerprint)}"
    yield ""


def command(run: Run) -> Iterator[str]:
    """The command of the run, in a block of its own."""
    from shlex import join

    yield from (*fenced(join(run.command)), "")
