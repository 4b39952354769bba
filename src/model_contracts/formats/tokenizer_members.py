"""Owns the parts of a tokenizer.json that hold tokens: vocabulary, scores, merges, added tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from model_contracts.formats.documents import NotJson
from model_contracts.vocabulary import AddedToken

ID_BOUND = 4 << 20
#: Duplicates that are kept; a hostile vocabulary can hold a million.
_KEPT = 1_000
#: Flags of an added token, as tokenizer.json spells them.
FLAGS = ("special", "lstrip", "rstrip", "normalized", "single_word")

Pairs = list[tuple[str, Any]]
#: A JSON object as parsed here: a mapping, or, where it is as large as a vocabulary or holds a key twice, its pairs.
_LARGE = 64


class Members(list[tuple[str, Any]]):
    """The members of a large object, or of one with equal keys, in order."""


def members(pairs: Pairs) -> dict[str, Any] | Members:
    """An object of a document that is parsed here."""
    if len(pairs) > _LARGE:
        return Members(pairs)
    return distinct(pairs)


def distinct(pairs: Pairs) -> dict[str, Any] | Members:
    """An object of a document that is kept too: plain, unless a key stands in it twice (`tokenizer_of` sees that)."""
    members = dict(pairs)
    return members if len(members) == len(pairs) else Members(pairs)


@dataclass(slots=True)
class Vocabulary:
    """Tokens by id while they are read."""

    tokens: list[str | None]
    duplicates: list[tuple[str, int, int]] = field(default_factory=list)

    def repeated(self, token: str, first: int, second: int) -> None:
        """Keep a token that has two ids, or an id that has two tokens."""
        if len(self.duplicates) < _KEPT:
            self.duplicates.append((token, first, second))

    def place(self, token: str, at: int) -> None:
        """Put a token at its id; an id that another token holds is a duplicate."""
        if at >= len(self.tokens):
            self.tokens.extend([None] * (at + 1 - len(self.tokens)))
        held = self.tokens[at]
        if held is None:
            self.tokens[at] = token
        elif held != token:
            self.repeated(token, at, at)


def mapping(value: object, at: str) -> dict[str, Any]:
    """An object each of whose keys stands once; raises NotJson."""
    if isinstance(value, dict):
        return value
    if isinstance(value, Members):
        members = dict(value)
        if len(members) == len(value):
            return members
        raise NotJson(f"each key of {at} once", "a key twice")
    raise NotJson(f"an object as {at}", type(value).__name__)


def whole_id(value: object, at: str) -> int:
    """An id within the bound of this reader; raises NotJson."""
    if type(value) is not int or value < 0:
        raise NotJson(f"a whole number from 0 as the id of {at}", value)
    if value >= ID_BOUND:
        raise NotJson(f"an id below {ID_BOUND:,} for {at} (a bound of this reader)", value)
    return value


def mapped(vocab: object) -> Vocabulary:
    """A vocabulary that maps tokens to ids."""
    if not isinstance(vocab, dict | Members):
        raise NotJson("an object of tokens and ids, or a list, as model.vocab", type(vocab).__name__)
    # Compared over all members at once, because a vocabulary has hundreds of thousands.
    names: tuple[str, ...]
    names, ids = zip(*(vocab.items() if isinstance(vocab, dict) else vocab), strict=True) if vocab else ((), ())
    if not (set(map(type, ids)) <= {int} and _within(ids)):
        for token, value in zip(names, ids, strict=True):
            whole_id(value, repr(token[:80]))
    if ids == tuple(range(len(ids))):
        vocabulary = Vocabulary(list(names))
    else:
        vocabulary = Vocabulary([None] * (1 + max(ids, default=-1)))
        for token, at in zip(names, ids, strict=True):
            vocabulary.place(token, at)
    if isinstance(vocab, Members) and len(set(names)) < len(names):
        first: dict[str, int] = {}
        for token, at in zip(names, ids, strict=True):
            if token in first:
                vocabulary.repeated(token, first[token], at)
            first.setdefault(token, at)
    return vocabulary


def _within(values: Sequence[int]) -> bool:
    return not values or (min(values) >= 0 and max(values) < ID_BOUND)


def listed(vocab: list[Any]) -> tuple[Vocabulary, list[float]]:
    """A vocabulary that lists tokens and their scores; a token's place is its id."""
    if len(vocab) > ID_BOUND:
        raise NotJson(f"at most {ID_BOUND:,} tokens (a bound of this reader)", len(vocab))
    tokens: list[str | None] = []
    scores: list[float] = []
    for item in vocab:
        if not (type(item) is list and len(item) == 2 and isinstance(item[0], str) and type(item[1]) in (int, float)):
            raise NotJson(f"[token, score] at model.vocab[{len(tokens)}]", item)
        tokens.append(item[0])
        scores.append(_number(item[1]))
    vocabulary = Vocabulary(tokens)
    first: dict[str, int] = {}
    for at, token in enumerate(tokens):
        if token is not None and (earlier := first.setdefault(token, at)) != at:
            vocabulary.repeated(token, earlier, at)
    return vocabulary, scores


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise NotJson("a score that a float holds", "a larger number") from None


def merges_of(merges: object) -> list[tuple[str, str]]:
    """Merges as pairs, whether the file keeps them as pairs or as one string with a space."""
    if type(merges) is not list:
        raise NotJson("a list as model.merges", type(merges).__name__)
    kinds = set(map(type, merges))
    found: list[tuple[str, str]] = []
    if kinds <= {str}:
        found = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
        if any(not right or " " in right for _, right in found):
            bad = next(merge for merge in merges if merge.count(" ") != 1 or merge.endswith(" "))
            raise NotJson("two tokens and one space in each of model.merges", bad)
    elif kinds <= {list} and set(map(len, merges)) <= {2}:
        if not set(map(type, chain.from_iterable(merges))) <= {str}:
            raise NotJson("two tokens in each of model.merges", "something else than strings")
        found = list(map(tuple, merges))
    else:
        raise NotJson("strings, or lists of two tokens, as model.merges", sorted(kind.__name__ for kind in kinds))
    return found


def added_of(entries: object, vocabulary: Vocabulary) -> dict[int, AddedToken]:
    """Added tokens by id, each laid over the vocabulary."""
    if entries is None:
        return {}
    if type(entries) is not list:
        raise NotJson("a list as added_tokens", type(entries).__name__)
    added: dict[int, AddedToken] = {}
    # Backwards, so that the first of two equal tokens gives the id.
    size = len(vocabulary.tokens)
    ids: dict[str | None, int] = dict(zip(reversed(vocabulary.tokens), range(size - 1, -1, -1), strict=True))
    for number, item in enumerate(entries):
        entry = mapping(item, f"added_tokens[{number}]")
        content = entry.get("content")
        if not isinstance(content, str):
            raise NotJson(f"a string as added_tokens[{number}].content", content)
        at = whole_id(entry.get("id"), repr(content[:80]))
        flags = {name: entry.get(name) is True for name in FLAGS}
        if (earlier := ids.setdefault(content, at)) != at:
            vocabulary.repeated(content, earlier, at)
        vocabulary.place(content, at)
        added.setdefault(at, AddedToken(at, content, **flags))
    return added


class Ids:
    """Token text to id, looked up only for the handful of special tokens."""

    def __init__(self, tokens: list[str | None], added: Mapping[int, AddedToken]) -> None:
        self._tokens, self._added = tokens, {token.content: at for at, token in added.items()}

    def find(self, token: str) -> int | None:
        """The id of a token, added ones first."""
        if token in self._added:
            return self._added[token]
        try:
            return self._tokens.index(token)
        except ValueError:
            return None
