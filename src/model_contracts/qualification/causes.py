"""Owns causes: what a conversion, a runtime or the machine did, named so that every gate it closes shares one key."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from model_contracts.artifact import Artifact
from model_contracts.dtypes import DTYPES
from model_contracts.outcome import Cause, Comparison, Component, Evidence, Outcome, Verdict, jsonable
from model_contracts.qualification import rivals, statements

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
    _Class(
        "types",
        ("F-CONTRACT-I3-004", "F-CONTRACT-I3-003", "G0-LABEL-*", "G0-SCHEME-*"),
        "changes element types unasked",
    ),
    _Class(
        "tensors",
        ("F-CONTRACT-I2-*", "G0-TENSOR-*", "G0-LAYOUT-*", "G0-EMBEDDING-*"),
        "loses, adds or reshapes tensors",
    ),
    _Class("values", ("F-CONTRACT-I4-*", "G0-VALIDATE-*", "G0-LAYERS-*"), "changes values"),
    _Class("tokenizer", ("F-CONTRACT-I5-*", "G0-TOKENIZER-00[12368]"), "loses or changes the tokenizer"),
    _Class(
        "configuration",
        ("F-CONTRACT-I3-00[56]", "G0-INTEGRITY-*", "G0-TOKENIZER-00[457]"),
        "changes or invents configuration values",
    ),
)
_SAYS = {
    "types/quantised": "narrows element types unasked",
    "types/upcast": "widens element types unasked",
    "tokenizer/lost": "loses the tokenizer",
    "tokenizer/chat_template": "changes the chat template",
    "tokenizer/chat_template/lost": "loses the chat template",
    "configuration/lost": "loses configuration values",
}
#: Causes that explain values which differ: types that were narrowed (one that is wider holds them all), other tensors.
_OF_VALUES = ("values", "types", "types/quantised", "tensors")
#: Measures of gates of ours, and the causes that each speaks of; of any other measure every cause may be the one.
_SPEAKS = {
    "tensors": ("tensors", "container"),
    "tensor_extra": ("tensors", "container"),
    "tensor_missing": ("tensors", "container"),
    "tensor_name": ("tensors",),
    "tensor_bytes": _OF_VALUES,
    "prompt_length": ("tokenizer", "tokenizer/chat_template"),
    "prompt_tokens": ("tokenizer", "tokenizer/chat_template"),
}
_ANSWERS = ("greedy_tokens", "mean_divergence", "divergence_99", "logits")
_SPEAKS |= dict.fromkeys(_ANSWERS, (*_OF_VALUES, "configuration", "configuration/lost"))  # on equal ids


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
        if not closed or each.key in inherited:
            continue
        kinds = dict(_kinds(each.key, closed, no_tokenizer=_no_tokenizer(outcomes)))
        for kind, seen in (rivals.causes(kinds, each.key in explained) if each.key == "values" else kinds).items():
            path = f"{each.key}/{kind}" if kind else each.key
            explained |= {"values"} if path in _OF_VALUES else set()
            lost = all(comparison.observed is None for _, comparison in seen)
            says = _SAYS.get(f"{path}/lost" if lost else path) or _SAYS.get(path, each.says)
            statement = f"{converter} {says}: {_told(each.key, seen, artifact)}"
            key = f"{component}/{converter}/{path}"
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
    if key == "values":
        return rivals.kind(comparison)
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
    every = [comparison for _, comparison in seen]
    if key == "values" and every[0].note and every[0].place.tensor:
        return rivals.told(every)
    return statements.of_values(every)


def closing(outcome: Outcome, known: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """Of the causes on the way to an artifact those that what a gate saw speaks of; all where it may be any."""
    violated = [comparison for comparison in outcome.comparisons if not comparison.holds]
    if not violated and "tokenizer" in outcome.reason:
        return tuple(cause for cause in known if (_path(cause) or "") in ("", "tokenizer"))
    # What an examination saw stands beside its gates: these say what it speaks of.
    by_gate = any(comparison.measure == "gate" for comparison in violated)
    spoken: set[str] = set()
    for comparison in violated:
        paths = _spoken_by(comparison, by_gate=by_gate)
        if paths is None:
            return known
        spoken |= set(paths)
    return tuple(cause for cause in known if _is_of(_path(cause) or "", spoken))


def _is_of(path: str, spoken: set[str]) -> bool:
    """Whether a cause is one of those that are spoken of; an explanation of values is one of values."""
    return path in {"", *spoken} or ("values" in spoken and rivals.is_one(path))


def _path(cause: Cause) -> str | None:
    """The class of a cause with its kind; None where it is of no examination: there is no artifact at all."""
    parts, classes = cause.key.split("/"), {each.key for each in _CLASSES}
    return next(("/".join(parts[-count:]) for count in (2, 1) if parts[-count] in classes), None)


def _spoken_by(comparison: Comparison, *, by_gate: bool) -> tuple[str, ...] | None:
    """The causes that a violated comparison speaks of, without component and converter; None where it may be any."""
    if comparison.measure == "tensor_type":
        return _types(comparison.expected, comparison.observed)
    if comparison.measure == "tensor":
        words = [str(side).split(" ")[0] for side in (comparison.expected, comparison.observed)]
        return ("tensors",) if words[0] == words[1] else ("tensors", *_types(*words))
    if comparison.measure == "gate":
        gate = comparison.place.key or ""
        if fnmatchcase(gate, "G0-SOURCE-*"):
            return ("container",)  # what it was made of is broken: the conversion before it wrote that
        found = next((c.key for c in _CLASSES if any(fnmatchcase(gate, pattern) for pattern in c.gates)), None)
        return _OF_GATES.get(found, (found,)) if found is not None else None
    if comparison.measure == "chat_template":
        return ("tokenizer", "tokenizer/chat_template")
    if comparison.measure in _ANSWERS or not by_gate:
        return _SPEAKS.get(comparison.measure)
    return ()


#: What a gate of a class speaks of, where it is not the class: types are told apart by their comparisons.
_OF_GATES = {"values": _OF_VALUES, "types": ("types",), "configuration": ("configuration", "configuration/lost")}


def _types(expected: object, observed: object) -> tuple[str, ...]:
    kind = _change(Comparison(measure="tensor_type", expected=jsonable(expected), observed=str(observed), holds=False))
    return (f"types/{kind}", "types") if kind else ("types", "types/quantised", "types/upcast")


def merged(*groups: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """Causes of several artifacts, each key once."""
    found: dict[str, Cause] = {}
    for cause in (cause for group in groups for cause in group):
        found.setdefault(cause.key, cause)
    return tuple(found.values())
