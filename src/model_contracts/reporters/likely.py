"""Owns the likely causes of what does not hold on one artifact: a pure function of its outcomes, the gravest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from model_contracts.outcome import Comparison, Outcome, Verdict
from model_contracts.reporters.lines import BAD, severity, told
from model_contracts.terminal import plural, safe

#: Gates by what they are about, in the order in which a fault makes a model useless: what cannot be read first, then
#: what is not there, what holds other numbers, what reads text otherwise, what is said wrongly, what is only narrower.
_GRAVITY = (
    ("G0-CONTAINER-*", "F-CONTRACT-I3-001", "F-CONTRACT-I3-002"),
    ("G0-SOURCE-*",),
    ("G0-SCHEME-*",),
    ("F-CONTRACT-I2-*", "G0-TENSOR-*", "G0-LAYOUT-*", "G0-EMBEDDING-*"),
    ("F-CONTRACT-I4-*", "G0-VALIDATE-*", "G0-LAYERS-*"),
    ("F-CONTRACT-I5-*", "G0-TOKENIZER-*"),
    ("F-CONTRACT-I3-005", "F-CONTRACT-I3-006", "G0-INTEGRITY-*"),
    ("F-CONTRACT-I3-*", "G0-LABEL-*"),
)
_TENSORS, _VALUES, _CONFIGURATION = 3, 4, 6
#: Measures that explain a whole file: names of another model, a prefix of every name.
_OF_ALL = ("architecture", "tensor_prefix")
_EXPLAINS = re.compile(r"^(?P<what>.+?) explains (?P<how>it|most of it): (?P<numbers>.+)$", re.DOTALL)
#: They differ wherever values do, and do not say how.
_MOMENTS = ("mean", "std", "minimum", "maximum")
#: A tensor that is not there.
_LOST = ("tensor_present", "tensor_missing")
#: Numbers of one thing: values that are others.
_DIFFERS = ("relative_rmse", "row_cosine", "gain", "offset", "max_error", "differing_values", *_MOMENTS)


@dataclass(frozen=True, slots=True)
class Likely:
    """One thing that went wrong, with the gates it closes."""

    #: What it is, in one sentence with its numbers.
    statement: str
    gates: tuple[str, ...]
    #: The comparison that shows it best.
    shown: Comparison


@dataclass(frozen=True, slots=True)
class _Sign:
    """A violated comparison with the gate it was met at."""

    gate: str
    comparison: Comparison

    @property
    def explained(self) -> bool:
        """Whether a rival explanation fits, or its measure says all that there is to say."""
        note = self.comparison.note or ""
        return bool(_EXPLAINS.match(note)) or self.comparison.measure in _OF_ALL

    @property
    def rank(self) -> tuple[int, bool, float]:
        """The gravest first; what is explained before what is not; furthest beyond its tolerance first."""
        return (gravity(self), not self.explained, severity(self.comparison))

    @property
    def key(self) -> tuple[int, str]:
        """Signs with one key are one cause: the numbers in it (layers, rows) may differ."""
        if match := _EXPLAINS.match(self.comparison.note or ""):
            return (gravity(self), re.sub(r"\d+|\(.*\)", "#", match["what"]))
        differs = gravity(self) == _VALUES and self.comparison.measure in _DIFFERS
        if self.comparison.measure in _LOST and self.comparison.observed in (None, "missing"):
            return (gravity(self), "lost")  # told by the family and by the source
        return (gravity(self), "values" if differs else self.comparison.measure)


def likely(outcomes: Iterable[Outcome]) -> tuple[Likely, ...]:
    """The causes of what must hold and does not. What follows from another cause is no cause of its own.

    Moments differ where values do: they are told where nothing else is said of the same tensors.
    """
    failing = [outcome for outcome in outcomes if fails(outcome)]
    signs = [_Sign(o.gate_id, c) for o in failing for c in o.comparisons if not c.holds]
    # Where the tensors that differ are not all listed, those whose moments differ may be any of them.
    unlisted = any(o.violated > len(o.comparisons) and not _tells_only_moments(o) for o in failing if _of_values(o))
    causes: dict[tuple[int, str], list[_Sign]] = {}
    for sign in _without_effects(sorted(signs, key=lambda sign: sign.rank), unlisted):
        causes.setdefault(sign.key, []).append(sign)
    return tuple(_likely(seen) for seen in causes.values())


def fails(outcome: Outcome) -> bool:
    """Whether it must hold and does not, and nobody answers for that."""
    return outcome.outcome in BAD and outcome.force == "must" and outcome.excused is None


def gravity(sign: _Sign) -> int:
    """How useless a fault makes a model: 0 the most."""
    return -1 if sign.comparison.measure == "architecture" else gravity_of(sign.gate)


@lru_cache(4096)
def gravity_of(gate: str) -> int:
    """The place of a gate among those by which a fault makes a model useless; those that nobody ranked come last."""
    return next(
        (at for at, group in enumerate(_GRAVITY) if any(fnmatchcase(gate, pattern) for pattern in group)), len(_GRAVITY)
    )


def order(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Outcomes as their numbers are read: what explains before what it explains, else as they were evaluated."""
    ranked = sorted(outcomes, key=lambda outcome: (_tells_only_moments(outcome), outcome.outcome is Verdict.SKIPPED))
    return sorted(ranked, key=lambda outcome: gravity_of(outcome.gate_id))


def _tells_only_moments(outcome: Outcome) -> bool:
    violated = [comparison for comparison in outcome.comparisons if not comparison.holds]
    return bool(violated) and all(comparison.measure in _MOMENTS for comparison in violated)


def _of_values(outcome: Outcome) -> bool:
    return gravity_of(outcome.gate_id) == _VALUES


def _without_effects(signs: Sequence[_Sign], unlisted: bool) -> Iterator[_Sign]:
    """Signs without what follows from others of them.

    Moments follow from any sign of their tensor, values from an explanation of it, and names, values and numbers from
    another architecture where tensors have no counterpart or another shape.
    """
    of_all = any(sign.comparison.measure in _OF_ALL for sign in signs)
    other = any(gravity(s) < 0 for s in signs) and any(gravity(s) == _TENSORS for s in signs)
    spoken = {sign.comparison.place.tensor for sign in signs if not _moments(sign)} - {None}
    explained = {sign.comparison.place.tensor for sign in signs if sign.explained} - {None}
    for sign in signs:
        tensor, value = sign.comparison.place.tensor, gravity(sign) == _VALUES
        follows = other and gravity(sign) in (_VALUES, _CONFIGURATION)
        follows |= of_all and gravity(sign) == _TENSORS and sign.comparison.measure not in _OF_ALL
        follows |= value and tensor in explained and not sign.explained
        follows |= _moments(sign) and (unlisted or tensor in spoken)
        if not follows:
            yield sign


def _moments(sign: _Sign) -> bool:
    return gravity(sign) == _VALUES and sign.comparison.measure in _MOMENTS


def _likely(seen: list[_Sign]) -> Likely:
    places = dict.fromkeys(s.comparison.place.tensor or str(s.comparison.place) for s in seen)
    return Likely(_statement(seen[0], len(places)), tuple(dict.fromkeys(s.gate for s in seen)), seen[0].comparison)


def _statement(sign: _Sign, places: int) -> str:
    """What went wrong, where first and at how many places, with the numbers of the first."""
    first = sign.comparison
    more = f" and {plural(places - 1, 'place')} more" if places > 1 else ""
    where = first.place.tensor if gravity(sign) == _VALUES and first.place.tensor else str(first.place)
    at, note = safe(where) + more, safe(first.note or "")
    if first.measure == "tensor_prefix" and note:
        return note
    if match := _EXPLAINS.match(note):
        most = "most of " if match["how"] != "it" else ""
        return f"{match['what']} explains {most}{at}: {match['numbers']}"
    if sign.key[1] == "values":
        return f"values differ at {at}: {safe(first.measure)}: {told(first)}"
    return f"{safe(first.measure)}{f' at {at}' if at else ''}: {told(first)}{f' ({note})' if note else ''}"
