"""Owns causes: what a conversion, a runtime or the machine did, named so that every gate it closes shares one key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from model_contracts.dtypes import DTYPES
from model_contracts.outcome import Cause, Comparison, Component, Evidence, Outcome, Verdict

_BAD = (Verdict.FALSIFIED, Verdict.CRASHED, Verdict.TIMEOUT)


class _Class(NamedTuple):
    """Gates of an examination that speak of one thing, and what a converter does that closes them."""

    key: str
    gates: tuple[str, ...]
    says: str


#: In the order in which one explains another: values that differ because types do are no cause of their own.
_CLASSES = (
    _Class(
        "container", ("G0-CONTAINER-*", "F-CONTRACT-I3-001", "F-CONTRACT-I3-002"), "writes a file that readers refuse"
    ),
    _Class("types", ("F-CONTRACT-I3-003", "F-CONTRACT-I3-004", "G0-LABEL-*"), "changes element types unasked"),
    _Class(
        "tensors",
        ("F-CONTRACT-I2-*", "G0-TENSOR-*", "G0-LAYOUT-*", "G0-EMBEDDING-*"),
        "loses, adds or reshapes tensors",
    ),
    _Class("values", ("F-CONTRACT-I4-*", "G0-VALIDATE-*"), "changes values"),
    _Class("tokenizer", ("G0-TOKENIZER-00[123]", "F-CONTRACT-I5-*"), "loses or changes the tokenizer"),
    _Class(
        "configuration",
        ("F-CONTRACT-I3-00[56]", "G0-INTEGRITY-*", "G0-TOKENIZER-00[45]"),
        "changes or invents configuration values",
    ),
)
_SAYS = {"quantised": "narrows element types unasked", "upcast": "widens element types unasked"}
#: What another class already explains: the values of tensors whose types were changed, or that lie elsewhere.
_EXPLAINS = {"types": ("values",), "tensors": ("values",)}


def of_conversion(outcomes: Evidence, converter: str, component: Component, reproduction: str) -> tuple[Cause, ...]:
    """The causes that the examination of one converted artifact shows."""
    found: dict[str, Cause] = {}
    explained: set[str] = set()
    for each in _CLASSES:
        closed = [outcome for outcome in outcomes if _speaks(each, outcome)]
        if not closed or each.key in explained:
            continue
        explained |= set(_EXPLAINS.get(each.key, ()))
        for kind, comparison in _kinds(each.key, closed):
            key = "/".join(part for part in (component, converter, each.key, kind) if part)
            says = {"quantised": "narrows element types unasked", "upcast": "widens element types unasked"}.get(
                kind, each.says
            )
            found.setdefault(
                key,
                Cause(
                    key=key,
                    component=component,
                    statement=f"{converter} {says}: {_told(comparison)}",
                    reproduction=reproduction,
                ),
            )
    return tuple(found.values())


def _speaks(each: _Class, outcome: Outcome) -> bool:
    bad = outcome.outcome in _BAD and outcome.force == "must"
    return bad and any(fnmatchcase(outcome.gate_id, pattern) for pattern in each.gates)


def _kinds(key: str, closed: list[Outcome]) -> Iterator[tuple[str, Comparison]]:
    """Within a class: types that were narrowed and types that were widened are two things."""
    violated = [comparison for outcome in closed for comparison in outcome.comparisons if not comparison.holds]
    # What a file says of itself is the effect; what became of each tensor is the cause.
    violated.sort(key=lambda comparison: comparison.measure != "tensor_type")
    seen: set[str] = set()
    for comparison in violated:
        kind = _change(comparison) if key == "types" else ""
        if kind not in seen and not (seen and not kind):
            seen.add(kind)
            yield kind, comparison


def _change(comparison: Comparison) -> str:
    """Whether types became wider or narrower than expected; nothing where a comparison is not about two types."""
    expected = comparison.expected if isinstance(comparison.expected, list) else [comparison.expected]
    known = [DTYPES[word].bits for word in expected if isinstance(word, str) and word in DTYPES]
    observed = comparison.observed
    if not known or not isinstance(observed, str) or observed not in DTYPES:
        return ""
    return "quantised" if DTYPES[observed].bits < min(known) else "upcast"


def _told(comparison: Comparison) -> str:
    place = f" at {comparison.place}" if str(comparison.place) else ""
    note = f" ({comparison.note})" if comparison.note else ""
    expected, observed = (_short(value) for value in (comparison.expected, comparison.observed))
    return f"{comparison.measure}{place}: expected {expected}, observed {observed}{note}"


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def of_comparisons(
    comparisons: Iterable[Comparison], component: Component, name: str, kind: str, reproduction: str
) -> tuple[Cause, ...]:
    """The cause that the first violated comparison of a gate of ours shows, where nothing before it explains it."""
    first = next((comparison for comparison in comparisons if not comparison.holds), None)
    if first is None:
        return ()
    key = f"{component}/{name}/{kind}"
    return (Cause(key=key, component=component, statement=f"{name}: {_told(first)}", reproduction=reproduction),)


def merged(*groups: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """Causes of several artifacts, each key once."""
    found: dict[str, Cause] = {}
    for cause in (cause for group in groups for cause in group):
        found.setdefault(cause.key, cause)
    return tuple(found.values())
