"""Owns tokenizer.json: the vocabulary, merges, added tokens and flags of a Hugging Face tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from model_contracts.artifact import AddedToken, Tokenizer
from model_contracts.formats.documents import Bounds, NotJson, collector_paused, parse, read_whole
from model_contracts.formats.interface import Bytes
from model_contracts.ledger import Ledger
from model_contracts.outcome import Place

#: This reader's bounds: the largest published tokenizer.json take some 35 MB, and hold some 260,000 tokens.
FILE_BOUND, DOCUMENT_BOUNDS, ID_BOUND = 48 << 20, Bounds(values=2_400_000, members=600_000), 4 << 20
#: Duplicates that are kept; a hostile vocabulary can hold a million.
_KEPT = 1_000
_ALGORITHMS = ("BPE", "Unigram", "WordPiece", "WordLevel")
_ROLES = ("bos", "eos", "unk", "pad", "sep", "cls", "mask")
#: What the ByteLevel pre-tokenizer splits by where it is not told otherwise (GPT-2's pattern).
_BYTE_LEVEL = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

Pairs = list[tuple[str, Any]]
#: A JSON object as parsed here: a mapping, or, where it is as large as a vocabulary or holds a key twice, its pairs.
_LARGE = 64


class _Members(list[tuple[str, Any]]):
    """The members of a large object, or of one with equal keys, in order."""


def _members(pairs: Pairs) -> dict[str, Any] | _Members:
    if len(pairs) > _LARGE:
        return _Members(pairs)
    return distinct(pairs)


def distinct(pairs: Pairs) -> dict[str, Any] | _Members:
    """An object of a document that is kept too: plain, unless a key stands in it twice (`tokenizer_of` sees that)."""
    members = dict(pairs)
    return members if len(members) == len(pairs) else _Members(pairs)


@dataclass(slots=True)
class _Vocabulary:
    """Tokens by id while they are read."""

    tokens: list[str | None]
    duplicates: list[tuple[str, int, int]] = field(default_factory=list)

    def repeated(self, token: str, first: int, second: int) -> None:
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


def read_tokenizer(source: Bytes, ledger: Ledger, config: Mapping[str, Any] | None = None) -> Tokenizer | None:
    """Parse tokenizer.json. `config` is tokenizer_config.json, for special ids and flags.

    Never raises for what the bytes hold: None where there is no tokenizer to be had, and the ledger says why under
    `format` (`tokenizer_json`). Unreadable where the disk fails.
    """

    def document() -> object:
        return parse(read_whole(source, FILE_BOUND), _members, DOCUMENT_BOUNDS)

    return _read(document, source.path, ledger, config)


def tokenizer_of(
    document: Mapping[str, Any], origin: Path, ledger: Ledger, config: Mapping[str, Any] | None = None
) -> Tokenizer | None:
    """The tokenizer of a tokenizer.json that was parsed already; as `read_tokenizer` otherwise."""
    return _read(lambda: document, origin, ledger, config)


def _read(
    document: Callable[[], object], origin: Path, ledger: Ledger, config: Mapping[str, Any] | None
) -> Tokenizer | None:
    try:
        with collector_paused():
            tokenizer = _tokenizer(origin, _mapping(document(), "the file"), config or {}, ledger)
    except NotJson as refused:
        ledger.compare(
            "format",
            "tokenizer_json",
            False,
            expected=refused.expected,
            observed=refused.observed,
            place=Place(file=origin.name, offset=refused.offset),
        )
        return None
    ledger.compare("format", "tokenizer_json", True)
    return tokenizer


def _mapping(value: object, at: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, _Members):
        members = dict(value)
        if len(members) == len(value):
            return members
        raise NotJson(f"each key of {at} once", "a key twice")
    raise NotJson(f"an object as {at}", type(value).__name__)


def _tokenizer(origin: Path, document: dict[str, Any], config: Mapping[str, Any], ledger: Ledger) -> Tokenizer:
    model = _mapping(document.get("model"), "model")
    algorithm = model.get("type")
    vocab = model.get("vocab")
    if algorithm is None:  # older files leave the type out
        algorithm = "BPE" if "merges" in model else "Unigram" if type(vocab) is list else "WordPiece"
    if algorithm not in _ALGORITHMS:
        raise NotJson("BPE, Unigram, WordPiece or WordLevel as model.type", algorithm)
    scores: list[float] | None = None
    if type(vocab) is list:
        vocabulary, scores = _listed(vocab)
    else:
        vocabulary = _mapped(vocab)
    added = _added(document.get("added_tokens"), vocabulary)
    tokens = vocabulary.tokens
    ids = _Ids(tokens, added)
    opens, closes = _wrapping(document.get("post_processor"))
    return Tokenizer(
        origin=origin,
        algorithm=str(algorithm),
        tokens=tokens,
        merges=_merges(model.get("merges")) if algorithm == "BPE" else None,
        added=added,
        scores=scores + [0.0] * (len(tokens) - len(scores)) if scores is not None else None,
        special_ids=_special(ids, model, config, origin.name, ledger),
        add_bos=_flag(config.get("add_bos_token"), opens),
        add_eos=_flag(config.get("add_eos_token"), closes),
        pre_patterns=tuple(_patterns(document.get("pre_tokenizer"))),
        duplicates=tuple(vocabulary.duplicates),
    )


def _id(value: object, at: str) -> int:
    if type(value) is not int or value < 0:
        raise NotJson(f"a whole number from 0 as the id of {at}", value)
    if value >= ID_BOUND:
        raise NotJson(f"an id below {ID_BOUND:,} for {at} (a bound of this reader)", value)
    return value


def _mapped(vocab: object) -> _Vocabulary:
    """A vocabulary that maps tokens to ids."""
    if not isinstance(vocab, dict | _Members):
        raise NotJson("an object of tokens and ids, or a list, as model.vocab", type(vocab).__name__)
    # Compared over all members at once, because a vocabulary has hundreds of thousands.
    names: tuple[str, ...]
    names, ids = zip(*(vocab.items() if isinstance(vocab, dict) else vocab), strict=True) if vocab else ((), ())
    if not (set(map(type, ids)) <= {int} and _within(ids)):
        for token, value in zip(names, ids, strict=True):
            _id(value, repr(token[:80]))
    if ids == tuple(range(len(ids))):
        vocabulary = _Vocabulary(list(names))
    else:
        vocabulary = _Vocabulary([None] * (1 + max(ids, default=-1)))
        for token, at in zip(names, ids, strict=True):
            vocabulary.place(token, at)
    if isinstance(vocab, _Members) and len(set(names)) < len(names):
        first: dict[str, int] = {}
        for token, at in zip(names, ids, strict=True):
            if token in first:
                vocabulary.repeated(token, first[token], at)
            first.setdefault(token, at)
    return vocabulary


def _within(values: Sequence[int]) -> bool:
    return not values or (min(values) >= 0 and max(values) < ID_BOUND)


def _listed(vocab: list[Any]) -> tuple[_Vocabulary, list[float]]:
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
    vocabulary = _Vocabulary(tokens)
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


def _merges(merges: object) -> list[tuple[str, str]]:
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


def _added(entries: object, vocabulary: _Vocabulary) -> dict[int, AddedToken]:
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
        entry = _mapping(item, f"added_tokens[{number}]")
        content = entry.get("content")
        if not isinstance(content, str):
            raise NotJson(f"a string as added_tokens[{number}].content", content)
        at = _id(entry.get("id"), repr(content[:80]))
        flags = {name: entry.get(name) is True for name in ("special", "lstrip", "rstrip", "normalized", "single_word")}
        if (earlier := ids.setdefault(content, at)) != at:
            vocabulary.repeated(content, earlier, at)
        vocabulary.place(content, at)
        added.setdefault(at, AddedToken(at, content, **flags))
    return added


class _Ids:
    """Token text to id, looked up only for the handful of special tokens."""

    def __init__(self, tokens: list[str | None], added: Mapping[int, AddedToken]) -> None:
        self._tokens, self._added = tokens, {token.content: at for at, token in added.items()}

    def find(self, token: str) -> int | None:
        if token in self._added:
            return self._added[token]
        try:
            return self._tokens.index(token)
        except ValueError:
            return None


def _special(
    ids: _Ids, model: Mapping[str, Any], config: Mapping[str, Any], file: str, ledger: Ledger
) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    for role in _ROLES:
        value = config.get(f"{role}_token")
        content = value.get("content") if isinstance(value, dict) else value
        if not isinstance(content, str):
            continue
        at = ids.find(content)
        if at is None:
            ledger.note(f"tokenizer_config.json names {content[:80]!r} as {role}_token, which {file} does not hold")
        else:
            found[role] = (at, f"tokenizer_config.json {role}_token")
    unknown, listed = model.get("unk_token"), model.get("unk_id")
    if "unk" not in found:
        if isinstance(unknown, str) and (at := ids.find(unknown)) is not None:
            found["unk"] = (at, f"{file} model.unk_token")
        elif type(listed) is int and listed >= 0:
            found["unk"] = (listed, f"{file} model.unk_id")
    return found


def _flag(declared: object, derived: bool | None) -> bool | None:
    return declared if isinstance(declared, bool) else derived


def _parts(value: object, key: str) -> Iterator[dict[str, Any]]:
    """The parts of a (possibly nested) Sequence, in order; at most 256, whatever the file holds."""

    def walk(part: object, depth: int) -> Iterator[dict[str, Any]]:
        if isinstance(part, dict) and depth < 16:
            inner = part.get(key)
            if part.get("type") == "Sequence" and isinstance(inner, list):
                for item in inner[:256]:
                    yield from walk(item, depth + 1)
            else:
                yield part

    return islice(walk(value, 0), 256)


def _wrapping(post_processor: object) -> tuple[bool | None, bool | None]:
    """Whether the template of one text opens and closes with a special token; None where there is no template."""
    for part in _parts(post_processor, "processors"):
        single = part.get("single")
        if part.get("type") == "TemplateProcessing" and isinstance(single, list) and single:
            ends = [isinstance(item, dict) and "SpecialToken" in item for item in (single[0], single[-1])]
            return ends[0], ends[1]
    return None, None


def _patterns(pre_tokenizer: object) -> Iterator[str]:
    """The regular expressions a text is split by, in order."""
    for part in _parts(pre_tokenizer, "pretokenizers"):
        pattern = part.get("pattern")
        if part.get("type") == "Split" and isinstance(pattern, dict):
            text = pattern.get("Regex", pattern.get("String"))
            if isinstance(text, str):
                yield text
        elif part.get("type") == "ByteLevel" and part.get("use_regex", True) is True:
            yield _BYTE_LEVEL
