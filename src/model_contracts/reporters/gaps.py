"""Owns what a gate owed and did not compare, for people: the first places under their reasons, and how many values."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.outcome import Outcome, Uncompared
from model_contracts.terminal import Pen, plural, safe, wrap

#: Reasons that are told, and places under each.
_REASONS, _PLACES = 5, 3


def share(outcome: Outcome) -> str:
    """`938,624 of 2,875,648 compared`; `15 compared` where that is all."""
    return f"{outcome.compared:,}{f' of {outcome.owed:,}' if outcome.owed > outcome.compared else ''} compared"


def gaps(outcome: Outcome, pen: Pen, width: int) -> Iterator[str]:
    """The first places that were not compared under the reason why; those of one reason stand together."""
    reasons: dict[str, list[Uncompared]] = {}
    for gap in outcome.uncompared:
        reasons.setdefault(gap.reason, []).append(gap)
    shown = list(reasons.items())[:_REASONS]
    for reason, found in shown:
        yield from wrap(f"not compared: {safe(reason)}", width, "      ", "        ")
        for gap in found[:_PLACES]:
            place = safe(str(gap.place)) or safe(outcome.subject.name)
            yield f"        {pen('bold', place)}  {plural(gap.count, 'value')}"
        if len(found) > _PLACES:
            yield f"        and {plural(len(found) - _PLACES, 'place')} more"
    left = outcome.owed - outcome.compared - sum(gap.count for _, found in shown for gap in found)
    if left > 0 and outcome.uncompared:
        yield f"      and {plural(left, 'value')} more that were not compared"
