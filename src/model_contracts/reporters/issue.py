"""Owns the report for the maintainer of a converter or a runtime: Markdown that stands as a bug report by itself."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.outcome import Comparison, Evidence, Outcome, Run
from model_contracts.reporters.causes import CauseGroup, causes, counts, reproduction, tally, violations
from model_contracts.reporters.lines import circumstances, left_out
from model_contracts.reporters.markdown import code, fenced, prose, table, value
from model_contracts.terminal import number, plural

#: Comparisons that a cause is shown by; gates that it is listed with.
WORST, GATES = 5, 30
#: Characters of a title.
TITLE = 120
_MEANS = {
    0: "every gate that must hold does",
    1: "a gate that must hold does not",
    2: "the command was not understood",
    3: "a gate that must hold was not evaluated, or nothing was compared",
    4: "the checker itself could not work",
}


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """A title, a summary, the environment, causes with their numbers, the decision; width and color do not apply."""
    groups = causes(outcomes)
    lines = [f"# {_title(outcomes, groups, run)}", "", *_summary(outcomes, groups, run), *_environment(run)]
    for index, group in enumerate(groups, 1):
        lines += _cause(index, group, run)
    lines += [*_decision(run), *_not_evaluated(outcomes, run)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _title(outcomes: Evidence, groups: tuple[CauseGroup, ...], run: Run) -> str:
    names = [outcome.subject.name for outcome in outcomes] + [record.name for record in run.artifacts]
    about = f"{prose(names[0])}: " if names else "Report: "
    if not groups:
        return about + tally(outcomes, groups)
    more = f" (and {plural(len(groups) - 1, 'cause')} more)" if len(groups) > 1 else ""
    return about + prose(_short(groups[0].statement)) + more


def _short(statement: str) -> str:
    """What a long statement says before its first colon: its numbers stand beneath."""
    if len(statement) <= TITLE:
        return statement
    head = statement.split(": ", 1)[0]
    return head if len(head) <= TITLE else head[: TITLE - 1].rsplit(" ", 1)[0] + " …"


def _summary(outcomes: Evidence, groups: tuple[CauseGroup, ...], run: Run) -> Iterator[str]:
    formats = ", ".join(code(form) for form in dict.fromkeys(outcome.subject.format for outcome in outcomes))
    names = ", ".join(code(name) for name in list(dict.fromkeys(outcome.subject.name for outcome in outcomes))[:5])
    about = f"{names} ({formats})" if formats else "nothing"
    system = f" with the converter and the runtimes of {code(run.playbook.system)}" if run.playbook else ""
    to = f"the playbook {code(run.playbook.id)}" if run.playbook else "its contract"
    yield f"{prose(run.tool)} held {about} to {to}{system}."
    detail = "; ".join(part for part in counts(outcomes) if part)
    yield f"**{tally(outcomes, groups)}**" + (f": {detail}." if detail else ".")
    yield ""
    if len(groups) > 1:
        rows = [
            (f"{at}", prose(_short(group.statement)), group.component, f"{len(group.outcomes):,}")
            for at, group in enumerate(groups, 1)
        ]
        yield from (*table(("#", "cause", "suspected", "gates"), rows), "")


def _environment(run: Run) -> Iterator[str]:
    yield from ("## Environment", "")
    yield f"- {prose(run.tool)} {code(run.version)}, definitions {code(run.definitions_digest)}"
    yield f"- Python {code(run.host.python)} on {code(run.host.os)}, {code(run.host.cpu)}"
    if run.environment:
        yield f"- libraries: {', '.join(code(f'{name} {version}') for name, version in run.environment.items())}"
    if run.playbook is not None:
        yield f"- system under test: {code(run.playbook.system)}"
        yield f"- playbook: {code(run.playbook.id)} {code(run.playbook.digest)} ({run.playbook.lock})"
    yield f"- run: {code(run.started)}, {run.duration:,.1f} s" + ("" if run.seed is None else f", seed {run.seed}")
    yield ""
    rows = [
        (code(record.name), code(record.format), code(file.name), f"{file.size:,}", code(file.digest or "not read"))
        for record in run.artifacts
        for file in record.files
    ]
    if rows:
        yield from (*table(("artifact", "format", "file", "bytes", "digest"), rows), "")


def _cause(index: int, group: CauseGroup, run: Run) -> Iterator[str]:
    head = _short(group.statement)
    yield from (f"## {index}. {prose(head)}", "")
    if head != group.statement:
        numbers = group.statement.removeprefix(f"{head}: ")
        yield from (prose(numbers) if numbers != group.statement else f"In full: {prose(numbers)}", "")
    yield f"Suspected component: **{group.component}**" + ("." if group.must else "; no gate that must hold is closed.")
    yield ""
    yield from _numbers(group)
    many = plural(len(group.outcomes), "gate")
    yield from (f"Shown by {many}:", "")
    yield from (_gate(outcome) for outcome in group.outcomes[:GATES])
    if len(group.outcomes) > GATES:
        yield f"- and {len(group.outcomes) - GATES:,} more"
    yield ""
    if group.followed:
        yield from (f"Not evaluated for it: {', '.join(_named(outcome) for outcome in group.followed)}.", "")
    example = next((o.counterexample for o in group.outcomes if o.counterexample is not None), None)
    if example is not None:
        yield from (f"Smallest input that shows it: {prose(example.description)}", "")
    yield from ("Smallest reproduction:", "", *fenced(reproduction(group, run)), "")


def _numbers(group: CauseGroup) -> Iterator[str]:
    """Expected against observed, those alike in one row."""
    alike: dict[tuple[str, ...], list[tuple[Outcome, Comparison]]] = {}
    for outcome, comparison in group.telling:
        alike.setdefault(_numbers_of(comparison), []).append((outcome, comparison))
    if not alike:
        return
    shown = list(alike.items())[:WORST]
    rows = [(*_where(seen), *numbers) for numbers, seen in shown]
    yield from table(("gate", "where", "measure", "expected", "observed", "bound"), rows)
    yield ""
    unlisted = sum(o.violated - len(violations(o)) for o in group.outcomes if len(o.causes) < 2)
    rest = unlisted + len(group.telling) - sum(len(seen) for _, seen in shown)
    if rest > 0:
        yield from (f"{plural(rest, 'comparison')} more {'does' if rest == 1 else 'do'} not hold.", "")
    notes = dict.fromkeys(comparison.note for _, seen in shown for _, comparison in seen if comparison.note)
    if notes:
        yield from (*(f"- Note: {prose(note)}" for note in list(notes)[:WORST]), "")


def _numbers_of(comparison: Comparison) -> tuple[str, str, str, str]:
    """Measure, expected, observed and bound, as cells."""
    bound = [] if comparison.tolerance is None else [f"within {number(comparison.tolerance)}"]
    if comparison.smallest_passing_tolerance is not None:
        bound.append(f"would pass at {number(comparison.smallest_passing_tolerance)}")
    if comparison.bound_from:
        bound.append(f"from {code(comparison.bound_from)}")
    return code(comparison.measure), value(comparison.expected), value(comparison.observed), ", ".join(bound)


def _where(seen: list[tuple[Outcome, Comparison]]) -> tuple[str, str]:
    """The first gate and place, and how many others there are."""
    gates = dict.fromkeys(outcome.gate_id for outcome, _ in seen)
    places = dict.fromkeys(str(comparison.place) or outcome.subject.name for outcome, comparison in seen)
    gate, place = next(iter(gates)), next(iter(places))
    return (
        code(gate) + (f" and {len(gates) - 1:,} more" if len(gates) > 1 else ""),
        code(place) + (f" and {plural(len(places) - 1, 'place')} more" if len(places) > 1 else ""),
    )


def _gate(outcome: Outcome) -> str:
    reason = "" if violations(outcome) else f": {prose(outcome.reason)}"
    word = "a warning" if outcome.force == "should" else outcome.outcome.value.lower()
    return f"- {_named(outcome)}, {prose(outcome.title)}: {word}{reason}"


def _named(outcome: Outcome) -> str:
    where = circumstances(outcome, whole=True)
    return code(outcome.gate_id) + (f" {prose(where)}" if where else "")


def _decision(run: Run) -> Iterator[str]:
    decision = run.decision
    yield from ("## How it was decided", "")
    by = f", by {', '.join(code(gate) for gate in decision.decided_by)}" if decision.decided_by else ""
    yield f"**{decision.word}** (exit {decision.exit_code}: {_MEANS[decision.exit_code]}){by}."
    yield "What was skipped is never counted as holding, and a comparison decides by its numbers, not by printed text."
    yield from ("", "The whole run:", "", *fenced(_command(run)), "")


def _command(run: Run) -> str:
    from shlex import join

    return join(run.command)


def _not_evaluated(outcomes: Evidence, run: Run) -> Iterator[str]:
    yield from ("## Not evaluated", "")
    reasons = left_out(outcomes, run)
    for reason, gates in reasons:
        yield f"- Reason: {prose(reason)}: {', '.join(prose(gate) for gate in gates)}"
    if not reasons:
        yield "Nothing was left out."
