"""Owns a pair of tokenizers as checks hold it: both sides in one form, and what is known of their kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from model_contracts.anatomy.tokenizers.tokenizer_kinds import kind_of, known, tokens_of
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination, tokenizers_of
from model_contracts.tokenization import TokenizerKind
from model_contracts.vocabulary import SentencePiece, Tokenizer


@dataclass(frozen=True)
class Sides:
    """Target and source. Where one of them is a GGUF, the other's tokens are told as that would keep them."""

    target_artifact: Artifact
    source_artifact: Artifact
    target: Tokenizer
    source: Tokenizer

    @property
    def published(self) -> tuple[Tokenizer, SentencePiece | None] | None:
        """The side that Hugging Face's files keep, with its SentencePiece model, where the other is a container."""
        ours, theirs = self._files
        if theirs and not ours:
            return self.source, self.source_artifact.sentencepiece
        if ours and not theirs:
            return self.target, self.target_artifact.sentencepiece
        return None

    @property
    def _files(self) -> tuple[bool, bool]:
        """Whether target and source are Hugging Face's files; a container may be given a tokenizer.json for its own."""
        sides = ((self.target_artifact, self.target), (self.source_artifact, self.source))
        ours, theirs = (one.form.beside or tokenizer.sections is not None for one, tokenizer in sides)
        return ours, theirs

    @property
    def stored(self) -> Tokenizer | None:
        """The side that a container keeps, where the other is published."""
        if self.published is None:
            return None
        return self.source if self.published[0] is self.target else self.target

    @property
    def in_gguf(self) -> bool:
        """Whether the container of such a pair is GGUF, whose ways are declared."""
        if self.published is None:
            return False
        stored = self.target_artifact if self.published[0] is self.source else self.source_artifact
        return stored.form.readers_assume

    @property
    def both_published(self) -> bool:
        """Whether both sides are Hugging Face's files."""
        return all(self._files)

    @cached_property
    def kinds(self) -> tuple[str | None, str | None]:
        """The kind of the target and of the source."""
        return kind_of(self.target), kind_of(self.source)

    @cached_property
    def kind(self) -> TokenizerKind | None:
        """What is known of the kind: the container's, for it says which of two ways its converter took."""
        ours, theirs = self.kinds
        stored = self.stored
        return known(theirs if stored is None or stored is self.source else ours)


def sides_of(examination: Examination) -> Sides:
    """Both tokenizers; raises Skip where either has none."""
    target, source = tokenizers_of(examination)
    pair = Sides(examination.target, examination.source_view.artifact, target, source)
    if pair.in_gguf and pair.published is not None and pair.stored is not None:
        tokens = tokens_of(pair.published[0], pair.stored, pair.kind)
        if pair.published[0] is source:
            return replace(pair, source=_with(source, tokens))
        return replace(pair, target=_with(target, tokens))
    return pair


def _with(tokenizer: Tokenizer, tokens: Sequence[str | None]) -> Tokenizer:
    return tokenizer if tokens is tokenizer.tokens else replace(tokenizer, tokens=tokens)
