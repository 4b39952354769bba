"""Owns the arrays of a tokenizer as GGUF and .apr keep them, made of a tokenizer.json and what scores its pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from model_contracts.anatomy.tokenizers.scored_merges import NoOrder, scores_of
from model_contracts.anatomy.tokenizers.tokenizer_kinds import (
    BYTE,
    CONTROL,
    NORMAL,
    SPACE,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    is_byte,
)
from model_contracts.converters.interface import ConversionRefused, Pieces

#: What llama.cpp's converter writes for added tokens and for ids without a token (conversion/base.py).
_ADDED_SCORE, _NO_SCORE = -1000.0, -10000.0
#: How tokens are written that steer, whatever a file calls them (conversion/base.py, does_token_look_special).
_LOOKS = (("<|", "|>"), ("<\uff5c", "\uff5c>"), ("<unused", ">"))
#: The largest number of 32 bits.
_LARGEST = 3.4028234663852886e38
_SCORED = ("sentencepiece", "sentencepiece-merges", "unigram")
_CALLED = ("<pad>", "<mask>", "<2mass>", "[@BOS@]")


@dataclass(frozen=True, slots=True)
class Arrays:
    """Tokens by id (None: no token has it), ggml types, merges with a space between two tokens, and scores.

    The tokens of WordPiece are those of Hugging Face: `##x` continues a word.
    """

    tokens: list[str | None]
    types: list[int]
    merges: list[str] | None
    scores: list[float] | None = None
    kind: str = "byte-level"

    def filled(self, filler: str) -> list[str]:
        """The tokens, each id without one named by `filler` (`{id}` stands for the id)."""
        return [filler.format(id=at) if token is None else token for at, token in enumerate(self.tokens)]


_NOTHING = Pieces()


def arrays_of(tokenizer: dict[str, Any], rows: int, kind: str | None, pieces: Pieces = _NOTHING) -> Arrays:
    """The arrays of a tokenizer.json of a kind, as long as the embedding has rows. Raises ConversionRefused."""
    model = tokenizer.get("model")
    if kind is None or not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list):
        word = model.get("type") if isinstance(model, dict) else None
        raise ConversionRefused(f"the tokenizer is {word or 'none'} of a kind that GGUF and .apr have no form for")
    tokens: list[str | None] = [None] * rows
    types = [UNUSED] * rows
    scores: Sequence[float] = _vocabulary(tokens, types, model["vocab"])
    added = {_place(tokens, one.get("content"), one.get("id")): one for one in _entries(tokenizer)}
    merges = joined(model.get("merges") or [])
    if kind == "sentencepiece":
        scores = _scores(tokens, merges, pieces, set(added))
    if kind in ("sentencepiece", "unigram"):
        scores = _padded(scores, rows, {at for at in added if at >= len(scores) or at in pieces.listed})
    _types(types, tokens, model, kind, pieces)
    _added(types, tokens, added, kind, pieces)
    _holdable(tokens, scores)
    return Arrays(
        tokens,
        types,
        merges if kind in ("byte-level", "sentencepiece-merges") else None,
        list(scores) if kind in ("sentencepiece", "unigram") else None,
        kind,
    )


def _entries(tokenizer: dict[str, Any]) -> list[dict[str, Any]]:
    entries = tokenizer.get("added_tokens") or []
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise ConversionRefused("the tokenizer has added tokens that are no objects")
    return entries


def _vocabulary(tokens: list[str | None], types: list[int], vocab: dict[str, Any] | list[Any]) -> list[float]:
    """Place every token of the model; the scores of a list of pieces."""
    if isinstance(vocab, list):
        if not all(isinstance(one, list) and len(one) == 2 and type(one[1]) in (int, float) for one in vocab):
            raise ConversionRefused("the tokenizer has pieces that are not a token and its score each")
        for at, (token, _) in enumerate(vocab):
            types[_place(tokens, token, at)] = NORMAL
        return [float(score) for _, score in vocab]
    if list(vocab.values()) == list(range(len(vocab))) and len(vocab) <= len(tokens):  # in order, as almost all are
        tokens[: len(vocab)], types[: len(vocab)] = vocab, [NORMAL] * len(vocab)
    else:
        for token, at in vocab.items():
            types[_place(tokens, token, at)] = NORMAL
    return []


def _place(tokens: list[str | None], token: object, at: object) -> int:
    if not isinstance(token, str) or not isinstance(at, int) or isinstance(at, bool) or at < 0:
        raise ConversionRefused(f"the tokenizer gives {token!r} the id {at!r}")
    if at >= len(tokens):
        rows = len(tokens)
        raise ConversionRefused(f"the tokenizer gives {token!r} the id {at:,}, and the embedding has {rows:,} rows")
    tokens[at] = token
    return at


def _holdable(tokens: Sequence[str | None], scores: Sequence[float]) -> None:
    """Raises ConversionRefused where a token is no text, or 32 bits hold a score not."""
    try:
        "".join(token for token in tokens if token is not None).encode()
    except UnicodeEncodeError as error:
        raise ConversionRefused(f"the tokenizer has a token that is no text: {error.reason}") from None
    if (bad := next((score for score in scores if not abs(score) <= _LARGEST), None)) is not None:
        raise ConversionRefused(f"the tokenizer has the score {bad!r}, which 32 bits do not hold")


def _types(types: list[int], tokens: list[str | None], model: dict[str, Any], kind: str, pieces: Pieces) -> None:
    """Types as a SentencePiece model, or the container that the tokenizer came from, has them; else by their looks."""
    if pieces.types is not None:
        for at, one in enumerate(pieces.types[: len(types)]):
            same = tokens[at] is not None and at < len(pieces.tokens) and pieces.tokens[at] == tokens[at]
            if same and one in (UNKNOWN, CONTROL, UNUSED, BYTE):
                types[at] = one
    elif kind in _SCORED:
        bytewise = model.get("byte_fallback") is True
        for at, token in enumerate(tokens):
            if token is not None and (at == model.get("unk_id") or token == model.get("unk_token")):
                types[at] = UNKNOWN
            elif bytewise and is_byte(token):
                types[at] = BYTE


def _added(
    types: list[int], tokens: list[str | None], added: dict[int, dict[str, Any]], kind: str, pieces: Pieces
) -> None:
    """The types of added tokens; one of a scored vocabulary that is cut from texts holds plain spaces."""
    for at, one in added.items():
        if kind in _SCORED and at not in pieces.listed and types[at] in (UNKNOWN, CONTROL):
            continue
        text = one["content"]
        steers = one.get("special") is True or text in _CALLED
        steers = steers or any(text.startswith(opens) and text.endswith(closes) for opens, closes in _LOOKS)
        types[at] = CONTROL if steers else USER_DEFINED
        if kind in _SCORED and not steers:
            tokens[at] = text.replace(SPACE, " ")


def _padded(scores: Sequence[float], rows: int, added: set[int]) -> list[float]:
    padded = [*scores[:rows], *[_NO_SCORE] * (rows - len(scores))]
    for at in added:
        padded[at] = _ADDED_SCORE
    return padded


def _scores(tokens: Sequence[str | None], merges: list[str], pieces: Pieces, added: set[int]) -> Sequence[float]:
    """The scores of a SentencePiece model, held to the tokens of tokenizer.json; without one, those of its merges."""
    if pieces.scores is not None:
        for at, (piece, token) in enumerate(zip(pieces.tokens, tokens, strict=False)):
            if token is not None and piece != token and at not in added:
                raise ConversionRefused(f"id {at} is {token!r} in tokenizer.json and {piece!r} where its scores stand")
        return pieces.scores
    ids = {token: at for at, token in enumerate(tokens) if token is not None and at not in added}
    try:
        made = scores_of(ids, [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)])
    except NoOrder as none:
        raise ConversionRefused(f"no scores stand for its merges: {none}; give its tokenizer.model beside it") from None
    last = max((at for at, token in enumerate(tokens) if token is not None), default=-1)
    return [made.get(token or "", 0.0) for token in tokens[: last + 1]]


def joined(merges: Any) -> list[str]:
    """Merges as "left right", whether tokenizer.json keeps them so or as pairs."""
    kinds = set(map(type, merges)) if isinstance(merges, list) else {type(merges)}
    if kinds <= {str}:
        return list(merges)
    pairs = kinds <= {list} and set(map(len, merges)) <= {2}
    if not pairs or not set(map(type, chain.from_iterable(merges))) <= {str}:
        raise ConversionRefused("the tokenizer has merges that are not two tokens each")
    together = list(map(" ".join, merges))
    # Looked at in one text, because there are hundreds of thousands.
    if "".join(together).count(" ") != len(together):
        bad = next(merge for merge in merges if " " in merge[0] or " " in merge[1])
        raise ConversionRefused(f"the merge {bad!r} holds a space, which GGUF and .apr keep between its halves")
    return together
