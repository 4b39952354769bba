"""Kind `same_pieces`: a SentencePiece model beside tokenizer.json gives its pieces the ids that they have there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from model_contracts.anatomy.tokenizers.tokenizer_kinds import types_of
from model_contracts.checks.interface import (
    Comparisons,
    Examination,
    NoParameters,
    Where,
    missing_input,
    not_owed,
    static,
)
from model_contracts.ledger import KEPT
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable
from model_contracts.vocabulary import SentencePiece, Tokenizer

#: Numbers of SentencePiece's types: pieces that text is cut into; the rest are names, which added tokens may replace.
_NORMAL, _BYTE = 1, 6
_NOTE = "llama.cpp's converter and slow tokenizers read this file, transformers reads tokenizer.json: ids differ"


@dataclass(frozen=True, slots=True)
class _Both:
    """Two vocabularies of one folder; `shift` is what the class adds to a piece's id."""

    model: SentencePiece
    tokenizer: Tokenizer
    tokens: list[str | None]
    shift: int

    def token(self, at: int) -> str | None:
        at += self.shift
        return self.tokens[at] if 0 <= at < len(self.tokens) else None

    def owed(self, at: int) -> bool:
        """Whether the piece must stand there: added tokens are laid over pieces, and classes place the named ones."""
        named = self.model.types[at] not in (_NORMAL, _BYTE)
        return at + self.shift not in self.tokenizer.added and not (named and (self.shift or self.token(at) is None))


def same_pieces(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare every piece with the token of its id. Tokens beyond the pieces were added, and are nobody's error."""
    artifact = examination.target
    file = artifact.pieces_file
    if file is None:
        raise not_owed("no tokenizer.json with a SentencePiece model beside it")
    model, tokenizer = artifact.pieces, artifact.tokenizer
    if model is None or tokenizer is None:
        unread = file.name if model is None else "tokenizer.json"
        raise missing_input(f"{unread} could not be read; the gates of the container say why")
    yield from _compared(model, tokenizer)


def _compared(model: SentencePiece, tokenizer: Tokenizer) -> Comparisons:
    file, tokens = model.origin.name, _texts(tokenizer)
    normal = [at for at, kind in enumerate(model.types) if kind in (_NORMAL, _BYTE)]
    ids = {token: at for at, token in enumerate(tokens) if token is not None}
    shifts = Counter(ids[model.pieces[at]] - at for at in normal if model.pieces[at] in ids)
    shift, agree = shifts.most_common(1)[0] if shifts else (0, 0)
    most = 2 * agree >= len(normal)
    if most and shift and file != "tokenizer.model" and not model.shifted:
        reason = f"its pieces stand {shift:+,} from their ids in {tokenizer.origin.name}: whether its class does that"
        yield Uncompared(place=Place(file=file), count=len(normal), reason=f"{reason} is not known")
    elif not most and model.shifted and sum(shifts.values()) * 10 >= len(normal) * 9:
        reason = f"{tokenizer.origin.name} has its pieces in an order of its own"
        yield Uncompared(place=Place(file=file), count=len(normal), reason=reason)
    elif not most:
        yield Comparison(
            measure="pieces",
            place=Place(file=file),
            expected=f"the pieces of {tokenizer.origin.name} at their ids",
            observed=f"{agree:,} of {len(normal):,} pieces",
            holds=False,
            count=max(len(normal), 1),
            note=f"it is another tokenizer's. {_NOTE}",
        )
    else:
        yield from _one_by_one(_Both(model, tokenizer, tokens, shift if model.shifted else 0))


def _one_by_one(both: _Both) -> Iterator[Comparison]:
    owed = [at for at in range(len(both.model.pieces)) if both.owed(at)]
    wrong = [at for at in owed if both.token(at) != both.model.pieces[at]]
    file = both.model.origin.name
    for number, at in enumerate(wrong[:KEPT]):
        beyond = len(wrong) - KEPT if number == KEPT - 1 else 0
        yield Comparison(
            measure="piece",
            place=Place(file=file, token=at),
            expected=jsonable(both.token(at)),
            observed=jsonable(both.model.pieces[at]),
            holds=False,
            count=1 + max(beyond, 0),
            note=f"and {beyond:,} more like it" if beyond > 0 else _NOTE,
        )
    if len(owed) > len(wrong):
        yield Comparison(measure="piece", place=Place(file=file), holds=True, count=len(owed) - len(wrong))


def _texts(tokenizer: Tokenizer) -> list[str | None]:
    """Tokens as SentencePiece spells them: a byte-level tokenizer.json spells each byte as a character."""
    if "ByteLevel" not in (*types_of(tokenizer, "pre_tokenizer"), *types_of(tokenizer, "decoder")):
        return list(tokenizer.tokens)
    return [None if token is None else _plain(token) for token in tokenizer.tokens]


def _plain(token: str) -> str:
    known = [_BYTES.get(character) for character in token]
    if None in known:
        return token
    return bytes(byte for byte in known if byte is not None).decode("utf-8", "replace").replace(" ", "▁")


def _byte_characters() -> dict[str, int]:
    """GPT-2's table: printable Latin-1 stands for itself, the other bytes in their order from U+0100."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(256 + at): byte for at, byte in enumerate(rest)}


_BYTES = _byte_characters()


SAME_PIECES = static(NoParameters, same_pieces)
