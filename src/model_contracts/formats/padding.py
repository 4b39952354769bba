"""Owns the names of padding: what converters write at ids of a vocabulary that no token has."""

from __future__ import annotations

import re
from collections.abc import Sequence

UNUSED = 5
#: llama.cpp's converter counts by id, or from 1 for SentencePiece; apr's exporter writes the second form.
_NAMES = re.compile(r"\[PAD\d{1,9}\]|<\|pad_\d{1,9}\|>")
#: What .apr's writer puts at every such id, and what its exporter makes of the second and later ones.
_UNKNOWN = re.compile(r"<unk>(_\d{1,9})?")


def names_padding(text: str | None) -> bool:
    """Whether a text is one that some converter writes where no token is. A token may be called so too."""
    return text is None or _NAMES.fullmatch(text) is not None or _UNKNOWN.fullmatch(text) is not None


def fillers(
    tokens: Sequence[str], types: Sequence[int] | None, hole: str | None, unknown: int | None
) -> dict[int, str]:
    """The ids that no token has, and what stands there.

    An id is padding where its text names padding and its type is UNUSED. Where the types say nothing of it, it is
    padding in the run of such names at the end of the vocabulary, and at every repetition of `hole` (.apr: <unk>),
    never at `unknown`, the id that the container declares for unknown text.
    """
    end = len(tokens)
    while end and end - 1 != unknown and _in_tail(tokens[end - 1], hole) and not _typed(types, end - 1):
        end -= 1
    found = {}
    seen = False
    for at, text in enumerate(tokens):
        if text[:1] not in ("[", "<"):  # nearly all of a vocabulary
            continue
        unused = types is not None and at < len(types) and types[at] == UNUSED
        if at >= end or (unused and names_padding(text)) or (text == hole and seen and at != unknown):
            found[at] = text
        seen = seen or text == hole
    return found


def _in_tail(text: str, hole: str | None) -> bool:
    return text == hole or _NAMES.fullmatch(text) is not None


def _typed(types: Sequence[int] | None, at: int) -> bool:
    """Whether the container says that a token stands there: unknown, control, user defined or byte."""
    return types is not None and at < len(types) and types[at] not in (1, UNUSED)
