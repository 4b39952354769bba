"""Owns llama.cpp's names of pre-tokenizers, recognised by the regular expressions of a tokenizer.json."""

from __future__ import annotations

from functools import cache

from model_contracts.artifact import Tokenizer
from model_contracts.definitions import load_tokenizers
from model_contracts.tokenization import PreTokenizer


@cache
def _by_name() -> dict[str, PreTokenizer]:
    return {name: one for one in load_tokenizers().pretokenizers for name in one.names}


def named(name: str) -> PreTokenizer | None:
    """How a name cuts text; None where it is not known here."""
    return _by_name().get(name)


def name_of(tokenizer: Tokenizer) -> str | None:
    """llama.cpp's name of the pre-tokenizer: as declared, or by its patterns; None where neither says."""
    if tokenizer.pre is not None:
        return tokenizer.pre
    patterns = tuple(tokenizer.pre_patterns)
    found = [one for one in load_tokenizers().pretokenizers if one.patterns == patterns] if patterns else []
    return found[0].names[0] if found else None


def patterns_of(name: str) -> tuple[str, ...] | None:
    """The regular expressions that a name stands for; None where it is not known here."""
    known = named(name)
    return known.patterns if known is not None else None
