"""Kind `tokenizer_present`: an artifact that is to be run carries its tokenizer."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.checks.interface import Examination, NoParameters, Where, missing_input
from model_contracts.outcome import Comparison, Place


def tokenizer_present(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare what is owed with what is there. A bare safetensors file owes no tokenizer, but proves none either."""
    artifact = examination.target
    tokenizer = artifact.tokenizer
    expected = {
        "gguf": "tokenizer.ggml.tokens in the file",
        "apr": "tokenizer.vocabulary in the metadata",
        "safetensors": "tokenizer.json beside the weights",
    }[artifact.format]
    if tokenizer is None and artifact.format == "safetensors" and artifact.layout == "file":
        raise missing_input("no tokenizer.json lies beside the weights")
    size = sum(token is not None for token in tokenizer.tokens) if tokenizer else 0
    yield Comparison(
        measure="tokenizer_present",
        place=Place(file=tokenizer.origin.name if tokenizer else artifact.path.name),
        expected=expected,
        observed=f"{size:,} tokens" if size else None,
        holds=size > 0,
        note=None if size else "without it no runtime turns text into token ids, and a conversion cannot invent it",
    )
