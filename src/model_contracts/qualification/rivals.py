"""Owns causes of values that differ: each rival explanation that fits is one, beside types that were changed too."""

from __future__ import annotations

import re

from model_contracts.outcome import Comparison, Outcome
from model_contracts.qualification import statements
from model_contracts.terminal import plural

#: Tensors of an artifact that rival explanations are tried for (`checks/static/values/elementwise`).
_TRIED = 8
#: How the kind of a cause begins that is a rival explanation: rows in another order, a layer in place of another.
_RIVAL = "as-"
_Kinds = dict[str, list[tuple[Outcome, Comparison]]]


def kind(comparison: Comparison) -> str:
    """What the rival explanation that fits says, without its numbers; nothing where none does."""
    words, explains, _ = (comparison.note or "").partition(" explains ")
    slug = "-".join(re.sub(r"\(.*?\)|[^a-z ]", " ", words.lower()).split())
    return f"{_RIVAL}{slug}"[:60] if explains else ""


def is_one(path: str) -> bool:
    """Whether a path of a cause is that of an explanation of values."""
    return path.startswith(f"values/{_RIVAL}")


def causes(kinds: _Kinds, by_types: bool) -> _Kinds:
    """Values that differ by the rival that fits; one of them alone is simply what was changed.

    Types that were narrowed (`by_types`) explain values, and no order of rows. What fits one tensor is not told twice
    of it, and where rivals were not tried for all tensors the others are taken to differ likewise.
    """
    found = {rival: seen for rival, seen in kinds.items() if rival}
    known = {comparison.place.tensor for seen in found.values() for _, comparison in seen}
    rest = [pair for pair in kinds.get("", ()) if pair[1].place.tensor not in known]
    if rest and not by_types and len(known) < _TRIED:
        found[""] = rest
    return found if len(found) > 1 else dict.fromkeys(["" for _ in found], next(iter(found.values()), []))


def told(seen: list[Comparison]) -> str:
    """The first with its explanation, which says more than what it explains, and at how many places more."""
    places = len({comparison.place.tensor for comparison in seen})
    return statements.of_values(seen[:1]) + (f"; and so at {plural(places - 1, 'place')} more" if places > 1 else "")
