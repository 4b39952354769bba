"""Owns the report of the founding system's evidence: the count first, one line a gate, grouped by outcome."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.compat.apr_qa.record import WORDS, FoundingEvidence, FoundingRecord, Word, decided
from model_contracts.outcome import KEPT, NOT_PROVEN
from model_contracts.terminal import Colour, Pen, plural, safe

REASON = 100
_MARKS: dict[Word, tuple[str, Colour]] = {"Corroborated": ("✓", "green"), "Skipped": ("–", "yellow")}

_DECIDED: dict[int, tuple[str, Colour]] = {KEPT: ("KEPT", "green"), NOT_PROVEN: ("NOT PROVEN", "yellow")}


def report(records: FoundingEvidence, *, color: bool) -> str:
    """The records for people. The founding system's words stand as they are; what they are worth is not said here."""
    pen = Pen(color)
    groups = {word: [record for record in records if record.word == word] for word in WORDS}
    lines = [_counted(groups, len(records), pen)]
    for word, members in groups.items():
        if members:
            lines += ["", pen("bold", f"{word} {len(members):,}"), *_lines(word, members, pen)]
    lines += ["", "contracts evidence audit FILE says which of these lines prove nothing"]
    return "\n".join(lines) + "\n"


def _counted(groups: dict[Word, list[FoundingRecord]], count: int, pen: Pen) -> str:
    held = len(groups["Corroborated"])
    others = ", ".join(f"{len(groups[word]):,} {word}" for word in WORDS[:-1] if groups[word])
    code = decided(record for members in groups.values() for record in members)
    word, colour = _DECIDED.get(code, ("FALSIFIED", "red"))
    counted = f"{held:,} of {plural(count, 'gate')} Corroborated{f' ({others})' if others else ''}"
    return f"{pen('bold', pen(colour, word))}  {counted}"


def _lines(word: Word, members: list[FoundingRecord], pen: Pen) -> Iterator[str]:
    mark, colour = _MARKS.get(word, ("✗", "red"))
    gates = max(len(record.gate_id) for record in members)
    asked = [f"{r.scenario.modality}/{r.scenario.backend}/{r.scenario.format}" for r in members]
    column = max(map(len, asked))
    for record, scenario in zip(members, asked, strict=True):
        reason = safe(record.said[:REASON])
        yield f"  {pen(colour, mark)} {safe(record.gate_id):<{gates}}  {scenario:<{column}}  {reason}".rstrip()
