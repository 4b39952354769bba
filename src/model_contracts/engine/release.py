"""Owns what a run records of an artifact beside others of one release: its label, what it lost, what it declares."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from model_contracts.anatomy.claims import claims
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination
from model_contracts.outcome import Figures
from model_contracts.vocabulary import Tokenizer

#: Declared values that are recorded, and characters of each: a longer one stands as a digest.
_KEYS, _TEXT = 128, 60
#: Keys in which the quants of one release are honestly different.
_OWN = re.compile(
    r"^(general\.(file_type|quantization_version|name|size_label|finetune)|quantize\..*|split\..*|tokenizer\..*"
    r"|GGUF\..*|quantization.*|dtype|torch_dtype|_name_or_path|transformers_version|format)$"
)
#: Numbers of a shard, and what stands between words.
_NUMBERED, _BETWEEN = re.compile(r"-\d{5}-of-\d{5}$"), "-._ "


def label_of(artifact: Artifact, examination: Examination) -> tuple[str | None, str]:
    """The recipe it names (its name's before its header's), and what its name is without it."""
    said = {claim.source: claim for claim in claims(artifact, examination.recipes)}
    name = _NUMBERED.sub("", artifact.name)
    if (named := said.get("file_name")) is not None:
        return named.label, name.replace(named.words, "").strip(_BETWEEN)
    first = next(iter(said.values()), None)
    return (first.label if first is not None else None), name


def figures_of(examination: Examination) -> Figures | None:
    """How far the weights are from their source's; None where no pair was compared."""
    pairs = examination.swept.pairs if examination.swept is not None else {}
    errors = {name: pair.relative_rmse for name, pair in pairs.items() if pair.count}
    if not errors:
        return None
    worst = max(errors, key=lambda name: (errors[name] != errors[name], errors[name]))
    return Figures(
        tensors=len(errors),
        mean_relative_rmse=sum(errors.values()) / len(errors),
        worst_relative_rmse=errors[worst],
        worst_tensor=worst,
    )


def facts_of(artifact: Artifact) -> dict[str, str]:
    """What the files of one release share, as short text: template, tokenizer, tensors, declared values."""
    tensors = sorted((tensor.name, *tensor.shape) for tensor in artifact.tensors.values())
    facts = {
        "chat template": _digest(template) if (template := _template(artifact)) else "none",
        "tokenizer": _tokenizer(artifact.tokenizer),
        "names and shapes of tensors": _digest(tensors) if tensors else "none",
    }
    return facts | dict(_declared(artifact))


def _template(artifact: Artifact) -> str | None:
    found = artifact.chat_template or artifact.metadata.get("tokenizer.chat_template")
    return found if isinstance(found, str) else None


def _tokenizer(tokenizer: Tokenizer | None) -> str:
    if tokenizer is None:
        return "none"
    special = sorted((role, token) for role, (token, _) in tokenizer.special_ids.items())
    return _digest([tokenizer.algorithm, tokenizer.pre, list(tokenizer.tokens), tokenizer.merges, special])


def _declared(artifact: Artifact) -> Iterator[tuple[str, str]]:
    """Declared values: those of config.json where it lies beside the weights, else of the header."""
    held: Mapping[str, Any] = (artifact.config or {}) if artifact.form.beside else artifact.metadata
    keys = sorted(key for key in held if isinstance(key, str) and not _OWN.match(key))
    for key in keys[:_KEYS]:
        text = held[key] if isinstance(held[key], str) else json.dumps(held[key], default=str, skipkeys=True)
        yield key[:200], text if len(text) <= _TEXT else _digest(text)


def _digest(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=repr, skipkeys=True)
    return f"sha256:{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
