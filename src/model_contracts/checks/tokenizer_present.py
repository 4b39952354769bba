"""Kind `tokenizer_present`: an artifact that is to be run carries its tokenizer."""

from __future__ import annotations

from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, missing_input
from model_contracts.outcome import Comparison, Place, Uncompared

_EXPECTED = {
    "gguf": "tokenizer.ggml.tokens in the file",
    "apr": "tokenizer.vocabulary in the metadata",
    "safetensors": "tokenizer.json beside the weights",
}


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
    if tokenizer is None and artifact.format == "safetensors" and artifact.layout == "file":
        raise missing_input("no tokenizer.json lies beside the weights")
    size = sum(token is not None for token in tokenizer.tokens) if tokenizer else 0
    yield Comparison(
        measure="tokenizer_present",
        place=Place(file=tokenizer.origin.name if tokenizer else artifact.path.name),
        expected=_EXPECTED[artifact.format],
        observed=f"{size:,} tokens" if size else None,
        holds=size > 0,
        note=None if size else "without it no runtime turns text into token ids, and a conversion cannot invent it",
    )
