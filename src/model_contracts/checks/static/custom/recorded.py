"""Kinds `recorded_tensors`, `recorded_moments`, `recorded_keys`, `recorded_tokenizer`: what a good model was.

`contracts init` writes their parameters. One gate holds thousands of tensors; those of an own invariant hold few.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import isfinite
from typing import Annotated, Any

from pydantic import Field, model_validator

from model_contracts.anatomy.pairing.same_values import shown
from model_contracts.artifact import Artifact, Tensor
from model_contracts.checks.drafts import Draft, gap, share
from model_contracts.checks.interface import Comparisons, Examination, Told, Where, missing_input, not_owed, static
from model_contracts.checks.static.custom.declared_by_others import Plain, list_of, same_value
from model_contracts.checks.static.custom.recorded_names import count, names_of, ranges_of
from model_contracts.checks.static.custom.selected import Digest, KeyPlaces, declared_at, place_of
from model_contracts.outcome import Comparison, Place, Record, Uncompared
from model_contracts.sweep.interface import Moments
from model_contracts.vocabulary import Tokenizer

Pattern = Annotated[str, Field(min_length=1, max_length=500, description="A name; {0-23} stands for each number.")]
#: Numbers with spaces between them: a scalar, because a list of ten thousand has as many places to be told of.
Numbers = Annotated[str, Field(max_length=1 << 20, pattern=r"^[0-9eE+. \n-]*$")]
#: What of a tokenizer has a digest of its own, so that what differs has a name.
TOKENIZER = ("tokens", "merges", "added", "special", "template")
_NOTHING = "nothing is recorded: contracts init MODEL writes it"


class RecordedTensors(Record):
    """Tensors of one type and shape."""

    names: Pattern
    type: str = Field(description="As the file stores them.")
    shape: tuple[int, ...] = Field(max_length=8, description="Row-major, outermost axis first.")

    @model_validator(mode="after")
    def _bounded(self) -> RecordedTensors:
        ranges_of(self.names)
        return self


class RecordedTensorsParameters(Record):
    """Every tensor of the model."""

    tensors: tuple[RecordedTensors, ...] = ()


class RecordedMoments(Record):
    """Mean and deviation of tensors: a number each in the order of the names, or one for all of them."""

    names: Pattern
    mean: Numbers
    std: Numbers

    @model_validator(mode="after")
    def _each(self) -> RecordedMoments:
        wanted = count(ranges_of(self.names))
        for told in (self.mean, self.std):
            if len(told.split()) != wanted:
                raise ValueError(f"{wanted:,} numbers, one a name")
            if not all(isfinite(float(number)) for number in told.split()):
                raise ValueError("finite numbers")
        return self


class Slack(Record):
    """How far the next version may be away."""

    std: float = Field(0.1, ge=0, description="Of the recorded deviation.")
    mean: float = Field(0.1, ge=0, description="In recorded deviations.")


class RecordedMomentsParameters(Record):
    """Moments of tensors, and how far they may move."""

    slack: Slack = Slack()
    moments: tuple[RecordedMoments, ...] = ()


class RecordedKeysParameters(Record):
    """Keys of config.json, of GGUF or of .apr, and their values."""

    keys: dict[str, Plain | tuple[Plain, ...]] = Field(default_factory=dict, max_length=2_000)


class RecordedTokenizerParameters(Record):
    """Digests of what a tokenizer is made of; what the model had none of is null."""

    digests: dict[str, Digest | None] = Field(default_factory=dict, description=f"Of {', '.join(TOKENIZER)}.")

    @model_validator(mode="after")
    def _known(self) -> RecordedTokenizerParameters:
        if unknown := self.digests.keys() - set(TOKENIZER):
            raise ValueError(f"one of {', '.join(TOKENIZER)}, and not {', '.join(sorted(unknown))[:60]}")
        return self


def recorded_tensors(examination: Examination, parameters: RecordedTensorsParameters, where: Where) -> Comparisons:
    """Compare the names in both directions, and type and shape of each tensor."""
    if not parameters.tensors:
        raise missing_input(_NOTHING)
    tensors, known = examination.target.tensors, set[str]()
    for at, group in enumerate(parameters.tensors):
        line, wanted = where("tensors", at), f"{group.type} {list(group.shape)}"
        for name in names_of(group.names):
            known.add(name)
            found = tensors.get(name)
            seen = f"{found.dtype} {list(found.shape)}" if found is not None else None
            yield Draft(seen == wanted, partial(_tensor, name, found, wanted, seen, line))
    for name, tensor in tensors.items():
        if name not in known:
            line = where("tensors")
            yield Draft(False, partial(_tensor, name, tensor, None, f"{tensor.dtype} {list(tensor.shape)}", line))


def _tensor(name: str, tensor: Tensor | None, wanted: str | None, seen: str | None, line: str) -> Comparison:
    place = place_of(tensor) if tensor is not None else Place(tensor=name)
    return Comparison(
        measure="recorded_tensor", place=place, expected=wanted, observed=seen, holds=wanted == seen, bound_from=line
    )


def recorded_moments(examination: Examination, parameters: RecordedMomentsParameters, where: Where) -> Comparisons:
    """Compare mean and deviation of each tensor with those recorded."""
    if not parameters.moments:
        raise missing_input(_NOTHING)
    seen, tensors = examination.sweep.moments, examination.target.tensors
    for at, group in enumerate(parameters.moments):
        line = where("moments", at)
        for name, mean, std in zip(names_of(group.names), group.mean.split(), group.std.split(), strict=True):
            tensor, moments = tensors.get(name), seen.get(name)
            if tensor is None:
                yield Uncompared(place=Place(tensor=name), reason="there is no tensor of that name")
            elif moments is None or not moments.count:
                yield gap(tensor, "its values were not read, or nothing decodes them", max(tensor.elements, 1))
            else:
                yield from _moments(tensor, moments, (float(mean), float(std)), parameters.slack, line)


def _moments(tensor: Tensor, seen: Moments, wanted: tuple[float, float], slack: Slack, line: str) -> Iterator[Told]:
    """Distances in recorded deviations; of a tensor without any, in its mean."""
    mean, std = wanted
    unit = std or abs(mean) or 1.0
    broken = bool(seen.nan or seen.infinite)
    for measure, expected, observed, bound in (
        ("recorded_std", std, seen.std, slack.std),
        ("recorded_mean", mean, seen.mean, slack.mean),
    ):
        # What is recorded has five digits.
        distance = max(abs(observed - expected) / unit - 1e-4, 0.0) if not broken else float("inf")
        holds = distance <= bound
        write = partial(_moment, tensor, seen, measure, expected, observed, (bound, distance), line)
        yield Draft(holds, write, seen.count if measure == "recorded_std" else 0, share(distance, bound))


def _moment(
    tensor: Tensor,
    seen: Moments,
    measure: str,
    expected: float,
    observed: float,
    bounds: tuple[float, float],
    line: str,
) -> Comparison:
    tolerance, distance = bounds
    spoilt = seen.nan + seen.infinite
    return Comparison(
        measure=measure,
        place=place_of(tensor),
        expected=expected,
        observed=observed,
        holds=distance <= tolerance,
        tolerance=tolerance,
        smallest_passing_tolerance=distance,
        count=seen.count if measure == "recorded_std" else 0,
        bound_from=line,
        note=f"{spoilt:,} values are NaN or infinite" if spoilt else None,
    )


def recorded_keys(examination: Examination, parameters: RecordedKeysParameters, where: Where) -> Comparisons:
    """Compare what is declared under each key."""
    if not parameters.keys:
        raise missing_input(_NOTHING)
    form = examination.target.form.keys
    for key, wanted in parameters.keys.items():
        value, place = declared_at(examination.target, KeyPlaces.model_validate({form: (key,)}))
        told = tuple(value) if isinstance(value, list) else value
        yield Comparison(
            measure="recorded_value",
            place=place,
            expected=list_of(wanted),
            observed=shown(told),
            holds=told is not None and same_value(told, wanted),
            bound_from=where("keys", key),
        )


def recorded_tokenizer(examination: Examination, parameters: RecordedTokenizerParameters, where: Where) -> Comparisons:
    """Compare the digest of each part of the tokenizer."""
    if not parameters.digests:
        raise not_owed("the recorded model has no tokenizer")
    seen = tokenizer_digests(examination.target)
    file = examination.target.tokenizer.origin.name if examination.target.tokenizer is not None else None
    for part, wanted in parameters.digests.items():
        yield Comparison(
            measure=f"recorded_{part}",
            place=Place(file=file, key=part),
            expected=wanted,
            observed=seen.get(part),
            holds=seen.get(part) == wanted,
            bound_from=where("digests", part),
        )


def tokenizer_digests(artifact: Artifact) -> dict[str, str | None]:
    """Digests of tokens, merges, added tokens, special ids and chat template; None of what there is none."""
    held = artifact.tokenizer
    parts = _parts(held) if held is not None else {}
    if artifact.chat_template is not None:
        parts["template"] = artifact.chat_template
    return {part: _digest(parts[part]) if part in parts else None for part in TOKENIZER} if parts else {}


def _parts(held: Tokenizer) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "tokens": [held.tokens[at] for at in range(held.used)],
        "added": [(one.id, one.content, one.special) for _, one in sorted(held.added.items())],
        "special": sorted((name, id) for name, (id, _) in held.special_ids.items()),
    }
    return parts | ({"merges": [list(pair) for pair in held.merges]} if held.merges is not None else {})


def _digest(value: Any) -> str:
    import json

    from blake3 import blake3

    return f"blake3:{blake3(json.dumps(value, ensure_ascii=True).encode()).hexdigest()}"


RECORDED_TENSORS = static(RecordedTensorsParameters, recorded_tensors)
RECORDED_MOMENTS = static(RecordedMomentsParameters, recorded_moments, reads_values=True)
RECORDED_KEYS = static(RecordedKeysParameters, recorded_keys)
RECORDED_TOKENIZER = static(RecordedTokenizerParameters, recorded_tokenizer)
