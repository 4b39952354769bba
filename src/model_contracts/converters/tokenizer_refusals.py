"""Owns what of a tokenizer.json neither GGUF nor .apr can say: such a tokenizer is refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_contracts.anatomy.tokenizers.tokenizer_kinds import known
from model_contracts.anatomy.tokenizers.tokenizer_sections import canonical
from model_contracts.converters.interface import ConversionRefused

#: Options of a model that must stand at what readers of GGUF do, where they change an id: option to what is done.
_OPTIONS: dict[str, dict[str, tuple[Any, ...]]] = {
    "byte-level": {"dropout": (None, 0), "continuing_subword_prefix": (None, ""), "end_of_word_suffix": (None, "")},
    "sentencepiece": {"dropout": (None, 0), "continuing_subword_prefix": (None, ""), "end_of_word_suffix": (None, "")},
    "wordpiece": {"continuing_subword_prefix": ("##",), "max_input_chars_per_word": (100,)},
}


def refuse(tokenizer: Mapping[str, Any], kind: str | None) -> None:
    """Raises ConversionRefused with the first part or option of a tokenizer.json that cannot be written."""
    about = known(kind)
    if kind is None or about is None:
        return  # the arrays are refused
    for part in _parts("normalizer", tokenizer):
        name = str(part.get("type"))[:80]
        if name not in about.normalizers:
            raise ConversionRefused(f"GGUF and .apr have no place for the normalizer {name} of a {kind} tokenizer")
    for part in _parts("pre_tokenizer", tokenizer):
        if kind == "byte-level" and part.get("add_prefix_space") is True:
            raise ConversionRefused("GGUF and .apr have no place for the space that ByteLevel puts before a text")
    model = canonical("model", tokenizer.get("model"))
    for option, done in _OPTIONS.get(kind, {}).items():
        if isinstance(model, dict) and model.get(option, done[0]) not in done:
            raise ConversionRefused(f"GGUF and .apr have no place for {option} {model[option]!r} of a {kind} tokenizer")


def _parts(section: str, tokenizer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    value = canonical(section, tokenizer.get(section))
    yield from (part for part in (value if isinstance(value, list) else [value]) if isinstance(part, dict))
