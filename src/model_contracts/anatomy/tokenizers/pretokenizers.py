"""Owns llama.cpp's names of pre-tokenizers, recognised by how a tokenizer.json cuts text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from model_contracts.anatomy.tokenizers.tokenizer_sections import canonical
from model_contracts.definitions import load_pretokenizers
from model_contracts.tokenization import PreTokenizer
from model_contracts.vocabulary import Tokenizer

Cuts = tuple[str, ...]
#: Parts that stand for an expression (contracts/pretokenizers.yaml), by type and what their option says.
_DIGITS = {True: "digit", False: "digits"}
_PUNCTUATION = {"Isolated": "punctuation", "Contiguous": "punctuation-runs"}
_GPT_2 = "words"
#: Ways of splitting in which every match is a piece: where it is kept, and where all else would be taken away.
_PIECES = {("Isolated", False), ("Removed", True)}


def named(name: str) -> PreTokenizer | None:
    """How a name cuts text; None where it is not known here."""
    return _by_name().get(name)


def patterns_of(cut: PreTokenizer) -> Cuts:
    """The regular expressions that a way of cutting stands for, one after another."""
    expressions = load_pretokenizers().expressions
    return tuple(expressions[name] for name in cut.cuts)


def name_of(tokenizer: Tokenizer) -> str | None:
    """llama.cpp's name of the pre-tokenizer: as declared, or by its expressions; None where neither says.

    Of names that cut alike it is one whose readers merge words as the tokenizer does, where there is such a one.
    """
    if tokenizer.pre is not None:
        return tokenizer.pre
    sections = tokenizer.sections or {}
    cuts = cuts_of(sections.get("pre_tokenizer"))
    found = _by_cuts().get(cuts, []) if cuts else []
    model = sections.get("model")
    whole = isinstance(model, Mapping) and model.get("ignore_merges") is True
    alike = [one for one in found if one.whole_words == whole] or found
    return alike[0].names[0] if alike else None


def cuts_of(section: object) -> Cuts | None:
    """The expressions by which a pre_tokenizer section cuts, in one spelling; None where a part does something else."""
    value = canonical("pre_tokenizer", section)
    cuts: list[str] = []
    for part in value if isinstance(value, list) else [value]:
        if (found := _expressions(part)) is None:
            return None
        cuts += map(usual, found)
    return tuple(cuts)


def cut_alike(one: str, other: str) -> bool | None:
    """Whether two names cut text alike; None where one of them is not known here."""
    if one == other:
        return True
    ours, theirs = named(one), named(other)
    return None if ours is None or theirs is None else ours.cuts == theirs.cuts


def usual(expression: str) -> str:
    """An expression in the one spelling of those that are known to mean the same."""
    for one in load_pretokenizers().spellings:
        expression = expression.replace(one.spelled, one.means)
    return expression


@cache
def _by_name() -> dict[str, PreTokenizer]:
    return {name: one for one in load_pretokenizers().pretokenizers for name in one.names}


@cache
def _by_cuts() -> dict[Cuts, list[PreTokenizer]]:
    about, found = load_pretokenizers(), dict[Cuts, list[PreTokenizer]]()
    for one in about.pretokenizers:
        for names in {one.cuts, *one.also} if one.byte_level else ():
            found.setdefault(tuple(usual(about.expressions[name]) for name in names), []).append(one)
    return found


def _expressions(part: object) -> list[str] | None:
    """What one part cuts by: nothing, an expression, or None where it is not told in expressions."""
    if not isinstance(part, Mapping):
        return None
    known: Mapping[str, Any] = load_pretokenizers().expressions
    match part.get("type"):
        case "Split":
            pattern = part.get("pattern")
            text = pattern.get("Regex") if isinstance(pattern, Mapping) else None
            pieces = (part.get("behavior"), part.get("invert")) in _PIECES
            return [text] if isinstance(text, str) and pieces else None
        case "ByteLevel":
            return [known[_GPT_2]] if part.get("use_regex") is True else []
        case "Digits":
            return [known[_DIGITS[part.get("individual_digits") is True]]]
        case "Punctuation":
            name = _PUNCTUATION.get(str(part.get("behavior")))
            return [known[name]] if name is not None else None
    return None
