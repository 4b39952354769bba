"""Owns prompts whose ids part as both sides declare it: no fault of a conversion, and no proof of equal answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from model_contracts.anatomy.tokenizers.tokenizer_kinds import kind_of
from model_contracts.anatomy.tokenizers.tokenizer_sections import option_of
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination
from model_contracts.checks.running.prompt_tokens import MakesPrompts, prompt_ids
from model_contracts.outcome import Place, Uncompared
from model_contracts.strategies.prompts import Framing, Prompt
from model_contracts.vocabulary import AddedToken, Tokenizer

#: What stands for a space in a SentencePiece vocabulary, and the space.
_SPACES = (" ", "\u2581")


@dataclass
class DeclaredParting:
    """Why ids of some prompts differ by what both sides declare (None: nothing does), and how many were left out."""

    reason: str | None
    added: tuple[AddedToken, ...] = ()
    left_out: Counter[Framing] = field(default_factory=Counter)

    def explains(self, prompt: Prompt, source: MakesPrompts, target: MakesPrompts) -> bool:
        """Whether the target's ids are the source's of the text with the spaces that SentencePiece puts; counts it.

        Where an added token takes white space or stands between words only, its text is left out as it is.
        """
        chat = prompt.framing == "chat"
        text = source.render(prompt.messages) if chat and self.reason is not None else prompt.text
        read = self.read(text)
        if read == text:
            return False
        told = read is None or source.tokens(read, add_special=not chat) == prompt_ids(target, prompt)
        self.left_out[prompt.framing] += told
        return told

    def uncompared(self, framing: Framing) -> Iterator[Uncompared]:
        """The prompts of a framing that were left out, with the reason."""
        if self.reason is not None and (count := self.left_out[framing]):
            yield Uncompared(place=Place(key=f"{framing} framing"), count=count, reason=self.reason)

    def read(self, text: str) -> str | None:
        """The text of which the source makes the ids that the target makes of this one; None: there is no such text.

        It has a space before the spaces that it begins with, and one behind each added token.
        """
        if self.reason is None:
            return text
        there = [token for token in self.added if token.content and token.content in text]
        if any(token.lstrip or token.rstrip or token.single_word for token in there):
            return None
        contents = sorted((re.escape(token.content) for token in there), key=len, reverse=True)
        pieces = re.split(f"({'|'.join(contents)})", text) if contents else [text]
        # Every second piece is an added token; what stands before the first one begins the text.
        return "".join(
            f" {piece}" if at % 2 == 0 and piece and (at or piece.startswith(_SPACES)) else piece
            for at, piece in enumerate(pieces)
        )


_REASON = (
    "texts that begin with a space or hold an added token: the source's Metaspace puts no space there (first), "
    "and SentencePiece does"
)


def parted_as_declared(examination: Examination) -> str | None:
    """Why some texts come out otherwise by what both sides declare; None where none does.

    Metaspace with the scheme `first` puts a space before a text only where it begins with none, and none behind an
    added token; SentencePiece, and llama.cpp after it, always do.
    """
    source = examination.source_view.artifact.tokenizer
    parts = source is not None and spaces_first(source) and spaces_always(examination.target)
    return _REASON if parts else None


def spaces_first(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer puts a space before a text only where it begins with none."""
    sections = tokenizer.sections
    return sections is not None and option_of(sections, "pre_tokenizer", "Metaspace", "prepend_scheme") == "first"


def spaces_always(target: Artifact) -> bool:
    """Whether an artifact's own runtime puts a space before every text, and behind every added token."""
    tokenizer = target.tokenizer
    if tokenizer is None or target.form.runtime != "llamacpp" or kind_of(tokenizer) != "sentencepiece":
        return False
    return tokenizer.options.get("add_space_prefix") is not False


def parting_of(tokenizer: Tokenizer) -> DeclaredParting:
    """What a tokenizer leaves to be told apart from readers that always put a space."""
    return DeclaredParting(_REASON if spaces_first(tokenizer) else None, tuple(tokenizer.added.values()))


def declared_parting(examination: Examination) -> DeclaredParting:
    """What both sides of a pair declare of the spaces before a text."""
    tokenizer = examination.source_view.artifact.tokenizer
    added = tuple(tokenizer.added.values()) if tokenizer is not None else ()
    return DeclaredParting(parted_as_declared(examination), added)
