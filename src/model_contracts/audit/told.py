"""Owns how an audit is told: the counts first, then each sign with its reason and the places of its records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_contracts.audit.accusing import Accusation, Audit
from model_contracts.sign import Sign
from model_contracts.terminal import Pen, plural, safe, wrap

_HEADS = {"green": "Green, and proves nothing", "red": "Red through the checker's own fault"}


def text(name: str, audit: Audit, *, width: int, color: bool) -> str:
    """The audit of one file for people, `width` columns wide except where a name is longer."""
    pen = Pen(color)
    lines = [f"{name}: {pen('bold', _counted(audit))}"]
    for verdict, head in _HEADS.items():
        groups = _by_sign(accusation for accusation in audit.accusations if accusation.sign.verdict == verdict)
        if groups:
            lines += ["", pen("bold", head)]
        for sign, accusations in groups:
            lines += _sign(sign, accusations, pen, width)
    return "\n".join(lines) + "\n"


def as_json(name: str, audit: Audit) -> dict[str, Any]:
    """The audit of one file as JSON values."""
    return {
        "file": name,
        "form": audit.form,
        "records": len(audit.lines),
        "green": {"lines": audit.count("green"), "prove_nothing": audit.accused("green")},
        "red": {"lines": audit.count("red"), "checkers_own_fault": audit.accused("red")},
        "accusations": [
            {
                "pointer": accusation.pointer,
                "gate_id": accusation.gate,
                "outcome": accusation.outcome,
                "verdict": accusation.sign.verdict,
                "sign": accusation.sign.id,
                "title": accusation.sign.title,
                "reason": accusation.sign.reason,
                "defined": accusation.sign.where("id"),
            }
            for accusation in audit.accusations
        ],
    }


def _counted(audit: Audit) -> str:
    green, red = audit.accused("green"), audit.accused("red")
    said = (
        f"{green:,} of {plural(audit.count('green'), 'green line')} {'proves' if green == 1 else 'prove'} nothing; "
        f"{red:,} of {audit.count('red'):,} red {'one is' if red == 1 else 'ones are'} the checker's own fault"
    )
    unknown = audit.count("unknown")
    return said + (f"; {plural(unknown, 'record')} without a known outcome" if unknown else "")


def _by_sign(accusations: Iterator[Accusation]) -> list[tuple[Sign, list[Accusation]]]:
    groups: dict[str, list[Accusation]] = {}
    for accusation in accusations:
        groups.setdefault(accusation.sign.id, []).append(accusation)
    return [(group[0].sign, group) for _, group in sorted(groups.items())]


def _sign(sign: Sign, accusations: list[Accusation], pen: Pen, width: int) -> Iterator[str]:
    yield f"  {pen('bold', sign.title)}  {pen('dim', sign.where('id'))}"
    yield from wrap(sign.reason, width, "    → ")
    column = max(len(accusation.pointer) for accusation in accusations)
    for accusation in accusations:
        yield f"    {accusation.pointer:<{column}}  {safe(accusation.gate)[:80]}  {accusation.outcome}"
