"""Kind `special_ids`: every special token id an artifact declares is a row of its embedding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from model_contracts.anatomy.parts.recognised import WEIGHTLESS
from model_contracts.anatomy.tokenizers.special_ids import special_ids, unheld_names
from model_contracts.anatomy.view import View
from model_contracts.checks.interface import Examination, Where, missing_input, not_owed, static
from model_contracts.outcome import Comparison, Place, Record, jsonable


class SpecialIdsParameters(Record):
    """`range`: ids against the rows of the embedding. `agreement`: end-of-sequence ids against each other.

    `generation`: generation_config.json, where it lies there, against the ends of sequence that others name.
    """

    compare: Literal["range", "agreement", "generation"] = "range"


def special_ids_check(examination: Examination, parameters: SpecialIdsParameters, where: Where) -> Iterator[Comparison]:
    """Compare each declared id with the number of embedding rows, or the declarations with each other."""
    view = examination.view
    if parameters.compare == "range":
        yield from _in_range(view)
    elif parameters.compare == "generation":
        yield from _generation(view)
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
    for at, (role, content) in enumerate(unheld_names(view.artifact)):
        given = view.artifact.tokenizer.size + at if view.artifact.tokenizer is not None else at
        note = f"tokenizer.json does not hold {content[:80]!r}: transformers gives it the next free id"
        yield Comparison(
            measure=f"{role}_token",
            place=Place(file="tokenizer_config.json", key=f"{role}_token"),
            expected=f"a token of the vocabulary, or a token id below {rows:,}",
            observed=given,
            holds=given < rows,
            note=note,
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


def _generation(view: View) -> Iterator[Comparison]:
    """transformers stops where generation_config.json says, and nowhere where it says nothing."""
    artifact = view.artifact
    if not artifact.form.beside or artifact.generation_config is None:
        raise not_owed("no generation_config.json lies beside the weights")
    named: dict[int, Place] = {}
    own: list[int] = []
    file = artifact.sidecars["generation_config"].path.name if "generation_config" in artifact.sidecars else None
    for name, value, place in special_ids(artifact):
        if name != "eos_token_id" or not isinstance(value, int) or isinstance(value, bool):
            continue
        if place.file == file:
            own.append(value)
        else:
            named.setdefault(value, place)
    if not named and not own:
        raise not_owed("no file beside the weights names an end of sequence")
    yield Comparison(
        measure="eos_token_id",
        place=Place(file=file or "generation_config.json", key="eos_token_id"),
        expected=sorted(named) if not own else "an end of sequence",
        observed=sorted(own) or None,
        holds=bool(own),
        count=max(len(own), 1),
        note=None if own else "generation_config.json names no end of sequence: transformers never stops",
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


SPECIAL_IDS = static(SpecialIdsParameters, special_ids_check)
