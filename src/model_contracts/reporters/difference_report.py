"""Owns how a difference of two runs is written: for people, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from model_contracts.outcome import Outcome, Verdict
from model_contracts.reporters.causes import fails
from model_contracts.reporters.difference import Difference
from model_contracts.reporters.lines import circumstances, mark, short_digest, word
from model_contracts.terminal import Pen, columns, cut, plural, safe, safe_json, wrap

#: Lines of one kind that the text shows; JSON has all of them.
MOST = 20


def text(told: Difference, *, width: int, color: bool) -> str:
    """What changed, gates first; a run like the other is said plainly."""
    pen = Pen(color)
    lines = [*_headline(told, pen, width), ""]
    many = _many(told)
    rows = [(new, f"{_state(old, new)} → {_state(new, old)}: {safe(new.reason)}") for old, new in told.changed]
    lines += _section("Changed", rows, many, pen, width)
    lines += _section("New", [(o, f"{o.outcome.value}: {safe(o.reason)}") for o in told.added], many, pen, width)
    lines += _section("Gone", [(outcome, _gone(outcome, told)) for outcome in told.gone], many, pen, width)
    rows = [(new, f"{new.outcome.value}: {_recounted(old, new)}") for old, new in told.counted]
    lines += _section("Same outcome, other counts or causes", rows, many, pen, width)
    lines += _beneath(told, pen, width)
    decision = told.new[1].decision
    lines.append(f"{word(told.new[1], pen)}  exit {decision.exit_code}")
    return "\n".join(lines) + "\n"


def _headline(told: Difference, pen: Pen, width: int) -> Iterator[str]:
    (before, old), (after, new) = told.old, told.new
    if told.nothing:
        head = f"Nothing changed: {plural(len(after), 'gate')} came to the same outcomes on the same things"
    else:
        parts = {"changed": told.changed, "new": told.added, "gone": told.gone}
        said = ", ".join(f"{len(gates):,} {kind}" for kind, gates in parts.items() if gates)
        head = f"Gates: {said}{_turned(told)}" if said else "No gate changed"
    yield pen("bold", head)
    held = [
        f"{sum(o.outcome is Verdict.CORROBORATED for o in side):,} of {len(side):,} hold" for side in (before, after)
    ]
    states = [f"{run.decision.word}, {count}" for run, count in zip((old, new), held, strict=True)]
    yield from wrap(f"{safe(old.started)}  {states[0]}", width, "  before  ")
    yield from wrap(f"{safe(new.started)}  {states[1]}", width, "  now     ")


def _turned(told: Difference) -> str:
    """How many gates hold that did not, and the other way round."""
    held = [(old.outcome is Verdict.CORROBORATED, new.outcome is Verdict.CORROBORATED) for old, new in told.changed]
    better, worse = held.count((False, True)), held.count((True, False))
    said = [f"{worse:,} no longer hold{'s' if worse == 1 else ''}"] if worse else []
    said += [f"{better:,} hold{'s' if better == 1 else ''} now"] if better else []
    return f"; {', '.join(said)}" if said else ""


def _gone(outcome: Outcome, told: Difference) -> str:
    """What it was, and why it is not there where the new run says so."""
    why = told.new[1].not_evaluated.get(outcome.gate_id)
    return f"was {outcome.outcome.value}" + (f"; now {safe(why)}" if why else f": {safe(outcome.reason)}")


def _state(outcome: Outcome, other: Outcome) -> str:
    """The verdict; the force, and why it was skipped, where that is what changed."""
    more: list[str] = [outcome.force] if outcome.force != other.force else []
    if outcome.skip_cause is not None and other.skip_cause is not None:
        more.append(outcome.skip_cause.replace("_", " "))
    if (outcome.excused is None) != (other.excused is None):
        more.append("excused" if outcome.excused is not None else "not excused")
    return outcome.outcome.value + (f" ({', '.join(more)})" if more else "")


def _recounted(old: Outcome, new: Outcome) -> str:
    said = [
        f"{now:,} {name}, was {was:,}"
        for name, was, now in (("violated", old.violated, new.violated), ("compared", old.compared, new.compared))
        if was != now
    ]
    keys = [", ".join(cause.key for cause in outcome.causes) or "no cause" for outcome in (old, new)]
    if keys[0] != keys[1]:
        said.append(f"{safe(keys[1])}, was {safe(keys[0])}")
    return "; ".join(said)


def _at(outcome: Outcome) -> tuple[str, str]:
    return outcome.gate_id, circumstances(outcome)


def _many(told: Difference) -> set[tuple[str, str]]:
    """Gates that were held to several subjects under one scenario: their rows name the subject."""
    named = {(*_at(outcome), outcome.subject.name) for outcome in (*told.old[0], *told.new[0])}
    return {at for at, count in Counter((gate, place) for gate, place, _ in named).items() if count > 1}


def _section(
    title: str, rows: list[tuple[Outcome, str]], many: set[tuple[str, str]], pen: Pen, width: int
) -> Iterator[str]:
    if not rows:
        return
    yield pen("bold", title)
    where = [
        " ".join(filter(None, (circumstances(o), safe(o.subject.name) if _at(o) in many else ""))) for o, _ in rows
    ]
    first, second = max(len(outcome.gate_id) for outcome, _ in rows), max(map(len, where))
    for (outcome, said), place in zip(rows, where, strict=True):
        sign, colour = mark(outcome)
        head = f"  {sign} {safe(outcome.gate_id):<{first}}  " + (f"{place:<{second}}  " if second else "")
        # The numbers of what does not hold stand in full; why a gate was skipped, each run's own report says.
        for at, line in enumerate(wrap(said, width, head) if fails(outcome) else [head + cut(said, width - len(head))]):
            yield line.replace(f" {sign} ", f" {pen(colour, sign)} ", 1) if at == 0 else line
    yield ""


def _beneath(told: Difference, pen: Pen, width: int) -> Iterator[str]:
    yield pen("bold", "Under them")
    if not told.under:
        yield from wrap("nothing changed: artifacts, definitions, playbook, tool, environment, host", width, "  ")
    kinds = dict.fromkeys(change.kind for change in told.under)
    rows = []
    for kind in kinds:
        alike = [change for change in told.under if change.kind == kind]
        for change in islice(alike, MOST):
            rows.append((kind, safe(change.name), f"{_value(change.old)} → {_value(change.new)}"))
        if len(alike) > MOST:
            rows.append((kind, f"and {len(alike) - MOST:,} more", ""))
    yield from (f"  {line}" for line in columns(rows))
    if told.unknown:
        names = ", ".join(safe(name) for name in told.unknown)
        yield from wrap(f"not known, for want of a digest: {names}", width, "  ")
    yield ""


def _value(value: str | None) -> str:
    if value is None:
        return "none"
    return short_digest(value) if value.startswith("blake3:") else safe(value)


def as_json(told: Difference, *, width: int, color: bool) -> str:
    """The same as one object; width and color do not apply."""
    runs = {"old": told.old, "new": told.new}
    value = {
        "nothing_changed": told.nothing,
        "decision": {side: run.decision.model_dump() for side, (_, run) in runs.items()},
        "hold": {side: sum(o.outcome is Verdict.CORROBORATED for o in seen) for side, (seen, _) in runs.items()},
        "gates": {side: len(seen) for side, (seen, _) in runs.items()},
        "changed": [_pair(old, new) for old, new in told.changed],
        "same_outcome_other_counts": [_pair(old, new) for old, new in told.counted],
        "new": [{**_named(outcome), "new": _told(outcome)} for outcome in told.added],
        "gone": [{**_named(outcome), "old": _told(outcome)} for outcome in told.gone],
        "under": [{"kind": c.kind, "name": c.name, "old": c.old, "new": c.new} for c in told.under],
        "not_known": list(told.unknown),
    }
    return safe_json(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def _pair(old: Outcome, new: Outcome) -> dict[str, Any]:
    return {**_named(new), "old": _told(old), "new": _told(new)}


def _named(outcome: Outcome) -> dict[str, Any]:
    scenario = None if outcome.scenario is None else outcome.scenario.model_dump(mode="json")
    return {"gate_id": outcome.gate_id, "scenario": scenario, "subject": outcome.subject.name}


def _told(outcome: Outcome) -> dict[str, Any]:
    keys = ("outcome", "skip_cause", "force", "reason", "compared", "violated", "id")
    return {**{key: getattr(outcome, key) for key in keys}, "causes": [cause.key for cause in outcome.causes]}


#: How a difference is written.
DIFFERENCES = {"text": text, "json": as_json}
