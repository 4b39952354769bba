"""Kind `marked_tokens`: what ends a text or marks its turns is typed so that a reader takes it whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from model_contracts.anatomy.tokenizers.tokenizer_kinds import is_byte
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import (
    Comparisons,
    Examination,
    NoParameters,
    Where,
    not_owed,
    static,
    tokenizer_of,
)
from model_contracts.ledger import KEPT
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable
from model_contracts.vocabulary import Tokenizer

_NORMAL, _BYTE = 1, 6
_TYPES = {1: "NORMAL", 2: "UNKNOWN", 3: "CONTROL", 4: "USER_DEFINED", 5: "UNUSED", 6: "BYTE"}
#: Ids that are looked for in text whatever they look like; others only where nothing else makes their token.
_ENDS, _TURNS = ("bos", "eos"), ("eot", "eom", "cls", "sep")
#: How chat templates write markers.
_MARKER = re.compile(r"<[^\s<>{}'\"]{1,80}>|\[/?[A-Z_]{2,40}\]")
_MOST = 1_000


def marked_tokens(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the types of declared ids and of the template's markers: typed NORMAL, they fall apart into pieces."""
    artifact = examination.target
    tokenizer = tokenizer_of(artifact)
    if not artifact.form.token_types:
        raise not_owed(f".{artifact.format} keeps no token types")
    place = Place(file=tokenizer.origin.name, key="tokenizer.ggml.token_type")
    marked = dict(_marked(artifact, tokenizer))
    types = tokenizer.token_types
    if types is None:
        if marked:
            reason = "no token types are declared: readers take every token for a plain one"
            yield Uncompared(place=place, count=len(marked), reason=reason)
        return
    yield from _bytes(tokenizer, types)
    for at, role in marked.items():
        if at >= len(types):
            yield Uncompared(place=place.model_copy(update={"token": at}), reason=f"the {role} has no type")
            continue
        kind, text = int(types[at]), tokenizer.stored(at)
        holds = kind != _NORMAL
        yield Comparison(
            measure="special_token_type",
            place=Place(file=tokenizer.origin.name, key="tokenizer.ggml.token_type", token=at),
            expected="CONTROL or USER_DEFINED",
            observed=_TYPES.get(kind, str(kind)),
            holds=holds,
            note=None if holds else f"{jsonable(text)!r} is {role}: a reader splits it into pieces of text",
        )


def _marked(artifact: Artifact, tokenizer: Tokenizer) -> Iterator[tuple[int, str]]:
    """Token id to what makes it special: a declared role, or the chat template that writes it."""
    made = _Made(tokenizer)
    found: dict[int, str] = {}
    for role, (at, _) in tokenizer.special_ids.items():
        text = tokenizer.stored(at) if 0 <= at < tokenizer.size else None
        if text is None or (role not in _ENDS and (role not in _TURNS or text in made or len(text) < 3)):
            continue
        found.setdefault(at, f"declared as {role}")
    for text in list(dict.fromkeys(_MARKER.findall(artifact.chat_template or "")))[:_MOST]:
        if (index := tokenizer.ids.get(text)) is not None and text not in made:
            found.setdefault(index, "written by the chat template")
    yield from found.items()


class _Made:
    """The tokens that are made of others: a plain word may look like a marker."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._products = None if tokenizer.merges is None else set(map("".join, tokenizer.merges))

    def __contains__(self, text: str) -> bool:
        if self._products is not None:
            return text in self._products
        known = self._tokenizer.ids
        return any(text[:cut] in known and text[cut:] in known for cut in range(1, min(len(text), 256)))


def _bytes(tokenizer: Tokenizer, types: Sequence[int]) -> Iterator[Comparison]:
    """The byte tokens of a SentencePiece vocabulary: typed otherwise, they are read back as their names."""
    if tokenizer.algorithm != "SPM":
        return
    bytes_ = [at for at, text in enumerate(tokenizer.tokens[: len(types)]) if is_byte(text)]
    wrong = [at for at in bytes_ if types[at] != _BYTE]
    for at in wrong[:KEPT]:
        yield Comparison(
            measure="byte_token_type",
            place=Place(file=tokenizer.origin.name, key="tokenizer.ggml.token_type", token=at),
            expected="BYTE",
            observed=_TYPES.get(int(types[at]), str(types[at])),
            holds=False,
            note=f"{tokenizer.tokens[at]} would be written as its name",
        )
    if held := len(bytes_) - len(wrong):
        place = Place(file=tokenizer.origin.name, key="tokenizer.ggml.token_type")
        yield Comparison(measure="byte_token_type", place=place, holds=True, count=held)


MARKED_TOKENS = static(NoParameters, marked_tokens)
