"""Kind `vocabulary`: no token stands for two ids, no id for two tokens, and every id has a row in the embedding."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.checks.interface import Examination, NoParameters, Where, static, tokenizer_of
from model_contracts.outcome import Comparison, Place, jsonable


def vocabulary(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare tokens with ids, and their number with the embedding's rows."""
    view = examination.view
    tokenizer = tokenizer_of(view.artifact)
    file = tokenizer.origin.name
    for token, first, second in tokenizer.duplicates:
        yield Comparison(
            measure="token_unique",
            place=Place(file=file, token=second),
            expected="one id for a token and one token for an id",
            observed=jsonable(f"{token!r} also at {first}"),
            holds=False,
        )
    present = sum(token is not None for token in tokenizer.tokens)
    if present > len(tokenizer.duplicates):
        yield Comparison(
            measure="token_unique", place=Place(file=file), holds=True, count=present - len(tokenizer.duplicates)
        )
    embedding = view.by_canonical.get("token_embd.weight")
    if embedding is not None and len(embedding.shape) == 2:
        rows = embedding.shape[0]
        yield Comparison(
            measure="embedding_rows",
            place=Place(file=file, tensor=embedding.name),
            expected=f"at least {tokenizer.size:,} rows",
            observed=rows,
            holds=rows >= tokenizer.size,
            note=None if rows >= tokenizer.size else "the last token ids have no embedding",
        )
        if view.artifact.form.counts_tokens:
            yield Comparison(
                measure="token_count",
                place=Place(file=file, key="tokenizer.ggml.tokens"),
                expected=rows,
                observed=tokenizer.size,
                holds=rows == tokenizer.size,
                note="llama.cpp takes the vocabulary's size from this list",
            )


VOCABULARY = static(NoParameters, vocabulary)
