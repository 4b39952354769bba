"""Kind `pair_hyperparameters` (I-3): no declared value was lost, changed, or replaced by a default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from model_contracts.anatomy.hyperparameters import Declared, Number, default
from model_contracts.anatomy.view import View
from model_contracts.checks.interface import Examination, Where, family_of
from model_contracts.checks.pair_special_ids import same_special_ids
from model_contracts.converters.carried import carried
from model_contracts.outcome import Comparison, Place, Record

#: A tied flag is no converter's to keep where the container has none; G0-EMBEDDING-001 looks at what it means.
_ELSEWHERE = {"tie_word_embeddings"}


class Parameters(Record):
    """How near two declared numbers are the same."""

    relative: float = Field(1e-6, ge=0, description="GGUF keeps float32: 1e-06 is stored as 9.999999974752427e-07.")


def pair_hyperparameters(examination: Examination, parameters: Parameters, where: Where) -> Iterator[Comparison]:
    """Compare every hyper-parameter and special id that either side declares."""
    target, source = examination.view, examination.source_view
    family = family_of(source)
    said = target.architecture
    if said is not None:
        words = tuple(dict.fromkeys((*family.gguf, *family.architectures, *family.model_types)))
        yield Comparison(
            measure="architecture",
            place=said.place,
            expected=list(words),
            observed=said.name,
            holds=said.name in words,
            bound_from=family.where("gguf"),
        )
    for name in family.hyperparameters:
        if name not in _ELSEWHERE and not (name.startswith("rope_scaling") and _scaled_by_tensor(target, source)):
            yield from _compare(name, target, source, parameters, where)
    yield from same_special_ids(target, source)


def _compare(name: str, target: View, source: View, parameters: Parameters, where: Where) -> Iterator[Comparison]:
    ours, theirs = target.declared.get(name), source.declared.get(name)
    if theirs is not None and ours is not None and (theirs.enabled or ours.enabled or _same_file_kind(target, source)):
        yield _equal(name, ours, theirs, parameters, where)
    elif theirs is not None and theirs.enabled and ours is None:
        yield from _lost(name, theirs, target)
    elif ours is not None and (theirs is None or not theirs.enabled):
        yield from _invented(name, ours, source)


def _scaled_by_tensor(target: View, source: View) -> bool:
    """llama3 scaling has no GGUF key: `rope_freqs.weight` carries it, and its own gate looks at that."""
    kind, made = source.declared.get("rope_scaling_type"), target.declared.get("rope_scaling_type")
    if made is not None and made.value == "llama3" and source.artifact.format == "gguf":
        return "rope_freqs.weight" in source.by_canonical
    return kind is not None and kind.value == "llama3" and target.artifact.format == "gguf"


def _same_file_kind(target: View, source: View) -> bool:
    return target.artifact.format == source.artifact.format == "safetensors"


def _equal(name: str, ours: Declared, theirs: Declared, parameters: Parameters, where: Where) -> Comparison:
    a, b = _plain(ours.value), _plain(theirs.value)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b))
    distance = abs(a - b) / max(abs(b), 1e-300) if numbers else None
    holds = distance <= parameters.relative if distance is not None else a == b
    return Comparison(
        measure=name,
        place=ours.place,
        expected=theirs.value,
        observed=ours.value,
        holds=holds,
        tolerance=parameters.relative if numbers else None,
        smallest_passing_tolerance=distance,
        bound_from=where("relative") if numbers else None,
        note=None if holds else f"the source declares {theirs.value} at {theirs.place}",
    )


def _lost(name: str, theirs: Declared, target: View) -> Iterator[Comparison]:
    family = target.family
    parameter = family.hyperparameters.get(name) if family else None
    if _plain(theirs.value) in ("none", "default") or (name == "vocab_size" and not _owes_vocabulary(target)):
        return
    assumed: Number | None = target.numbers.get(name)
    if assumed is None and parameter is not None:
        assumed = default(parameter, target.numbers)
    keys: tuple[str, ...] = getattr(parameter, _key_of(target)) if parameter else ()
    if assumed is None and not (parameter and (parameter.owed or keys)):
        return
    arch = str(target.artifact.metadata.get("general.architecture", ""))
    says = "readers assume none" if assumed is None else f"readers assume {assumed}"
    yield Comparison(
        measure=name,
        place=Place(file=target.artifact.path.name, key=keys[0].replace("{arch}", arch) if keys else name),
        expected=theirs.value,
        observed=assumed,
        holds=_plain(assumed) == _plain(theirs.value),
        note=f"not declared: {says}; the source declares {theirs.value} at {theirs.place}",
    )


def _invented(name: str, ours: Declared, source: View) -> Iterator[Comparison]:
    if _plain(ours.value) in ("none", "default"):
        return
    assumed = source.numbers.get(name)
    if assumed is None and not ours.enabled and (not _is_number(ours.value) or _published(name, ours, source)):
        return
    yield Comparison(
        measure=name,
        place=ours.place,
        expected=assumed,
        observed=ours.value,
        holds=assumed is not None and _plain(assumed) == _plain(ours.value),
        note=None if assumed == ours.value else "the source declares none: this value was invented",
    )


def _published(name: str, ours: Declared, source: View) -> bool:
    """Whether a value that is switched off stands in the config.json that the source carries along."""
    configs = (_carried("config", source), source.artifact.metadata.get("hf_config"))
    return any(isinstance(config, dict) and config.get(name) == ours.value for config in configs)


def _carried(what: str, source: View) -> dict[str, Any] | None:
    """A file of the published model that a container of ours carries along: it has no key for all that is in it."""

    return carried(source.artifact.metadata, what)


def _owes_vocabulary(target: View) -> bool:
    return target.artifact.format != "gguf" or target.artifact.tokenizer is not None


def _key_of(view: View) -> str:
    return {"gguf": "gguf", "apr": "apr", "safetensors": "config"}[view.artifact.format]


def _plain(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
