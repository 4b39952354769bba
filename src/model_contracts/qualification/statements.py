"""Owns what a cause says: whole, in a line or two, from the comparisons that show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from model_contracts.artifact import Artifact
from model_contracts.outcome import Comparison, Outcome, Place
from model_contracts.terminal import number

#: What a statement shows of a long value, and how many different things it names.
_LONGEST, _MOST = 60, 8


def of_types(outcome: Outcome, changed: list[Comparison]) -> str:
    """How many tensors have which type where which was expected."""
    pairs = Counter((_short(comparison.expected), _short(comparison.observed)) for comparison in changed)
    more = outcome.violated - sum(not comparison.holds for comparison in outcome.comparisons)
    count = len(changed) + (more if len(pairs) == 1 else 0)
    head = f"tensor_type of {'at least ' if more and len(pairs) > 1 else ''}{count:,} of {outcome.compared:,} tensors"
    if len(pairs) == 1:
        ((expected, observed),) = pairs
        return f"{head}: expected {expected}, observed {observed}{_note(changed[0])}"
    said = (f"{many:,} expected {expected}, observed {observed}" for (expected, observed), many in pairs.most_common())
    return f"{head}: {'; '.join(said)}{_note(changed[0])}"


def of_values(violated: Iterable[Comparison]) -> str:
    """Every thing that differs, once, with all that was expected of it."""
    things: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in violated:
        at = _at(comparison.place, comparison.measure)
        # Where one measure speaks of many places, the first stands for them.
        key = (comparison.measure, at if comparison.place.tensor is None else "")
        things.setdefault(key, []).append(comparison)
    said = [_thing(seen, alone=len(things) == 1) for seen in list(things.values())[:_MOST]]
    rest = f"; and {len(things) - _MOST} more" if len(things) > _MOST else ""
    return "; ".join(said) + rest


def sharing(artifact: Artifact | None, comparison: Comparison) -> Comparison:
    """A comparison about where a tensor lies, with a note of what lies there too."""
    tensor = artifact.tensors.get(comparison.place.tensor or "") if artifact is not None else None
    if artifact is None or tensor is None:
        return comparison
    others = [
        other.name
        for other in artifact.tensors.values()
        if other.name != tensor.name and (other.file, other.offset) == (tensor.file, tensor.offset) and other.nbytes
    ]
    if not others:
        return comparison
    note = f"{others[0]} lies on the same bytes"
    return comparison.model_copy(update={"note": f"{note}; {comparison.note}" if comparison.note else note})


def _thing(seen: list[Comparison], *, alone: bool) -> str:
    """One thing: where its places differ the first and how many; where bounds differ, each of them."""
    first = seen[0]
    at = _at(first.place, first.measure)
    places = len({str(comparison.place) for comparison in seen if comparison.place.tensor is not None})
    more = f" and {places - 1:,} places more" if places > 1 else ""
    alike = [comparison for comparison in seen if comparison.observed == first.observed]
    expected, *rest = dict.fromkeys(_short(comparison.expected) for comparison in alike)
    expected += f" (and {', '.join(rest)})" if rest else ""
    observed = f"observed {_short(first.observed)}{_note(first) if alone else ''}"
    return f"{first.measure}{f' at {at}' if at else ''}{more}: expected {expected}, {observed}"


def _at(place: Place, measure: str) -> str:
    """The place in a word; nothing where the measure says it."""
    word = place.tensor or place.key or place.file or ""
    return "" if word == measure else word


def _note(comparison: Comparison) -> str:
    return f" ({comparison.note})" if comparison.note else ""


def _short(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    # An id is no quantity: 151643, not 151,643.
    text = number(value) if isinstance(value, float) else str(value)
    text = text.replace("\n", "\\n")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
