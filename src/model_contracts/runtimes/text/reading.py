"""Owns what a tokenizer owes back: the normalised text, with added tokens as they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from model_contracts.runtimes.text.tokenizers import Encoder
from model_contracts.vocabulary import AddedToken, Tokenizer

_MARK = "\u2581"
#: White space as the `tokenizers` library sees it beside an added token.
_WHITE = "[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*"
_LOSSY = {
    "WordPiece": "a WordPiece tokenizer drops white space, so that it owes no text back",
    "WordLevel": "a WordLevel tokenizer knows whole words only, so that it owes no text back",
}


class Reading:
    """An encoder with its normaliser: texts there and back."""

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer) -> None:
        self.encoder = encoder
        #: Why the tokenizer owes no text back; None where it does.
        self.lossy = _LOSSY.get(tokenizer.algorithm)
        engine = encoder.engine
        self._normalise = engine.normalizer.normalize_str if engine.normalizer is not None else str
        added = list(tokenizer.added.values())
        self._raw = _Matcher((token, token.content) for token in added if not token.normalized)
        self._normalised = _Matcher((token, self._normalise(token.content)) for token in added if token.normalized)
        said = _said(engine)
        #: Whether the tokenizer puts a space of its own before a text, or before each part of it.
        self.spaced = any(word in said for word in ('"Metaspace"', '"Prepend"', '"add_prefix_space": true'))
        #: Whether white space is written as a mark, which reads back as a space wherever it came from.
        self._marked = _MARK in said
        #: Whether runs of white space are one, as words alone are cut.
        self._collapsed = '"WhitespaceSplit"' in said
        self._added = (
            re.compile("(" + "|".join(re.escape(token.content) for token in sorted(added, key=_longest)) + ")")
            if added
            else None
        )
        unknown = tokenizer.special_ids.get("unk", (None, ""))[0]
        self._unknown = unknown
        self._unknown_text = tokenizer.tokens[unknown] if unknown is not None and unknown < tokenizer.size else None

    def parts(self, text: str) -> Iterator[str]:
        """The text in parts: what the normaliser leaves between added tokens, and these as they are."""
        for part, added in self._raw.split(text):
            if added:
                yield part
                continue
            yield from (inner for inner, _ in self._normalised.split(self._normalise(part)))

    def round_trip(self, texts: Sequence[str]) -> list[tuple[list[int], str, str | None]]:
        """Ids, decoded text and owed text of each; the owed one is None where the vocabulary lacks a part of it."""
        many = self.encoder.encode_many(texts)
        decoded = self.encoder.decode_many(many)
        return [self._owed(*each) for each in zip(texts, many, decoded, strict=True)]

    def _owed(self, text: str, ids: list[int], decoded: str) -> tuple[list[int], str, str | None]:
        spelt = text.count(self._unknown_text) if self._unknown_text else 0
        if self._unknown is not None and ids.count(self._unknown) > spelt:
            return ids, decoded, None
        owed, told = self._plain("".join(self.parts(text))), self._plain(decoded)
        return ids, told, told if self._reads_back(owed, told) else owed

    def _plain(self, text: str) -> str:
        text = text.replace(_MARK, " ") if self._marked else text
        return " ".join(text.split()) if self._collapsed else text

    def _reads_back(self, owed: str, told: str) -> bool:
        """Whether a text is what is owed: part by part around added tokens, each one space nearer or further."""
        if owed == told or not self.spaced:
            return owed == told
        if self._collapsed:
            return owed.replace(" ", "") == told.replace(" ", "")
        ours, theirs = (self._added.split(text) if self._added else [text] for text in (told, owed))
        return len(ours) == len(theirs) and all(
            one == other or (at % 2 == 0 and _one_space_apart(one, other, at > 0, at + 1 < len(ours)))
            for at, (one, other) in enumerate(zip(ours, theirs, strict=True))
        )


def _longest(token: AddedToken) -> int:
    return -len(token.content)


def _one_space_apart(one: str, other: str, after: bool, before: bool) -> bool:
    """Whether two parts differ by one space at their start, or at their end where an added token follows."""
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    if longer == f" {shorter}" or (before and longer == f"{shorter} "):
        return True
    both = after or before
    return (
        both
        and longer.strip(" ") == shorter.strip(" ")
        and abs(_leading(one) - _leading(other)) <= 1 >= abs(_trailing(one) - _trailing(other))
    )


def _leading(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _trailing(text: str) -> int:
    return len(text) - len(text.rstrip(" "))


class _Matcher:
    """Added tokens in a text: the leftmost, and of those that start there the longest, as the library takes them."""

    def __init__(self, tokens: Iterable[tuple[AddedToken, str]]) -> None:
        longest_first = sorted(tokens, key=lambda token: -len(token[1]))
        self._contents = {f"t{at}": token.content for at, (token, _) in enumerate(longest_first)}
        patterns = (_pattern(f"t{at}", token, text) for at, (token, text) in enumerate(longest_first))
        self._found = re.compile("|".join(patterns)) if longest_first else None

    def split(self, text: str) -> Iterator[tuple[str, bool]]:
        """Parts of the text, and whether each is an added token (without the white space that it takes)."""
        at = 0
        for match in self._found.finditer(text) if self._found is not None else ():
            if match.start() > at:
                yield text[at : match.start()], False
            yield self._contents[str(match.lastgroup)], True
            at = match.end()
        if at < len(text):
            yield text[at:], False


def _pattern(name: str, token: AddedToken, text: str) -> str:
    left, right = (_WHITE if strips else "" for strips in (token.lstrip, token.rstrip))
    before, after = (r"(?<!\w)", r"(?!\w)") if token.single_word else ("", "")
    return f"(?P<{name}>{left}{before}{re.escape(text)}{after}{right})"


def _said(engine: Any) -> str:
    """How text is changed and cut before it is encoded, as the library writes it."""
    parts = (part for part in (engine.normalizer, engine.pre_tokenizer) if part is not None)
    return "\n".join(json.dumps(json.loads(part.__getstate__()), ensure_ascii=False) for part in parts)
