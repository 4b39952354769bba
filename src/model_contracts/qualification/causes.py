"""Owns causes: what a conversion, a runtime or the machine did, named so that every gate it closes shares one key."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from model_contracts.artifact import Artifact
from model_contracts.dtypes import DTYPES
from model_contracts.outcome import Cause, Comparison, Component, Evidence, Outcome, Verdict
from model_contracts.qualification import statements

_BAD = (Verdict.FALSIFIED, Verdict.CRASHED, Verdict.TIMEOUT)
_Seen = list[tuple[Outcome, Comparison]]


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
    _Class("types", ("F-CONTRACT-I3-004", "F-CONTRACT-I3-003", "G0-LABEL-*"), "changes element types unasked"),
    _Class(
        "tensors",
        ("F-CONTRACT-I2-*", "G0-TENSOR-*", "G0-LAYOUT-*", "G0-EMBEDDING-*"),
        "loses, adds or reshapes tensors",
    ),
    _Class("values", ("F-CONTRACT-I4-*", "G0-VALIDATE-*"), "changes values"),
    _Class("tokenizer", ("F-CONTRACT-I5-*", "G0-TOKENIZER-00[123]"), "loses or changes the tokenizer"),
    _Class(
        "configuration",
        ("F-CONTRACT-I3-00[56]", "G0-INTEGRITY-*", "G0-TOKENIZER-00[45]"),
        "changes or invents configuration values",
    ),
)
_SAYS = {
    "quantised": "narrows element types unasked",
    "upcast": "widens element types unasked",
    "chat_template": "loses or changes the chat template",
    "lost": "loses configuration values",
}
#: What another class already explains: the values of tensors whose types were changed, or that lie elsewhere.
_EXPLAINS = {"types": ("values",), "tensors": ("values",)}
#: Measures of gates of ours, and the classes that each speaks of; of any other measure every class may be the cause.
_SPEAKS = {
    "tensors": ("tensors", "container"),
    "tensor_extra": ("tensors", "container"),
    "tensor_missing": ("tensors", "container"),
    "tensor_name": ("tensors",),
    "tensor": ("types", "tensors"),
    "tensor_bytes": ("types", "values"),
    "prompt_length": ("tokenizer",),
    "prompt_tokens": ("tokenizer",),
}
_ANSWERS = ("greedy_tokens", "mean_divergence", "divergence_99", "logits")


def of_conversion(
    outcomes: Evidence,
    converter: str,
    component: Component,
    reproduction: str,
    *,
    artifact: Artifact | None = None,
    inherited: tuple[str, ...] = (),
) -> tuple[Cause, ...]:
    """The causes that the examination of one converted artifact shows; classes that were `inherited` are none."""
    found: list[Cause] = []
    explained = set(inherited)
    for each in _CLASSES:
        closed = sorted(
            (outcome for outcome in outcomes if _speaks(each, outcome)),
            key=lambda outcome: _rank(each, outcome),
        )
        if not closed or each.key in explained:
            continue
        explained |= set(_EXPLAINS.get(each.key, ()))
        for kind, seen in _kinds(each.key, closed, no_tokenizer=_no_tokenizer(outcomes)):
            key = "/".join(part for part in (component, converter, each.key, kind) if part)
            statement = f"{converter} {_SAYS.get(kind, each.says)}: {_told(each.key, seen, artifact)}"
            found.append(Cause(key=key, component=component, statement=statement, reproduction=reproduction))
    return tuple(found)


def _speaks(each: _Class, outcome: Outcome) -> bool:
    bad = outcome.outcome in _BAD and outcome.force == "must"
    return bad and any(fnmatchcase(outcome.gate_id, pattern) for pattern in each.gates)


def _rank(each: _Class, outcome: Outcome) -> int:
    """What is compared with the source says more than what the file says of itself."""
    return next(at for at, pattern in enumerate(each.gates) if fnmatchcase(outcome.gate_id, pattern))


def _no_tokenizer(outcomes: Evidence) -> bool:
    return any(
        not comparison.holds and comparison.measure == "tokenizer_present"
        for outcome in outcomes
        for comparison in outcome.comparisons
    )


def _kinds(key: str, closed: list[Outcome], *, no_tokenizer: bool) -> Iterator[tuple[str, _Seen]]:
    """Within a class: types narrowed and types widened, values invented and values lost are two things each."""
    kinds: dict[str, _Seen] = {}
    for outcome in closed:
        for comparison in outcome.comparisons:
            if not comparison.holds:
                kinds.setdefault(_kind(key, comparison), []).append((outcome, comparison))
    if key == "types" and len(kinds) > 1:
        kinds.pop("", None)  # what a file says of itself is the effect; what became of each tensor is the cause
    if key == "tokenizer" and no_tokenizer:
        missing = [pair for seen in kinds.values() for pair in seen if pair[1].measure == "tokenizer_present"]
        kinds = {"": missing}
    if key == "configuration" and no_tokenizer:
        # Where a tokenizer is lost so are its ids.
        kinds["lost"] = [pair for pair in kinds.get("lost", ()) if not pair[1].measure.endswith("_token_id")]
    yield from ((kind, seen) for kind, seen in kinds.items() if seen)


def _kind(key: str, comparison: Comparison) -> str:
    if key == "types":
        return _change(comparison)
    if key == "configuration" and comparison.observed is None:
        return "lost"
    return "chat_template" if key == "tokenizer" and comparison.measure == "chat_template" else ""


def _change(comparison: Comparison) -> str:
    """Whether types became wider or narrower than expected; nothing where a comparison is not about two types."""
    expected = comparison.expected if isinstance(comparison.expected, list) else [comparison.expected]
    known = [DTYPES[word].bits for word in expected if isinstance(word, str) and word in DTYPES]
    observed = comparison.observed
    if not known or not isinstance(observed, str) or observed not in DTYPES:
        return ""
    return "quantised" if DTYPES[observed].bits < min(known) else "upcast"


def _told(key: str, seen: _Seen, artifact: Artifact | None) -> str:
    first = seen[0][0]
    if key == "types" and seen[0][1].measure == "tensor_type":
        return statements.of_types(first, [comparison for outcome, comparison in seen if outcome is first])
    if key == "container":
        return statements.of_values(statements.sharing(artifact, comparison) for _, comparison in seen)
    return statements.of_values(comparison for _, comparison in seen)


def closing(outcome: Outcome, known: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """Of the causes on the way to an artifact those that what a gate saw speaks of; all where it may be any."""
    violated = [comparison for comparison in outcome.comparisons if not comparison.holds]
    gates = [comparison for comparison in violated if comparison.measure == "gate"]
    told = [comparison for comparison in violated if comparison.measure in (*_SPEAKS, *_ANSWERS)]
    classes: set[str] = set()
    for comparison in (*gates, *told) if gates else violated:
        spoken = _classes(comparison)
        if not spoken:
            return known
        classes |= set(spoken)
    named = {each.key for each in _CLASSES}
    of_files = {cause.key: named & set(cause.key.split("/")) for cause in known}
    return tuple(cause for cause in known if not of_files[cause.key] or of_files[cause.key] & classes)


def _classes(comparison: Comparison) -> tuple[str, ...]:
    """The classes that a violated comparison speaks of; none where it may be any."""
    if comparison.measure != "gate":
        return _SPEAKS.get(comparison.measure, ())
    gate = comparison.place.key or ""
    found = [each.key for each in _CLASSES if any(fnmatchcase(gate, pattern) for pattern in each.gates)]
    explaining = [key for key, explained in _EXPLAINS.items() if set(found) & set(explained)]
    return (*found, *explaining)


def merged(*groups: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """Causes of several artifacts, each key once."""
    found: dict[str, Cause] = {}
    for cause in (cause for group in groups for cause in group):
        found.setdefault(cause.key, cause)
    return tuple(found.values())
