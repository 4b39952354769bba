"""Owns tokenizer.json without the tables that arrays give back, as it is carried through GGUF and .apr."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from model_contracts.anatomy.tokenizers.scored_merges import Merge, NoOrder, Tie, merges_of
from model_contracts.converters.tokenizer_arrays import Arrays

_TIES: tuple[Tie, ...] = ("lengths", "ids")
_PACKED = "model_contracts"
#: The most tokens whose own text is carried because the arrays hold another.
_MOST_OTHERS = 10_000


def pack(tokenizer: dict[str, Any], arrays: Arrays) -> dict[str, Any]:
    """tokenizer.json without vocabulary and merges, where the arrays give them back; else all of it."""
    model = tokenizer["model"]
    vocab = model["vocab"]
    if isinstance(vocab, list):
        return _pack_scored(tokenizer, arrays)
    others = {at: token for token, at in vocab.items() if arrays.tokens[at] != token}
    if len(others) > _MOST_OTHERS or len(set(vocab.values())) != len(vocab):
        return tokenizer
    note: dict[str, Any] = {"ids": _ranges(sorted(vocab.values())), "keys": list(model)}
    if others:
        note["others"] = [[at, token] for at, token in others.items()]
    out = {"vocab"}
    if (merges := model.get("merges")) is not None and (told := _merges_in(arrays, merges)):
        note |= told
        out.add("merges")
    return _without(tokenizer, out, note)


def _without(tokenizer: dict[str, Any], out: set[str], note: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in tokenizer["model"].items() if key not in out}
    return {**tokenizer, "model": rest, _PACKED: note}


def _merges_in(arrays: Arrays, merges: list[Any]) -> dict[str, Any]:
    """How merges come back: from their array, or from the scores; nothing where they do not."""
    pairs = bool(merges) and not isinstance(merges[0], str)
    if arrays.merges is not None:
        return {"pairs": pairs}
    for then in _TIES:
        if (made := _from_scores(arrays, then)) is not None and _as_stored(made, pairs) == merges:
            return {"pairs": pairs, "scored": then}
    return {}


def _from_scores(arrays: Arrays, then: Tie) -> list[Merge] | None:
    ids = {token: at for at, token in enumerate(arrays.tokens) if token is not None}
    try:
        return merges_of(ids, arrays.scores, then) if arrays.scores is not None else None
    except (NoOrder, IndexError):
        return None


def _as_stored(merges: Sequence[Merge], pairs: bool) -> list[Any]:
    return [list(pair) if pairs else " ".join(pair) for pair in merges]


def _pack_scored(tokenizer: dict[str, Any], arrays: Arrays) -> dict[str, Any]:
    """Without the pieces, where their scores are numbers of 32 bits, as GGUF keeps them."""
    vocab, scores = tokenizer["model"]["vocab"], arrays.scores or ()
    others = []
    for at, (token, score) in enumerate(vocab):
        kept = struct.unpack("<f", struct.pack("<f", scores[at]))[0] if abs(scores[at]) < 3e38 else None
        if token != arrays.tokens[at] or score != kept or type(score) is not float:
            others.append([at, token, score])
    if len(others) > _MOST_OTHERS:
        return tokenizer
    return _without(tokenizer, {"vocab"}, {"pieces": len(vocab), "others": others, "keys": list(tokenizer["model"])})


def unpack(packed: dict[str, Any], arrays: Arrays) -> dict[str, Any] | None:
    """The inverse of `pack`; None where the two do not belong together."""
    note = packed.get(_PACKED)
    if not isinstance(note, dict):
        return packed
    try:
        parts = {**packed["model"], **_parts(note, arrays)}
        model = {key: parts[key] for key in note["keys"]}
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    return {key: model if key == "model" else value for key, value in packed.items() if key != _PACKED}


def _parts(note: dict[str, Any], arrays: Arrays) -> dict[str, Any]:
    """Vocabulary and merges. Raises ValueError and others where the arrays lack what the note names."""
    others = {one[0]: one[1:] for one in note.get("others", ())}
    size = len(arrays.tokens)
    if "pieces" in note:
        kept = zip(arrays.tokens, arrays.scores or (), strict=False)
        pieces = [list(others.get(at, pair)) for at, pair in zip(range(note["pieces"]), kept, strict=False)]
        if len(pieces) != note["pieces"] or any(token is None for token, _ in pieces):
            raise ValueError("fewer pieces than were packed")
        return {"vocab": pieces}
    ids = [at for start, stop in note["ids"] for at in range(start, min(stop, size))]
    vocab = {(others[at][0] if at in others else arrays.tokens[at]): at for at in ids}
    if None in vocab:
        raise ValueError("an id without its token")
    if "pairs" not in note:
        return {"vocab": vocab}
    then = next((tie for tie in _TIES if tie == note.get("scored")), None)
    if then is None:
        merges = [merge.split(" ", 1) if note["pairs"] else merge for merge in arrays.merges or ()]
    elif (made := _from_scores(arrays, then)) is None:
        raise ValueError("scores that make no merges")
    else:
        merges = _as_stored(made, note["pairs"])
    return {"vocab": vocab, "merges": merges}


def _ranges(ids: list[int]) -> list[list[int]]:
    """Sorted numbers as [first, one past the last]."""
    ranges: list[list[int]] = []
    for at in ids:
        if ranges and ranges[-1][1] == at:
            ranges[-1][1] = at + 1
        else:
            ranges.append([at, at + 1])
    return ranges
