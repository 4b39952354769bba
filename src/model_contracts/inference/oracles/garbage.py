"""Owns the oracle of garbage: an answer that is empty, goes round in a circle, or is made of what is no text.

Where the defaults come from. Windows of 32 to 4,000 characters of 150 modules of Python's library, of licences and
Markdown, and of JSON Schemas (400 of each length) repeat at most 0.74 of their 4-grams in 99 of 100 cases (of the ids
that two tokenizers make of them 0.69 in all), and have 1.12 bits a character at least. Greedy answers of 16 tokens of
models with random weights (", 0000…", "# Cing" again and again), and loops of one to nine words, repeat 0.78 to 0.95 or
have less than 1.1 bits: `tests/unit/inference`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from math import log2
from unicodedata import category

from pydantic import Field

from model_contracts.inference.oracles.interface import MOST_CHARACTERS, Answer, Oracle, Where
from model_contracts.outcome import Comparison, Record

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
#: A word, a digit, a sign, the end of a line; of scripts without spaces each character.
_UNIT = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\\W\\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|\\d|[^\\w\\s]|_|\n"
)
#: Units that are looked at together: of a long text the part that goes round is found, however much went well before.
_WINDOW = 256
#: A number as people write one says little a character, and is no garbage.
_NUMBER = re.compile(r"-?(0|[1-9][0-9,]{0,12})(\.[0-9]{1,12})?")
_WHITE = frozenset("\t\n\r")


class Garbage(Record):
    """Bounds on a text."""

    min_characters: int = Field(1, ge=0, description="Without white space around them.")
    max_repetition: float = Field(0.75, gt=0, le=1, description="Share of n-grams of tokens (or words) seen before.")
    ngram: int = Field(4, ge=1, le=16)
    repetition_from: int = Field(12, ge=2, description="n-grams; a text of fewer is too short to go round in a circle.")
    min_entropy: float = Field(1.1, ge=0, description="Bits a character.")
    entropy_from: int = Field(8, ge=1, description="Characters; a shorter text is not held to it.")
    min_unique_characters: int = Field(1, ge=0)
    max_replacement: int = Field(0, ge=0, description="U+FFFD: bytes that were no UTF-8.")
    max_control: int = Field(0, ge=0, description="Characters that are controls, or that Unicode does not assign.")


def held(answer: Answer, bounds: Garbage, where: Where) -> Iterator[Comparison]:
    """The measures of a text that is long enough for each."""
    text = answer.text[:MOST_CHARACTERS]
    bare = text.strip()
    yield _least("answer_characters", len(bare), bounds.min_characters, where("min_characters"), len(bare))
    if not bare:
        return
    unique = len(set(bare))
    yield _least("unique_characters", unique, bounds.min_unique_characters, where("min_unique_characters"), len(bare))
    units: Sequence[Hashable] = _UNIT.findall(text) if answer.tokens is None else answer.tokens[:MOST_CHARACTERS]
    grams = len(units) - bounds.ngram + 1
    if grams >= bounds.repetition_from:
        yield _most(
            "repetition", repetition(units, bounds.ngram), bounds.max_repetition, where("max_repetition"), grams
        )
    if len(bare) >= bounds.entropy_from and not _NUMBER.fullmatch(bare):
        yield _least("character_entropy", entropy(bare), bounds.min_entropy, where("min_entropy"), len(bare))
    whole = text.rstrip(_REPLACEMENT) if answer.cut else text  # a last character that was cut is forgiven
    lost = whole.count(_REPLACEMENT)
    yield _most("replacement_characters", lost, bounds.max_replacement, where("max_replacement"), len(text))
    controls = [character for character in text if category(character) in ("Cc", "Cs", "Co", "Cn")]
    found = Counter(controls) - Counter({white: text.count(white) for white in _WHITE})
    note = f"among them {', '.join(f'U+{ord(character):04X}' for character in list(found)[:5])}" if found else None
    seen = _most("control_characters", found.total(), bounds.max_control, where("max_control"), len(text))
    yield seen.model_copy(update={"note": note})


def repetition(units: Sequence[Hashable], ngram: int) -> float:
    """Share of n-grams that were there before, in the window of the text where it is largest; 0 where there is none."""
    worst = 0.0
    for start in range(0, max(1, len(units) - _WINDOW // 2), _WINDOW // 2):
        window = tuple(units[start : start + _WINDOW])
        grams = [window[at : at + ngram] for at in range(len(window) - ngram + 1)]
        if grams:
            worst = max(worst, 1 - len(set(grams)) / len(grams))
    return worst


def entropy(text: str) -> float:
    """Bits a character (Shannon), of the characters that are there."""
    return -sum(count / len(text) * log2(count / len(text)) for count in Counter(text).values()) + 0.0


def _most(measure: str, observed: float, bound: float, source: str, count: int) -> Comparison:
    return _bounded(measure, observed, bound, source, count, holds=observed <= bound, sign="<=")


def _least(measure: str, observed: float, bound: float, source: str, count: int) -> Comparison:
    return _bounded(measure, observed, bound, source, count, holds=observed >= bound, sign=">=")


def _bounded(
    measure: str, observed: float, bound: float, source: str, count: int, *, holds: bool, sign: str
) -> Comparison:
    observed = round(observed, 4) if isinstance(observed, float) else observed
    return Comparison(
        measure=measure,
        expected=f"{sign} {bound:g}",
        observed=observed,
        holds=holds,
        tolerance=bound,
        smallest_passing_tolerance=observed,
        count=max(1, count),
        bound_from=source,
    )


ORACLE = Oracle(Garbage, held, "measured on text and on degenerate answers (inference/oracles/garbage.py)")
