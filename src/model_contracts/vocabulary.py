"""Owns vocabularies as checks see them, whatever container carries them: tokens, merges, flags, scores. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class AddedToken:
    """A token outside the merges: matched before the pre-tokenizer."""

    id: int
    content: str
    special: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False
    single_word: bool = False


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary with its merges and flags, from whichever container carries it.

    `tokens[id]` is the token's text as stored (byte-level text stays encoded), None where no token has that id.
    """

    origin: Path
    #: "BPE", "Unigram", "WordPiece", "WordLevel"; GGUF's gpt2 is BPE, its llama is SPM.
    algorithm: str
    tokens: Sequence[str | None]
    merges: Sequence[tuple[str, str]] | None
    added: Mapping[int, AddedToken] = field(default_factory=dict)
    #: ggml token types (1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte); None where not stored.
    token_types: Sequence[int] | None = None
    scores: Sequence[float] | None = None
    #: bos, eos, unk, pad … as the tokenizer's own container declares them, with the key they stand under.
    special_ids: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    add_bos: bool | None = None
    add_eos: bool | None = None
    #: llama.cpp's name of the pre-tokenizer, where declared (GGUF, .apr).
    pre: str | None = None
    #: Ids given to more than one token, or tokens given more than one id, as stored: (token, first id, second id).
    duplicates: tuple[tuple[str, int, int], ...] = ()
    #: What the container writes at ids that no token has (`tokens[id]` is None there): [PAD151665], <unk>.
    fillers: Mapping[int, str] = field(default_factory=dict)
    #: The sections of tokenizer.json as they stand (normalizer, pre_tokenizer …), `model` without its tables; None
    #: where the container keeps no such sections.
    sections: Mapping[str, Any] | None = None
    #: How the container says that text is treated before it is cut: add_space_prefix, remove_extra_whitespaces,
    #: lowercase (booleans), precompiled_charsmap (bytes); only what it declares.
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many ids the container lists, those of padding among them."""
        return len(self.tokens)

    @cached_property
    def used(self) -> int:
        """One more than the highest id that a token has: the ids from there on are padding."""
        return next((at + 1 for at in range(len(self.tokens) - 1, -1, -1) if self.tokens[at] is not None), 0)

    def unused(self, at: int) -> bool:
        """Whether the container gives an id the ggml type UNUSED (5)."""
        return self.token_types is not None and at < len(self.token_types) and self.token_types[at] == 5

    def stored(self, at: int) -> str | None:
        """What the container writes at an id, be it a token or the name of padding; None past its last id."""
        return (self.tokens[at] if self.tokens[at] is not None else self.fillers.get(at)) if at < self.size else None

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """Token text to id (the first id wins)."""
        last = len(self.tokens) - 1
        ids: dict[str | None, int] = dict(zip(reversed(self.tokens), range(last, -1, -1), strict=True))
        ids.pop(None, None)
        return ids  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class SentencePiece:
    """A SentencePiece model: pieces by id, each with its score and type, and how it treats text before it is cut."""

    origin: Path
    pieces: Sequence[str]
    scores: Sequence[float]
    #: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte: ggml's numbers are these.
    types: Sequence[int]
    #: "Unigram" or "BPE" ("Word", "Char": nothing converts them).
    algorithm: str
    #: add_space_prefix, remove_extra_whitespaces (booleans), precompiled_charsmap (bytes), as `Tokenizer.options`.
    options: Mapping[str, Any]
    #: unk, bos, eos, pad: the ids that it was trained with; a negative one says that there is none.
    special_ids: Mapping[str, int]
    #: Whether its class gives the pieces other ids (XLM-R: one more).
    shifted: bool = False
