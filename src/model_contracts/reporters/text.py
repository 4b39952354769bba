"""Owns the report for people: verdicts first and last, likely causes, one line a gate, then numbers worst first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from model_contracts.decision import decide
from model_contracts.outcome import Comparison, Evidence, Outcome, Run, Subject, Verdict
from model_contracts.reporters.files_table import file_name, table
from model_contracts.reporters.gaps import gaps, share
from model_contracts.reporters.likely import likely, order
from model_contracts.reporters.lines import (
    BAD,
    artifact,
    coloured,
    directory,
    judged,
    last,
    mark,
    notes,
    numbers,
    outcome_counts,
    severity,
    word,
)
from model_contracts.terminal import Pen, plural, safe, wrap

#: Comparisons of a gate, and causes of a file, that are told; the rest is counted.
WORST, CAUSES = 5, 3


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """The report, at most `width` columns wide except where a name is longer."""
    pen, groups = Pen(color), list(by_subject(outcomes))
    lines = [_verdict(outcomes, run, pen)]
    if len(groups) == 1:
        lines += _likely(groups[0], pen, width)
    elif groups:
        lines += ["", *table(groups, run, pen, width)]
    lines.append("")
    for group in groups:
        lines += [
            *_artifacts(group, run, pen, width),
            *(_verdict_of(group, run, pen, width) if len(groups) > 1 else ()),
            "",
        ]
        lines += _gates(group, pen, width, folded=len(groups) > 1)
        lines += ["", *_numbers(group, pen, width)]
    for record in () if outcomes else run.artifacts:
        lines += [*artifact(record, "", pen, width), ""]
    lines += [*_left_out(run, pen, width), *notes(run, pen, width), *_more(outcomes, run, pen)]
    lines += last(outcomes, run, pen, width)
    return "\n".join(lines) + "\n"


def verdicts(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """The verdict lines only: one a file where there are several, what was excused and by whom, and the run's."""
    pen, groups = Pen(color), list(by_subject(outcomes))
    lines = [
        f"{coloured(decision, decision.word.upper(), pen)}  {file_name(group[0].subject.path, group[0].subject.name)}"
        for group in (groups if len(groups) > 1 else ())
        for decision in (decide(group, run.decision.terms),)
    ]
    lines += [line for said in judged(outcomes, run) for line in wrap(safe(said), width, rest="  ")]
    return "\n".join([*lines, _verdict(outcomes, run, pen)]) + "\n"


def _verdict(outcomes: Evidence, run: Run, pen: Pen) -> str:
    said = outcome_counts(outcomes)
    asked = f" · {run.decision.terms.said}" if run.decision.terms.said else ""
    return f"{word(run, pen)}  {plural(len(outcomes), 'gate')}{': ' if said else ''}{said}{asked}"


def by_subject(outcomes: Evidence) -> Iterable[list[Outcome]]:
    """Outcomes by artifact; those of a pair stand with their target."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.subject.path, []).append(outcome)
    return groups.values()


def _verdict_of(group: Sequence[Outcome], run: Run, pen: Pen, width: int) -> Iterator[str]:
    """The verdict of one of several files, with its causes."""
    decision = decide(group, run.decision.terms)
    by = f"  by {', '.join(decision.decided_by)}" if decision.exit_code and decision.decided_by else ""
    first, *rest = wrap(f"{decision.word.upper()}{safe(by)}", width, "  ")
    yield first.replace(decision.word.upper(), coloured(decision, decision.word.upper(), pen), 1)
    yield from rest
    yield from _likely(group, pen, width, "  ")


def _likely(group: Sequence[Outcome], pen: Pen, width: int, indent: str = "") -> Iterator[str]:
    """What most likely went wrong, the gravest first, each with the gates that it closes."""
    causes = likely(group)
    if not causes:
        return
    yield indent + pen("bold", "Likely cause" if len(causes) == 1 else "Likely causes")
    for cause in causes[:CAUSES]:
        gates = ", ".join(cause.gates)
        yield from wrap(f"{cause.statement}  ({safe(gates)})", width, f"{indent}  → ")
    if len(causes) > CAUSES:
        yield f"{indent}  and {len(causes) - CAUSES} more, below"


def _artifacts(group: list[Outcome], run: Run, pen: Pen, width: int) -> Iterator[str]:
    """The artifact of a group, and its source where it has one."""
    yield from _subject(group[0].subject, "", run, pen, width)
    source = next((outcome.subject.against for outcome in group if outcome.subject.against is not None), None)
    if source is not None:
        yield from _subject(source, "against ", run, pen, width)


def _subject(subject: Subject, label: str, run: Run, pen: Pen, width: int) -> Iterator[str]:
    record = next((record for record in run.artifacts if record.path == subject.path), None)
    if record is None:
        yield f"{label}{pen('bold', safe(subject.name))}  {subject.format}"
    else:
        yield from artifact(record, label, pen, width)


def _gates(group: Sequence[Outcome], pen: Pen, width: int, *, folded: bool) -> Iterator[str]:
    """A line for each gate; of several files what holds and what is not owed is counted, to fit on one screen."""
    kept = [o for o in group if folded and o.outcome is Verdict.CORROBORATED]
    left = [o for o in group if folded and o.skip_cause == "not_owed"]
    counted = {id(outcome) for outcome in (*kept, *left)}
    told = [outcome for outcome in group if id(outcome) not in counted]
    column = max((len(outcome.gate_id) for outcome in told), default=0)
    for outcome in told:
        yield from _gate(outcome, column, pen, width)
    if kept:
        yield f"  {pen('green', '✓')} {plural(len(kept), 'gate')} kept: {sum(o.compared for o in kept):,} compared"
    if left:
        yield f"  {pen('dim', '–')} {plural(len(left), 'gate')} not owed"


def _gate(outcome: Outcome, column: int, pen: Pen, width: int) -> Iterator[str]:
    sign, colour = mark(outcome)
    head = f"  {sign} {outcome.gate_id:<{column}}  "
    for index, line in enumerate(wrap(_said(outcome), width, head)):
        yield line.replace(f" {sign} ", f" {pen(colour, sign)} ", 1) if index == 0 else line


def _numbers(group: Sequence[Outcome], pen: Pen, width: int) -> Iterator[str]:
    """What does not hold and what was not compared, with the numbers; what explains stands before what it explains."""
    for outcome in order(group):
        lines = [*(_worst(outcome, pen, width) if outcome.outcome in BAD else ()), *gaps(outcome, pen, width)]
        if not lines:
            continue
        sign, colour = mark(outcome)
        head = f"  {sign} {outcome.gate_id}  "
        for index, line in enumerate(wrap(safe(outcome.title), width, head)):
            yield line.replace(f" {sign} ", f" {pen(colour, sign)} ", 1) if index == 0 else line
        yield from lines
        yield ""


def _said(outcome: Outcome) -> str:
    reason = safe(outcome.reason)
    if outcome.outcome is Verdict.CORROBORATED:
        return reason
    if outcome.skip_cause == "incomplete":
        return f"not proven: {safe(outcome.title)}: {share(outcome)}"
    if outcome.outcome is Verdict.SKIPPED:
        return f"not owed: {reason}" if outcome.skip_cause == "not_owed" else f"not proven: {reason}"
    if outcome.outcome is Verdict.ERROR:
        return f"the checker failed: {reason}"
    listed = [comparison for comparison in outcome.comparisons if not comparison.holds]
    word = "warning" if outcome.force == "should" else outcome.outcome.value.lower()
    word = "excused" if outcome.excused is not None else word
    missed = "; incomplete" if outcome.owed > outcome.compared else ""
    if not listed:
        return f"{word}: {reason}{missed}"
    count = f"{plural(outcome.violated, 'comparison')} {'does' if outcome.violated == 1 else 'do'} not hold"
    return f"{word}: {safe(outcome.title)}: {count} ({share(outcome)}{missed})"


def _worst(outcome: Outcome, pen: Pen, width: int) -> Iterator[str]:
    """The violated comparisons, furthest beyond its tolerance first, under their places; those alike are one."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in sorted((c for c in outcome.comparisons if not c.holds), key=severity):
        groups.setdefault((numbers(comparison), comparison.note or ""), []).append(comparison)
    place = None
    for (said, note), alike in list(groups.items())[:WORST]:
        others = f" and {plural(len(alike) - 1, 'place')} more" if len(alike) > 1 else ""
        if (at := safe(str(alike[0].place)) + others) != place:
            place = at
            if at:
                yield f"      {pen('bold', at)}"
        yield from wrap(said, width, "        ")
        if note:
            yield from wrap(safe(note), width, "        → ")
    rest = outcome.violated - sum(len(alike) for alike in list(groups.values())[:WORST])
    if rest > 0:
        yield f"      and {rest:,} more"
    if outcome.counterexample is not None:
        yield from wrap(f"counterexample: {safe(outcome.counterexample.description)}", width, "      ")


def _left_out(run: Run, pen: Pen, width: int) -> Iterator[str]:
    if not run.not_evaluated:
        return
    yield pen("bold", "Not evaluated")
    reasons: dict[str, list[str]] = {}
    for gate, reason in run.not_evaluated.items():
        reasons.setdefault(reason, []).append(gate)
    for reason, gates in reasons.items():
        yield from wrap(f"{safe(reason)}: {', '.join(gates)}", width, "  – ")
    yield ""


def _more(outcomes: Evidence, run: Run, pen: Pen) -> Iterator[str]:
    shown = next((o.gate_id for o in outcomes if o.gate_id in run.decision.decided_by), None)
    warned = next((o.gate_id for o in outcomes if o.outcome in BAD), shown)
    kept = directory(run.command)
    yield pen("bold", "More")
    if gate := warned or shown:
        yield f"  contracts explain {gate}"
    yield f"  contracts report {safe(kept)}" if kept else "  -o DIR keeps the evidence; contracts report DIR"
    if len({outcome.subject.path for outcome in outcomes}) > 1:
        yield "  --report markdown lists every gate of every file"
    yield ""
