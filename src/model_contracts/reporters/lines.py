"""Owns the lines that more than one report is made of: marks, numbers, artifacts, notes, and the decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from model_contracts.outcome import ArtifactRecord, Comparison, Decision, Evidence, Outcome, Run, Verdict
from model_contracts.terminal import Colour, Pen, number, plural, safe, wrap

_COLOURS: dict[int, Colour] = {0: "green", 1: "red", 3: "yellow", 4: "red", 2: "yellow"}
#: What a subject did that does not hold; `Error` is the checker's own.
BAD = (Verdict.FALSIFIED, Verdict.CRASHED, Verdict.TIMEOUT)
#: Columns of a chain of formats, beyond which safetensors is called st.
CHAIN = 21


def word(run: Run, pen: Pen) -> str:
    """The decision in one word: KEPT, FALSIFIED …"""
    return coloured(run.decision, run.decision.word.upper(), pen)


def coloured(decision: Decision, text: str, pen: Pen) -> str:
    """A text in the colour of a decision."""
    return pen("bold", pen(_COLOURS[decision.exit_code], text))


def mark(outcome: Outcome) -> tuple[str, Colour]:
    """The sign that stands before a gate."""
    if outcome.outcome is Verdict.CORROBORATED:
        return "✓", "green"
    if outcome.excused is not None:
        return "~", "yellow"
    if outcome.outcome is Verdict.SKIPPED:
        return "–", "dim" if outcome.skip_cause == "not_owed" else "yellow"
    return ("!", "yellow") if outcome.force == "should" or outcome.outcome is Verdict.ERROR else ("✗", "red")


def outcome_counts(outcomes: Iterable[Outcome]) -> str:
    """How many gates came out how: `34 kept, 1 falsified`; those that are excused are told apart."""
    outcomes = tuple(outcomes)
    counted = [outcome for outcome in outcomes if outcome.excused is None]
    words = {
        "kept": sum(o.outcome is Verdict.CORROBORATED for o in outcomes),
        "falsified": sum(o.outcome in BAD and o.force == "must" for o in counted),
        "warned": sum(o.outcome in BAD and o.force == "should" for o in counted),
        "not proven": sum(o.outcome is Verdict.SKIPPED and o.skip_cause != "not_owed" for o in counted),
        "excused": len(outcomes) - len(counted),
        "not owed": sum(o.skip_cause == "not_owed" for o in outcomes),
        "in error": sum(o.outcome is Verdict.ERROR for o in outcomes),
    }
    return ", ".join(f"{count} {word}" for word, count in words.items() if count)


def artifact(record: ArtifactRecord, label: str, pen: Pen, width: int) -> Iterator[str]:
    """An artifact with its format, files, bytes and digest, and what was taken from beside it."""
    size = sum(file.size for file in record.files)
    digests = [file.digest for file in record.files if file.digest]
    digest = f" · {short_digest(digests[0])}" if len(record.files) == 1 and digests else ""
    what = f"{record.format} · {plural(len(record.files), 'file')} · {size:,} bytes{digest}"
    name = safe(record.name)
    for index, line in enumerate(wrap(f"{label}{name}  {what}", width, rest="  ")):
        yield line.replace(name, pen("bold", name), 1) if index == 0 else line
    if record.sidecars:
        yield from wrap(f"took {', '.join(safe(name) for name in record.sidecars.values())}", width, "  ")


def short_digest(digest: str) -> str:
    """The kind and the first sixteen digits."""
    kind, _, value = safe(digest).partition(":")
    return f"{kind}:{value[:16]}"


def circumstances(outcome: Outcome, *, whole: bool = False) -> str:
    """`gguf run/cpu`, or the formats that it went through: `safetensors→gguf`; empty outside a qualification."""
    scenario = outcome.scenario
    if scenario is None:
        return ""
    asked = "/".join(part for part in (scenario.modality, scenario.backend) if part)
    if len(scenario.chain) > 1 and not asked:
        chain = "→".join(scenario.chain)
        # A round trip goes through five formats, and a table has a hundred columns.
        return safe(chain if whole or len(chain) <= CHAIN else chain.replace("safetensors", "st"))
    return safe(" ".join(part for part in (scenario.format or "".join(scenario.chain), asked) if part))


def compact(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Gates with the formats they were held in: `F-A1-001 gguf`, `F-A3-001 apr gguf`; its id says the rest."""
    gates: dict[str, list[str]] = {}
    for outcome in outcomes:
        formats = gates.setdefault(outcome.gate_id, [])
        scenario = outcome.scenario
        if scenario is not None and scenario.format:
            formats.append(safe(scenario.format))
    for gate, formats in gates.items():
        often = Counter(formats)
        yield " ".join((safe(gate), *(f"{name} ({many})" if many > 1 else name for name, many in often.items())))


def severity(comparison: Comparison) -> float:
    """How far beyond its tolerance, furthest first when sorted."""
    passing, tolerance = comparison.smallest_passing_tolerance, comparison.tolerance
    return -(passing / tolerance) if passing is not None and tolerance else 0.0


def told(comparison: Comparison) -> str:
    """What was expected and what was observed; `missing` where there is nothing to observe."""
    expected, observed = comparison.expected, comparison.observed
    present = comparison.measure.endswith("_present") and expected in (True, 1)
    if present and not observed:
        return "missing"
    return f"expected {number(expected)}, {'missing' if observed is None else f'observed {number(observed)}'}"


def numbers(comparison: Comparison) -> str:
    """Expected against observed, with the bound and where it came from."""
    text = f"{safe(comparison.measure)}: {told(comparison)}"
    if comparison.tolerance is not None:
        text += f", tolerance {number(comparison.tolerance)}"
    if comparison.smallest_passing_tolerance is not None:
        text += f", would pass at {number(comparison.smallest_passing_tolerance)}"
    return text + (f" [{safe(comparison.bound_from)}]" if comparison.bound_from else "")


def notes(run: Run, pen: Pen, width: int) -> Iterator[str]:
    """Facts about the artifacts that are said and are no failures; whose definitions and plugins were used."""
    said = [(record.name, note) for record in run.artifacts for note in record.notes]
    others = [f"definitions {one.prefix}/ from {one.path} ({plural(one.files, 'file')})" for one in run.folders]
    others += [f"plugin {one.name} {one.version}" for one in run.plugins]
    if not said and not others:
        return
    yield pen("bold", "Notes")
    for one in others:
        yield from wrap(safe(one), width, "  · ")
    for name, note in dict.fromkeys(said):
        yield from wrap(f"{safe(name)}: {safe(note)}" if len(run.artifacts) > 1 else safe(note), width, "  · ")
    yield ""


def directory(command: tuple[str, ...]) -> str | None:
    """The directory that the command kept its evidence in."""
    for index, part in enumerate(command):
        if part in ("-o", "--output") and index + 1 < len(command):
            return command[index + 1]
        if part.startswith("--output="):
            return part.removeprefix("--output=")
    return None


def last(outcomes: Evidence, run: Run, pen: Pen, width: int) -> Iterator[str]:
    """The gates that decided, and the decision."""
    decision = run.decision
    compared = sum(outcome.compared for outcome in outcomes)
    seed = "" if run.seed is None else f" · seed {run.seed}"
    figures = f"exit {decision.exit_code} · {compared:,} compared · {run.duration:.2f} s{seed}"
    yield from (line for said in judged(outcomes, run) for line in wrap(safe(said), width, rest="  "))
    if (decision.exit_code or decision.word != "kept") and decision.decided_by:
        yield from wrap(f"decided by {', '.join(safe(gate) for gate in decision.decided_by)}", width)
    yield f"{word(run, pen)}  {figures}{terms(run)}"


def terms(run: Run) -> str:
    """What the decision owes to terms and excuses: ` · --not-proven=pass · 2 gates excused`."""
    decision = run.decision
    asked = [decision.terms.said] if decision.terms.said else []
    many = [f"{plural(len(decision.excused), 'gate')} excused"] if decision.excused else []
    return "".join(f" · {one}" for one in (*asked, *many))


def excuse(outcome: Outcome) -> str:
    """Why an outcome that does not hold leaves the decision alone, with who answers for it and until when."""
    found = outcome.excused
    if found is None:
        return ""
    if found.by == "baseline":
        return f"in the baseline {found.source}, {found.reason}"
    return f"waived until {found.expires} by {found.owner}: {found.reason} [{found.source}]"


def judged(outcomes: Iterable[Outcome], run: Run) -> Iterator[str]:
    """What was excused, what was found and not believed, and exceptions that count as absent."""
    for outcome in outcomes:
        if outcome.excused is not None:
            yield f"~ {outcome.gate_id} on {outcome.subject.name}: {excuse(outcome)}"
    if run.judged is None:
        return
    yield from run.judged.notes
    for waiver in run.judged.waivers:
        if waiver.state != "used":
            yield f"waiver of {waiver.gate} counts as absent: {waiver.why} ({waiver.owner}) [{waiver.source}]"
    if run.judged.baseline is not None and run.judged.baseline.gone:
        gates = ", ".join(run.judged.baseline.gone)
        yield f"not met in this run, and still in the baseline {run.judged.baseline.path}: {gates}"


def left_out(outcomes: Evidence, run: Run) -> list[tuple[str, list[str]]]:
    """Reasons with the gates that each kept from being evaluated; of these none is counted as holding."""
    reasons: dict[str, list[Outcome]] = {}
    for owed in (True, False):
        for outcome in outcomes:
            if outcome.outcome is Verdict.SKIPPED and (outcome.skip_cause != "not_owed") is owed:
                said = f"{'not proven' if owed else 'not owed'}: {safe(outcome.reason)}"
                reasons.setdefault(said, []).append(outcome)
    planned: dict[str, list[str]] = {}
    for gate, reason in run.not_evaluated.items():
        planned.setdefault(safe(reason), []).append(safe(gate))
    return [*((said, list(compact(group))) for said, group in reasons.items()), *planned.items()]
