"""Kind `tokenizer_present`: an artifact that is to be run carries its tokenizer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model_contracts.anatomy.view import View
from model_contracts.checks.interface import (
    Comparisons,
    Examination,
    NoParameters,
    Where,
    missing_input,
    not_owed,
    of_pipeline,
    static,
)
from model_contracts.outcome import Comparison, Place, Uncompared

_EXPECTED = {
    "gguf": "tokenizer.ggml.tokens in the file",
    "apr": "tokenizer.vocabulary in the metadata",
    "safetensors": "tokenizer.json beside the weights",
}


#: Tensors that have a row for every token, as checkpoints name them: the embedding of a model of text, or its head.
_ROWS_OF_TOKENS = re.compile(
    r"(^|[._])(embed_tokens|embed_in|embed_out|wte|tok_embeddings|tokens_embed|token_embedding|word_embeddings?|"
    r"word_embedding|shared|lm_head|token_embd)[._]"
)


def tokenizer_present(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare what is owed with what is there. A bare safetensors file owes no tokenizer, but proves none either.

    A tokenizer in a form that nothing here reads is there all the same.
    """
    artifact = examination.target
    tokenizer = artifact.tokenizer
    if tokenizer is None and artifact.unread_tokenizers:
        for name, why in artifact.unread_tokenizers.items():
            yield Uncompared(place=Place(file=name), reason=f"it lies there and is not read: {why}")
        return
    if tokenizer is None and of_pipeline(artifact):
        raise not_owed("this is a component of a pipeline, in which the tokenizer is another component")
    if tokenizer is None and artifact.form.beside and artifact.layout == "file":
        raise missing_input("no tokenizer.json lies beside the weights")
    if tokenizer is None and artifact.form.beside and (said := _no_words(examination.view)) is not None:
        yield Uncompared(place=Place(file=artifact.path.name), reason=said)
        return
    size = sum(token is not None for token in tokenizer.tokens) if tokenizer else 0
    yield Comparison(
        measure="tokenizer_present",
        place=Place(file=tokenizer.origin.name if tokenizer else artifact.path.name),
        expected=_EXPECTED[artifact.format],
        observed=f"{size:,} tokens" if size else None,
        holds=size > 0,
        note=None if size else "without it no runtime turns text into token ids, and a conversion cannot invent it",
    )


def _no_words(view: View) -> str | None:
    """Why a folder may owe no tokenizer (None: it owes one): a model of images or sounds has no rows of tokens."""
    sizes = {size for one in _configs(view.artifact.config or {}) if type(size := one.get("vocab_size")) is int}
    for name, tensor in view.artifact.tensors.items():
        if _ROWS_OF_TOKENS.search(name) or (len(tensor.shape) == 2 and tensor.shape[0] in sizes):
            return None
    if view.family is not None or not view.artifact.tensors:
        return None
    return "no tensor is known to have a row for every token: whether a tokenizer is owed is not known"


def _configs(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The configuration, and those of its parts (text_config …)."""
    yield config
    yield from (value for value in config.values() if isinstance(value, Mapping))


TOKENIZER_PRESENT = static(NoParameters, tokenizer_present)
