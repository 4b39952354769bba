"""Owns llama.cpp's names of pre-tokenizers, recognised by the regular expressions of a tokenizer.json."""

from __future__ import annotations

from model_contracts.artifact import Tokenizer

_START = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_END = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

#: Patterns as model publishers write them in tokenizer.json, to the name llama.cpp gives them (llama-vocab.cpp).
_PATTERNS: dict[tuple[str, ...], str] = {
    (_START + r"\p{N}" + _END,): "qwen2",
    (_START + r"\p{N}{1,3}" + _END,): "llama-bpe",
}


def name_of(tokenizer: Tokenizer) -> str | None:
    """llama.cpp's name of the pre-tokenizer: as declared, or by its pattern; None where neither says."""
    if tokenizer.pre is not None:
        return tokenizer.pre
    return _PATTERNS.get(tuple(tokenizer.pre_patterns))


def patterns_of(name: str) -> tuple[str, ...] | None:
    """The regular expressions that a name stands for; None where it is not known here."""
    return next((patterns for patterns, known in _PATTERNS.items() if known == name), None)
