"""Kind `special_ids`: every special token id an artifact declares is a row of its embedding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from model_contracts.anatomy.parts import WEIGHTLESS
from model_contracts.anatomy.special_ids import special_ids
from model_contracts.anatomy.view import View
from model_contracts.checks.interface import Examination, Where, missing_input, not_owed
from model_contracts.outcome import Comparison, Place, Record, jsonable


class Parameters(Record):
    """`range`: ids against the rows of the embedding. `agreement`: end-of-sequence ids against each other."""

    compare: Literal["range", "agreement"] = "range"


def special_ids_check(examination: Examination, parameters: Parameters, where: Where) -> Iterator[Comparison]:
    """Compare each declared id with the number of embedding rows, or the declarations with each other."""
    view = examination.view
    if parameters.compare == "range":
        yield from _in_range(view)
    else:
        yield from _agreement(view)


def _in_range(view: View) -> Iterator[Comparison]:
    rows = vocabulary_rows(view)
    if rows is None:
        raise missing_input("neither an embedding nor a vocabulary says how many token ids there are")
    for name, value, place in special_ids(view.artifact):
        whole = isinstance(value, int) and not isinstance(value, bool)
        holds = whole and 0 <= value < rows
        yield Comparison(
            measure=name,
            place=place,
            expected=f"a token id below {rows:,}",
            observed=jsonable(value),
            holds=holds,
            note=None if holds else "a runtime would index past the embedding or never stop on it",
        )


def _agreement(view: View) -> Iterator[Comparison]:
    said: dict[str, set[int]] = {}
    for name, value, place in special_ids(view.artifact):
        if name == "eos_token_id" and isinstance(value, int):
            said.setdefault(place.file or "", set()).add(value)
    if len(said) < 2:
        raise not_owed("only one place declares the end of sequence")
    for file, ids in said.items():
        # Each place against all others: a chat model may end turns and texts with different ids.
        others = set().union(*(values for other, values in said.items() if other != file))
        yield Comparison(
            measure="eos_token_id",
            place=Place(file=file, key="eos_token_id"),
            expected=sorted(others),
            observed=sorted(ids),
            holds=bool(others & ids),
            note="declared by " + ", ".join(said),
        )


def vocabulary_rows(view: View) -> int | None:
    """Rows of the token embedding; the vocabulary's size where there is no embedding to count."""
    embedding = view.by_canonical.get("token_embd.weight")
    if embedding is not None and len(embedding.shape) == 2:
        return embedding.shape[0]
    size: Any = view.numbers.get("vocab_size")
    tokenizer = view.artifact.tokenizer
    if size is None and view.part.name in WEIGHTLESS and tokenizer is not None:
        return tokenizer.size  # a tokenizer alone: its ids are its own
    return size if isinstance(size, int) else None
