"""Owns SentencePiece models (tokenizer.model, spiece.model): a bounded reading of their protocol buffer."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from model_contracts.formats.documents import NotJson, collector_paused, read_whole
from model_contracts.formats.interface import Bytes, Unreadable
from model_contracts.formats.source import FileBytes
from model_contracts.ledger import Ledger
from model_contracts.outcome import Place
from model_contracts.vocabulary import SentencePiece

#: The largest published models take some 5 MB and hold some 260,000 pieces.
FILE_BOUND, PIECES_BOUND = 48 << 20, 1 << 20
_ALGORITHMS = {1: "Unigram", 2: "BPE", 3: "Word", 4: "Char"}
#: Fields of ModelProto, SentencePiece, TrainerSpec and NormalizerSpec (google/sentencepiece sentencepiece_model.proto).
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_TEXT, _SCORE, _TYPE = 1, 2, 3
_MODEL_TYPE, _IDS = 3, {40: "unk", 41: "bos", 42: "eos", 43: "pad"}
_CHARSMAP, _PREFIX, _WHITESPACES = 2, 3, 4
_TYPES = range(1, 7)


class NotSentencePiece(NotJson):
    """The bytes are no SentencePiece model that this program reads."""


def read_sentencepiece(path: Path, ledger: Ledger) -> SentencePiece | None:
    """The model at a path. None where there is none to be had: the ledger says why, under `format`."""
    place = Place(file=path.name)
    try:
        with FileBytes(path) as source, collector_paused():
            model = sentencepiece_of(source)
    except NotJson as refused:
        place = Place(file=path.name, offset=refused.offset)
        expected, observed = refused.expected, refused.observed
    except Unreadable as refused:
        expected, observed = "a file that can be read", str(refused)
    else:
        ledger.compare("format", "sentencepiece_model", True)
        return model
    ledger.compare("format", "sentencepiece_model", False, expected=expected, observed=observed, place=place)
    return None


def sentencepiece_of(source: Bytes) -> SentencePiece:
    """Parse a model. Raises NotJson (NotSentencePiece) for what it is not, Unreadable where the disk fails."""
    data = read_whole(source, FILE_BOUND)
    pieces: list[str] = []
    scores: list[float] = []
    types: list[int] = []
    algorithm, ids = "Unigram", {"unk": 0, "bos": 1, "eos": 2, "pad": -1}
    options: dict[str, object] = {
        "add_space_prefix": True,
        "remove_extra_whitespaces": True,
        "precompiled_charsmap": b"",
    }
    for field, value, at in _fields(data, 0, len(data)):
        if field == _PIECES and isinstance(value, tuple):
            if len(pieces) >= PIECES_BOUND:
                raise NotSentencePiece(f"at most {PIECES_BOUND:,} pieces (a bound of this reader)", "more", at)
            text, score, kind = _piece(data, *value)
            pieces.append(text)
            scores.append(score)
            types.append(kind)
        elif field == _TRAINER and isinstance(value, tuple):
            algorithm = _trainer(data, *value, ids)
        elif field == _NORMALIZER and isinstance(value, tuple):
            _normalizer(data, *value, options)
    if not pieces:
        raise NotSentencePiece("a SentencePiece model", "no pieces in it", 0)
    return SentencePiece(source.path, pieces, scores, types, algorithm, options, ids)


#: A number, or where bytes begin and end.
_Value = int | float | tuple[int, int]


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, _Value, int]]:
    """Field number, value and offset of each field between two offsets."""
    while at < end:
        begin = at
        key, at = _varint(data, at, end)
        field, wire = key >> 3, key & 7
        value: _Value
        if wire == 0:
            value, at = _varint(data, at, end)
        elif wire == 2:
            length, at = _varint(data, at, end)
            value, at = (at, at + length), at + length
        elif wire == 5:
            value, at = (struct.unpack_from("<f", data, at)[0] if at + 4 <= end else 0.0), at + 4
        elif wire == 1:
            value, at = 0, at + 8
        else:
            raise NotSentencePiece("a protocol buffer", f"wire type {wire}", begin)
        if at > end or not field:
            raise NotSentencePiece("a protocol buffer", "a field that ends past its message", begin)
        yield field, value, begin


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise NotSentencePiece("a protocol buffer", "a number without its end", at)


def _piece(data: bytes, at: int, end: int) -> tuple[str, float, int]:
    text, score, kind = "", 0.0, 1
    for field, value, begin in _fields(data, at, end):
        if field == _TEXT and isinstance(value, tuple):
            try:
                text = data[slice(*value)].decode()
            except UnicodeDecodeError as error:
                raise NotSentencePiece("UTF-8 in a piece", error.reason, value[0]) from None
        elif field == _SCORE and isinstance(value, float):
            score = value
        elif field == _TYPE and isinstance(value, int):
            if value not in _TYPES:
                raise NotSentencePiece("a type from 1 to 6", value, begin)
            kind = value
    return text, score, kind


def _trainer(data: bytes, at: int, end: int, ids: dict[str, int]) -> str:
    algorithm = "Unigram"
    for field, value, begin in _fields(data, at, end):
        if field == _MODEL_TYPE:
            if value not in _ALGORITHMS:
                raise NotSentencePiece("a model type from 1 to 4", value, begin)
            algorithm = _ALGORITHMS[int(value)]
        elif field in _IDS and isinstance(value, int):
            ids[_IDS[field]] = value - (1 << 64) if value >> 63 else value
    return algorithm


def _normalizer(data: bytes, at: int, end: int, options: dict[str, object]) -> None:
    for field, value, _ in _fields(data, at, end):
        if field == _CHARSMAP and isinstance(value, tuple):
            options["precompiled_charsmap"] = data[slice(*value)]
        elif field == _PREFIX:
            options["add_space_prefix"] = bool(value)
        elif field == _WHITESPACES:
            options["remove_extra_whitespaces"] = bool(value)
