"""Owns how a tokenizer is built from the arrays of a GGUF or .apr header, whatever types they turn out to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_contracts.artifact import Container
from model_contracts.formats.padding import fillers
from model_contracts.formats.tally import FormatTally
from model_contracts.vocabulary import AddedToken, Tokenizer

#: What the containers' words for an algorithm mean; any other word stands for itself.
ALGORITHMS = {
    "gpt2": "BPE",
    "bpe": "BPE",
    "gemma4": "BPE",
    "llama": "SPM",
    "bert": "WordPiece",
    "t5": "Unigram",
}
#: Keys of how text is treated before it is cut, and what the rest of the program calls them.
_OPTIONS = {
    "add_space_prefix": "add_space_prefix",
    "remove_extra_whitespaces": "remove_extra_whitespaces",
    "normalizer.lowercase": "lowercase",
    "normalizer.strip_accents": "strip_accents",
}
_CHARSMAP = "precompiled_charsmap"
#: llama.cpp's words for special tokens, as the rest of the field says them.
_SPECIAL = {"unknown": "unk", "padding": "pad", "seperator": "sep", "separator": "sep"}
_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4
#: Equal tokens kept; a hostile vocabulary can hold millions.
_DUPLICATES_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class VocabularyKeys:
    """Under which keys a container holds the parts of a tokenizer; of several, the first that is present counts."""

    prefix: str
    tokens: str
    algorithm: tuple[str, ...]
    pre: str
    #: The text that the container's own converter writes at an id without a token, beside the names that all take.
    hole: str | None = None
    #: What the container's own program takes for the algorithm where none is named.
    default: str | None = None


def tokenizer_of(container: Container, keys: VocabularyKeys, specification: str) -> Tokenizer | None:
    """The tokenizer in a header, None without tokens. Parts of a wrong type are left out; the ledger says so."""
    parts = _VocabularyParts(container.metadata, keys, FormatTally(container.ledger, specification))
    tokens = parts.texts(keys.prefix + keys.tokens)
    if not tokens:
        return None
    types, special_ids = parts.numbers(keys.prefix + "token_type", len(tokens), int), parts.special_ids()
    padding = fillers(tokens, types, keys.hole, special_ids.get("unk", (None, ""))[0])
    if padding:
        first, text = next(iter(padding.items()))
        parts.tally.ledger.note(f"{len(padding):,} ids without a token hold names of padding (id {first:,}: {text})")
    texts, duplicates = parts.distinct(tokens, padding)
    return Tokenizer(
        origin=container.path,
        algorithm=parts.algorithm(),
        tokens=texts,
        merges=parts.merges(),
        added=_added(tokens, types or ()),
        token_types=types,
        scores=parts.numbers(keys.prefix + "scores", len(tokens), float),
        special_ids=special_ids,
        add_bos=parts.flag("add_bos_token"),
        add_eos=parts.flag("add_eos_token"),
        pre=parts.text(keys.prefix + keys.pre),
        duplicates=duplicates,
        fillers=padding,
        options=parts.options(),
    )


@dataclass(frozen=True, slots=True)
class _VocabularyParts:
    """The metadata of one header, asked key by key."""

    metadata: Mapping[str, Any]
    keys: VocabularyKeys
    tally: FormatTally

    def _holds(self, measure: str, holds: bool, expected: object, observed: object, key: str) -> bool:
        return self.tally.compare("format", measure, holds, expected, observed, key=key)

    def text(self, key: str) -> str | None:
        """A string; None where absent."""
        value = self.metadata.get(key)
        if value is None:
            return None
        return value if self._holds("tokenizer_text", isinstance(value, str), "a string", value, key) else None

    def texts(self, key: str) -> list[str] | None:
        """A list of strings; None where absent."""
        value = self.metadata.get(key)
        if value is None:
            return None
        holds = isinstance(value, list) and set(map(type, value)) <= {str}
        return value if self._holds("tokenizer_arrays", holds, "an array of strings", _kind(value), key) else None

    def numbers(self, key: str, count: int, kind: type[int] | type[float]) -> list[Any] | None:
        """One number a token; None where absent."""
        value = self.metadata.get(key)
        if value is None:
            return None
        wanted = {int} if kind is int else {int, float}
        what = "whole numbers" if kind is int else "numbers"
        holds = isinstance(value, list) and set(map(type, value)) <= wanted
        if not self._holds("tokenizer_arrays", holds, f"an array of {what}", _kind(value), key):
            return None
        self._holds("tokenizer_arrays", len(value) == count, f"{count:,} entries, one a token", len(value), key)
        return list(value)

    def distinct(
        self, tokens: list[str], padding: Mapping[int, str]
    ) -> tuple[Sequence[str | None], tuple[tuple[str, int, int], ...]]:
        """The tokens with None where padding is, and those that stand at two ids."""
        texts: list[str | None] = list(tokens)
        for at in padding:
            texts[at] = None
        if len(set(texts)) + max(len(padding) - 1, 0) == len(texts):
            return texts, ()
        first: dict[str, int] = {}
        duplicates: list[tuple[str, int, int]] = []
        for index, token in enumerate(texts):
            if token is not None and (seen := first.setdefault(token, index)) != index:
                duplicates.append((token, seen, index))
                if len(duplicates) == _DUPLICATES_KEPT:
                    break
        return texts, tuple(duplicates)

    def algorithm(self) -> str:
        """What the container calls the algorithm, in the words of tokenizer.json; "unknown" where it does not."""
        for name in self.keys.algorithm:
            if word := self.text(self.keys.prefix + name):
                return ALGORITHMS.get(word.lower(), word)
        key = self.keys.prefix + self.keys.algorithm[0]
        if self.keys.default:
            self.tally.ledger.note(f"no {key}: the tokenizer is taken for {self.keys.default}, as apr takes it")
            return self.keys.default
        self._holds("tokenizer_declared", False, "the name of a tokenizer model", None, key)
        return "unknown"

    def merges(self) -> list[tuple[str, str]] | None:
        """Each merge in two halves: it is split at its first space that is not its first character."""
        key = self.keys.prefix + "merges"
        stored = self.texts(key)
        if stored is None:
            return None
        halves: list[tuple[str, str]] = []
        append = halves.append
        for merge in stored:
            left, _, right = merge.partition(" ")
            if not left:
                left, _, right = merge[1:].partition(" ")
                left = merge[:1] + left
            append((left, right))
        broken = sum(not right for _, right in halves)
        observed = f"{broken:,} merges without a space between two halves"
        self._holds("tokenizer_merges", not broken, "two halves and a space in every merge", observed, key)
        return halves

    def special_ids(self) -> dict[str, tuple[int, str]]:
        """Every `…_token_id` under its name: (id, key)."""
        prefix, suffix = self.keys.prefix, "_token_id"
        ids: dict[str, tuple[int, str]] = {}
        for key, value in self.metadata.items():
            if not (key.startswith(prefix) and key.endswith(suffix)) or value is None:
                continue
            if self._holds("tokenizer_ids", type(value) is int, "a whole number", value, key):
                word = key[len(prefix) : -len(suffix)]
                ids.setdefault(_SPECIAL.get(word, word), (value, key))
        return ids

    def options(self) -> dict[str, Any]:
        """What the container declares of how text is treated; `model` is the word for the algorithm as it stands."""
        found: dict[str, Any] = {word: said for name, word in _OPTIONS.items() if (said := self.flag(name)) is not None}
        numbers = self.metadata.get(self.keys.prefix + _CHARSMAP)
        if isinstance(numbers, list) and set(map(type, numbers)) <= {int}:
            found[_CHARSMAP] = bytes(number & 255 for number in numbers)
        elif isinstance(numbers, bytes):
            found[_CHARSMAP] = numbers
        model = self.metadata.get(self.keys.prefix + self.keys.algorithm[0])
        return found | ({"model": model} if isinstance(model, str) else {})

    def flag(self, name: str) -> bool | None:
        """A boolean; None where absent."""
        key = self.keys.prefix + name
        value = self.metadata.get(key)
        if value is None:
            return None
        return value if self._holds("tokenizer_flags", type(value) is bool, "a boolean", value, key) else None


def _added(tokens: Sequence[str], types: Sequence[int]) -> dict[int, AddedToken]:
    """Control tokens are special, the unknown one too; user-defined ones are added, and no more."""
    indices = [index for index, kind in enumerate(types) if kind in (_UNKNOWN, _CONTROL, _USER_DEFINED)]
    return {
        index: AddedToken(index, tokens[index], special=types[index] != _USER_DEFINED)
        for index in indices
        if index < len(tokens)
    }


def _kind(value: object) -> str:
    if not isinstance(value, list):
        return f"{type(value).__name__} {str(value)[:40]}"
    return f"an array of {', '.join(sorted(kind.__name__ for kind in set(map(type, value)))) or 'nothing'}"
