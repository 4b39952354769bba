"""Owns the contract that the next version of a model is held to: what the model is, as YAML that a person reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination
from model_contracts.checks.static.custom.recorded import tokenizer_digests
from model_contracts.checks.static.custom.recorded_names import is_pattern, names_of, patterns_of
from model_contracts.contract import Contract
from model_contracts.definitions import load_families, load_recipes
from model_contracts.definitions.tree import MAX_BYTES, parse
from model_contracts.definitions.typed import build
from model_contracts.engine.plan import UsageError
from model_contracts.formats.opening import open_artifact
from model_contracts.sweep.apart import start
from model_contracts.sweep.interface import Moments
from model_contracts.version import version

#: Keys that say how a file was made, and not what the model is; those of GGUF that name people and places.
_NOT_THE_MODEL = ("transformers_version", "_name_or_path", "torch_dtype_original", "_commit_hash")
_OF_GGUF = ("general.architecture", "general.file_type", "general.alignment", "general.quantization_version")
_TOKENIZER_KEYS = ("tokenizer.ggml.", "tokenizer.chat_template")
#: Entries of a list under a key that are recorded, and characters of text.
_LONGEST_LIST, _LONGEST_TEXT = 512, 300
#: Moments are written with five digits.
_DIGITS = 5


def recorded(path: Path, progress: Any = None) -> str:
    """The YAML of a contract for the model at a path.

    Raises Unreadable for what cannot be opened, and UsageError for a model that cannot be read, or names its tensors
    so that a contract of 1 MiB does not hold them.
    """
    artifact = open_artifact(path)
    if not artifact.readable or not artifact.tensors:
        raise UsageError(f"{path}: there is nothing to record (contracts check says why)")
    if any(is_pattern(name) for name in artifact.tensors):
        raise UsageError(f"{path}: a tensor is called as a range of names is written, {{0-3}}: nothing is recorded")
    sweeper = partial(start, progress=progress)
    examination = Examination(artifact, None, load_families(), load_recipes(), sweeper)
    text = "\n".join(_lines(artifact, examination.sweep.moments)) + "\n"
    if len(text.encode()) > MAX_BYTES:
        text = "\n".join(_lines(artifact, {})) + "\n"
    _refuse_unread(path, text, artifact)
    return text


def _refuse_unread(path: Path, text: str, artifact: Artifact) -> None:
    """Raises UsageError for a contract that does not say again what was recorded."""
    if len(text.encode()) > MAX_BYTES:
        raise UsageError(f"{path}: its tensors do not fit in a contract of {MAX_BYTES:,} bytes")
    contract = build(Contract, parse(text.encode(), str(path)))
    groups: Any = contract.clauses[0].parameters["tensors"]
    assert sorted(name for group in groups for name in names_of(group["names"])) == sorted(artifact.tensors)


def _lines(artifact: Artifact, moments: Mapping[str, Moments]) -> Iterator[str]:
    name = _text(artifact.name)
    yield f"# What the next version of {name} is held to: `contracts check PATH --contract FILE`, or without --contract"
    yield "# where this file is called contracts.yaml and lies in the model's folder or above it."
    yield f"# Written by contracts init {version()} from a model that was known to be good. Take out what may change."
    yield f"id: {name}"
    yield f"title: {_text(f'What the next {artifact.name} is held to')}"
    yield "extends: [default]"
    yield "clauses:"
    yield from _tensors(artifact)
    yield from _moments(artifact, moments)
    yield from _keys(artifact)
    yield from _tokenizer(artifact)


def _clause(gate: str, comments: Iterable[str]) -> Iterator[str]:
    yield ""
    yield from (f"  # {comment}" for comment in comments)
    yield "  - invariant: recorded"
    yield f"    gates: [{gate}]"
    yield "    parameters:"


def _tensors(artifact: Artifact) -> Iterator[str]:
    alike: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for tensor in artifact.tensors.values():
        alike.setdefault((tensor.dtype, tensor.shape), []).append(tensor.name)
    said = f"{len(artifact.tensors):,} tensors: names, types and shapes (row-major); {{0-3}} stands for each of 0 to 3."
    yield from _clause("G0-RECORDED-001", [said, "Of another name, and missing, falsifies."])
    yield "      tensors:"
    for (dtype, shape), names in alike.items():
        for pattern in patterns_of(names):
            yield f"        - {{names: {_text(pattern)}, type: {dtype}, shape: {list(shape)}}}"


def _moments(artifact: Artifact, moments: Mapping[str, Moments]) -> Iterator[str]:
    known = {name: seen for name in artifact.tensors if (seen := moments.get(name)) is not None and seen.finite}
    left = len(artifact.tensors) - len(known)
    if not known:
        yield f"\n  # Moments of {left:,} tensors are not recorded: nothing decodes them, or they do not fit in 1 MiB."
        return
    said = ["Mean and population deviation of each tensor, in the order of the names.", *_left(left)]
    said.append("slack: the deviation may be off by that share of itself, the mean by that many deviations.")
    yield from _clause("G0-RECORDED-002", said)
    yield "      slack: {std: 0.1, mean: 0.1}"
    yield "      moments:"
    for pattern in patterns_of(known):
        names = list(names_of(pattern))
        yield f"        - names: {_text(pattern)}"
        for what in ("mean", "std"):
            numbers = " ".join(f"{getattr(known[name], what):.{_DIGITS}g}" for name in names)
            yield f'          {what}: "{numbers}"'


def _left(count: int) -> list[str]:
    return [f"{count:,} tensors have none: nothing decodes their values."] if count else []


def _keys(artifact: Artifact) -> Iterator[str]:
    form = artifact.form
    document = (artifact.config or {}) if form.beside else artifact.metadata
    found = dict(_flat(document, "", form.beside))
    if not found:
        return
    where = "config.json" if form.beside else f"the metadata of {artifact.format}"
    yield from _clause("G0-RECORDED-003", [f"What {where} declares."])
    yield "      keys:"
    for key, value in found.items():
        yield f"        {_text(key)}: {json.dumps(value, ensure_ascii=True, allow_nan=False)}"


def _flat(document: Mapping[str, Any], before: str, beside: bool) -> Iterator[tuple[str, Any]]:
    """Keys with plain values, those of objects in objects with dots between them."""
    for key, value in document.items():
        path = f"{before}{key}"
        if key in _NOT_THE_MODEL or path.startswith(_TOKENIZER_KEYS):
            continue
        if not beside and path.startswith("general.") and path not in _OF_GGUF:
            continue
        if isinstance(value, Mapping) and beside and "." not in key and path.count(".") < 4:
            yield from _flat(value, f"{path}.", beside)
        elif _plain(value) and _plain(path) and path.isprintable():
            yield path, value


def _plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return 0 < len(value) <= _LONGEST_LIST and all(_plain(one) and not isinstance(one, list) for one in value)
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT and value.isprintable()
    return isinstance(value, bool | int | float) and -1e308 < value < 1e308


def _tokenizer(artifact: Artifact) -> Iterator[str]:
    digests = tokenizer_digests(artifact)
    if not digests:
        return
    yield from _clause("G0-RECORDED-004", ["Digests of what the tokenizer is made of; null: the model has none of it."])
    yield "      digests:"
    for part, digest in digests.items():
        yield f"        {part}: {digest or 'null'}"


def _text(text: str) -> str:
    """Text as YAML, on one line, whatever is in it."""
    return json.dumps(text, ensure_ascii=not text.isprintable())
