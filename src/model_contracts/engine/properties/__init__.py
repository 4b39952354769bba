"""Kinds of checks whose inputs are generated. One file a kind, one line a kind in this table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import cast

from model_contracts.engine.properties.interface import Property

#: Name to the module and the constant of a kind; what only runs with a runtime is imported only where it is asked for.
_TABLE: dict[str, tuple[str, str]] = {
    "added_token_ids": ("added_tokens", "ADDED_TOKEN_IDS"),
    "decoded_text": ("tokenizer_texts", "DECODED_TEXT"),
    "golden_answers": ("golden_agreement", "GOLDEN_ANSWERS"),
    "ids_in_range": ("tokenizer_texts", "IDS_IN_RANGE"),
    "same_continuations": ("continuations", "SAME_CONTINUATIONS"),
    "same_distributions": ("golden_rule", "SAME_DISTRIBUTIONS"),
    "same_framing": ("continuations", "SAME_FRAMING"),
    "same_prompt_tokens": ("golden_rule", "SAME_PROMPT_TOKENS"),
    "same_rendering": ("chat_templates", "SAME_RENDERING"),
    "same_token_ids": ("tokenizer_texts", "SAME_TOKEN_IDS"),
    "same_token_ids_llama_cpp": ("tokenizer_texts", "SAME_TOKEN_IDS_LLAMA_CPP"),
    "unknown_dtype_refused": ("headers", "UNKNOWN_DTYPE_REFUSED"),
}


class _Properties(Mapping[str, Property]):
    """The table, each kind imported when it is first looked up."""

    def __getitem__(self, name: str) -> Property:
        module, constant = _TABLE[name]
        return cast("Property", getattr(import_module(f"{__name__}.{module}"), constant))

    def __iter__(self) -> Iterator[str]:
        return iter(_TABLE)

    def __len__(self) -> int:
        return len(_TABLE)


PROPERTIES: Mapping[str, Property] = _Properties()
