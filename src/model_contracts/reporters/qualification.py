"""Owns the report of a qualification for people: how much holds, causes, a line a gate, the decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model_contracts.outcome import Comparison, Evidence, Outcome, Run
from model_contracts.reporters import measured
from model_contracts.reporters.causes import CauseGroup, causes, counts, reproduction, tally
from model_contracts.reporters.gate_table import gates
from model_contracts.reporters.lines import (
    circumstances,
    compact,
    directory,
    last,
    left_out,
    notes,
    numbers,
    short_digest,
)
from model_contracts.terminal import Colour, Pen, columns, items, plural, safe, wrap

#: Causes that the headline names.
HEADS = 6
_HEADLINE: dict[int, Colour] = {0: "green", 3: "yellow"}
#: Columns of a label in a cause: `   suspected    `.
_LABEL = 16


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """The report, at most `width` columns wide except where a name is longer."""
    pen = Pen(color)
    groups = causes(outcomes)
    lines = [*_headline(outcomes, groups, run, pen, width), ""]
    for index, group in enumerate(groups, 1):
        lines += [*_cause(index, group, run, pen, width), ""]
    lines += gates(outcomes, groups, pen, width)
    lines += _artifacts(run, pen)
    lines += [*not_evaluated(outcomes, run, pen, width), *notes(run, pen, width)]
    lines += [*measured.time(outcomes, run, pen), *measured.metrics(outcomes, pen, width)]
    lines += [*_more(groups, run, pen), *last(outcomes, run, pen, width)]
    return "\n".join(lines) + "\n"


def _headline(outcomes: Evidence, groups: tuple[CauseGroup, ...], run: Run, pen: Pen, width: int) -> Iterator[str]:
    red, grey = counts(outcomes)
    head = tally(outcomes, groups)
    colour = _HEADLINE.get(run.decision.exit_code, "red")
    yield pen("bold", pen(colour, head))
    if rest := " · ".join(part for part in (red, grey) if part):
        yield from wrap(rest, width)
    if run.playbook is not None:
        book = run.playbook
        said = [f"playbook {safe(book.id)} ({book.lock})", f"on {safe(book.system)}", safe(book.failure)]
        yield from items(said, width, between=" · ")
        if book.lock == "changed":
            yield pen("yellow", "The playbook is not the one that was locked.")
    if len(groups) > 1:
        # All of them in one look: none is found only by who reads on.
        heads = dict.fromkeys(safe(group.statement.partition(":")[0]) for group in groups[:HEADS] if group.must)
        yield from wrap("; ".join(heads), width, "causes: ", "  ")


def _cause(index: int, group: CauseGroup, run: Run, pen: Pen, width: int) -> Iterator[str]:
    number = f"{index}. "
    for at, line in enumerate(wrap(safe(group.statement), width, number)):
        yield (number if at == 0 else " " * len(number)) + pen("bold", line[len(number) :])
    outcome, comparison = group.shown
    many = f" ({len(group.outcomes):,})" if len(group.outcomes) > 1 else ""
    weight = "" if group.must else " (warnings only)"
    parts = {
        "suspected": [group.component + weight],
        f"gates{many}": list(compact(group.outcomes)),
        "not reached": list(compact(group.followed)),
        "seen by": [f"{safe(outcome.gate_id)} {circumstances(outcome)}".strip()],
    }
    for label, said in parts.items():
        if said:
            yield from _labelled(label, items(said, width, " " * _LABEL), pen)
    for line in _seen(outcome, comparison):
        if line.removeprefix("→ ") not in safe(group.statement):
            yield from wrap(line, width, " " * _LABEL)
    # On one line, however long: a command that was folded cannot be copied.
    yield from _labelled("reproduce", [" " * _LABEL + safe(reproduction(group, run))], pen)


def _labelled(label: str, lines: Iterable[str], pen: Pen) -> Iterator[str]:
    """Lines with a label in the margin of the first."""
    for at, line in enumerate(lines):
        margin = f"   {label:<{_LABEL - 3}}"
        yield line if at else margin.replace(label, pen("dim", label)) + line[_LABEL:]


def _seen(outcome: Outcome, comparison: Comparison | None) -> Iterator[str]:
    """The comparison with its place, its numbers and its note; a reason where nothing was compared."""
    if comparison is None:
        yield f"{outcome.outcome.value.lower()}: {safe(outcome.reason)}"
        return
    if place := safe(str(comparison.place)):
        yield place
    yield numbers(comparison)
    if comparison.note:
        yield f"→ {safe(comparison.note)}"


def _artifacts(run: Run, pen: Pen) -> Iterator[str]:
    if not run.artifacts:
        return
    yield pen("bold", "Artifacts")
    rows = []
    for record in run.artifacts:
        digests = [file.digest for file in record.files if file.digest]
        files = plural(len(record.files), "file")
        size = f"{sum(file.size for file in record.files):,} bytes"
        digest = short_digest(digests[0]) if len(record.files) == 1 and digests else ""
        rows.append((safe(record.name), safe(record.format), files, size, digest))
    yield from (f"  {line}" for line in columns(rows, (False, False, True, True)))
    yield ""


def not_evaluated(outcomes: Evidence, run: Run, pen: Pen, width: int) -> Iterator[str]:
    """What was skipped and what the plan left out, by reason: what is not proven first."""
    lines = [line for said, gates in left_out(outcomes, run) for line in items(gates, width, "  – ", lead=f"{said}: ")]
    if lines:
        yield from (pen("bold", "Not evaluated"), *lines, "")


def _more(groups: tuple[CauseGroup, ...], run: Run, pen: Pen) -> Iterator[str]:
    kept = directory(run.command)
    named = safe(kept) if kept else "DIR"
    yield pen("bold", "More")
    if groups:
        yield f"  contracts explain {safe(groups[0].shown[0].gate_id)}"
        yield f"  contracts report {named} --format issue"
    yield f"  contracts report {named} --against OLD_DIR"
    yield ""
