"""Owns the two shapes of a tokenizer: tokenizer.json, and the arrays that GGUF and .apr keep."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

from model_contracts.converters.interface import ConversionRefused

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
_PACKED = "model_contracts"


@dataclass(frozen=True, slots=True)
class Arrays:
    """Tokens by id (None: no token has it), their ggml types, and merges as two tokens with a space between."""

    tokens: list[str | None]
    types: list[int]
    merges: list[str]

    def filled(self, filler: str) -> list[str]:
        """The tokens, each id without one named by `filler` (`{id}` stands for the id)."""
        return [filler.format(id=at) if token is None else token for at, token in enumerate(self.tokens)]


def arrays_of(tokenizer: dict[str, Any], rows: int) -> Arrays:
    """The arrays of a tokenizer.json, as long as the embedding has rows. Only byte-level BPE has this shape."""
    model = tokenizer.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict) or not byte_level(tokenizer):
        kind = model.get("type") if isinstance(model, dict) else None
        raise ConversionRefused(f"the tokenizer is {kind or 'none'} without byte-level: this converter writes BPE only")
    tokens: list[str | None] = [None] * rows
    types = [UNUSED] * rows
    vocab = model["vocab"]
    if list(vocab.values()) == list(range(len(vocab))) and len(vocab) <= rows:  # in order, as almost all are
        tokens[: len(vocab)], types[: len(vocab)] = vocab, [NORMAL] * len(vocab)
    else:
        for token, at in vocab.items():
            _place(tokens, types, token, at, NORMAL)
    for added in tokenizer.get("added_tokens") or []:
        kind = CONTROL if added.get("special") else USER_DEFINED
        _place(tokens, types, added["content"], added["id"], kind)
    merges = _merges(model.get("merges") or [])
    return Arrays(tokens, types, merges)


def byte_level(tokenizer: dict[str, Any]) -> bool:
    """Whether text becomes bytes before it is merged: GPT-2's way, which GGUF calls gpt2."""
    decoder = tokenizer.get("decoder")
    parts = decoder.get("decoders") if isinstance(decoder, dict) and decoder.get("type") == "Sequence" else [decoder]
    return any(isinstance(part, dict) and part.get("type") == "ByteLevel" for part in parts or [])


def _place(tokens: list[str | None], types: list[int], token: object, at: object, kind: int) -> None:
    if not isinstance(token, str) or not isinstance(at, int) or isinstance(at, bool) or at < 0:
        raise ConversionRefused(f"the tokenizer gives {token!r} the id {at!r}")
    if at >= len(tokens):
        raise ConversionRefused(
            f"the tokenizer gives {token!r} the id {at:,}, and the embedding has {len(tokens):,} rows"
        )
    tokens[at], types[at] = token, kind


def _merges(merges: Any) -> list[str]:
    """Merges as "left right", whether tokenizer.json keeps them so or as pairs."""
    kinds = set(map(type, merges)) if isinstance(merges, list) else {type(merges)}
    if kinds <= {str}:
        return list(merges)
    pairs = kinds <= {list} and set(map(len, merges)) <= {2}
    if not pairs or not set(map(type, chain.from_iterable(merges))) <= {str}:
        raise ConversionRefused("the tokenizer has merges that are not two tokens each")
    joined = list(map(" ".join, merges))
    # Looked at in one text, because there are hundreds of thousands.
    if "".join(joined).count(" ") != len(joined):
        bad = next(merge for merge in merges if " " in merge[0] or " " in merge[1])
        raise ConversionRefused(f"the merge {bad!r} holds a space, which GGUF and .apr keep between its halves")
    return joined


def pack(tokenizer: dict[str, Any], arrays: Arrays) -> dict[str, Any]:
    """tokenizer.json without vocabulary and merges, where the arrays give them back; else all of it."""
    model = tokenizer["model"]
    merges = model.get("merges")
    pairs = bool(merges) and not isinstance(merges[0], str)
    rest = {key: value for key, value in model.items() if key not in ("vocab", "merges")}
    note = {"ids": _ranges(sorted(model["vocab"].values())), "pairs": pairs, "keys": list(model)}
    packed = {**tokenizer, "model": rest, _PACKED: note}
    # The arrays give the merges back by how they were joined; the vocabulary unless an added token lies over it.
    whole = [arrays.tokens[at] for at in model["vocab"].values()] == list(model["vocab"])
    return packed if whole and "merges" in model else tokenizer


def unpack(packed: dict[str, Any], arrays: Arrays) -> dict[str, Any] | None:
    """The inverse of `pack`; None where the two do not belong together."""
    note = packed.get(_PACKED)
    if not isinstance(note, dict):
        return packed
    try:
        ids = [at for start, stop in note["ids"] for at in range(start, min(stop, len(arrays.tokens)))]
        vocab = {arrays.tokens[at]: at for at in ids}
        merges = [merge.split(" ", 1) for merge in arrays.merges] if note["pairs"] else list(arrays.merges)
        parts = {**packed["model"], "vocab": vocab, "merges": merges}
        model = {key: parts[key] for key in note["keys"]}
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    if None in vocab:
        return None
    return {key: model if key == "model" else value for key, value in packed.items() if key != _PACKED}


def _ranges(ids: list[int]) -> list[list[int]]:
    """Sorted numbers as [first, one past the last]."""
    ranges: list[list[int]] = []
    for at in ids:
        if ranges and ranges[-1][1] == at:
            ranges[-1][1] = at + 1
        else:
            ranges.append([at, at + 1])
    return ranges
