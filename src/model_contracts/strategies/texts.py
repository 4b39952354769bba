"""Owns generated texts for tokenizers: cheap pieces, joined, that reach every corner where two tokenizers part.

The pieces follow llama.cpp's tests/test-tokenizer-random.py; each costs one or two choices, so that thousands of
texts are made a second, and each shrinks towards plain letters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from model_contracts.vocabulary import Tokenizer

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: White space before and behind an added token.
CONTEXTS = ("", " ", "  ", "\n", "\t", "\r\n", " \n", "\n\n")
#: Texts of one example: enough to pay for its overhead, few enough to shrink fast.
BATCH = 48

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SIGNS = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'’"
_SPACES = (
    " ", "  ", "   ", "    ", " " * 9, "\n", "\n\n", "\r", "\r\n", "\t", "\t\t", " \n", "\n ", " \t ", "\u00a0",
    "\u2003", "\u2028", "\u2029", "\u3000", "\u200b", "\u0085", "\v", "\f", "\u1680", "\u202f", "\ufeff",
)  # fmt: skip
_ENDINGS = ("s", "t", "re", "ve", "m", "ll", "d", "S", "T", "RE", "Ve", "M", "lL", "D", "ſ", "n't", "em", "")
_EMOJI = (
    "\U0001f600", "\U0001f44d\U0001f3fd", "\U0001f469\u200d\U0001f4bb", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f1e9\U0001f1ea", "\U0001f1e9", "1\ufe0f\u20e3", "\u2764\ufe0f", "\u2764",
    "\U0001fae0", "\u263a\ufe0e", "\U0001f9d1\U0001f3ff\u200d\U0001f680",
)  # fmt: skip
#: What normalisers compose, decompose and fold.
_JOINED = (
    "e\u0301", "\u00e9", "a\u0308\u0323", "n\u0303", "\u1100\u1161\u11a8", "\uac01", "\ufb01", "\u00c5", "\u212b",
    "\u00bd", "\u2165", "\u00b2", "\u1e9b\u0323", "\u0344", "\u0958", "\u2126", "\uf900", "\u304c", "\u304b\u3099",
    "\u0130", "\u00df", "\u01c6", "\u0301", "x\u0338", ">\u0338",
)  # fmt: skip
_SCRIPTS = (
    "中文", "汉字漢字", "日本語の", "カタカナ", "ｶﾅ", "한국어", "ไทยนี้", "हिन्दी", "বাংলা", "தமிழ்", "Привет", "Ελλάδα",
    "C\u1eeda Vi\u1ec7t", "\u05e2\u05d1\u05e8\u05d9\u05ea", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "\u0641\u0627\u0631\u0633\u06cc\u200c\u0647\u0627", "\u202eright\u202c", "\u2066ab\u2069", "\u200f", "ქართული",
    "አማርኛ", "\u3007",
)  # fmt: skip
#: The first and last code points of each length in UTF-8, what is assigned to nobody, and what looks like a token.
_BYTES = (
    "<0x0A>", "<0xE2>", "\u2581", "\u2581\u2581a", "\u0120", "\u010a", "##a", "\x7f", "\x80", "\u00ff", "\u0100",
    "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U000ac517", "\U000522f4", "\U0010ffff", "\ufffd",
    "\ufdd0", "\u0378", "\U000e0041", "<s>", "</s>", "<unk>", "<mask>", "<|", "|>",
)  # fmt: skip
_CODE = (
    "def f(x):\n    return x",
    "x += 1;",
    "http://a.b/c?d=e",
    "\\u0041",
    "1.5e-3",
    "0x1F",
    "camelCase",
    "a_b",
    "{}[]",
)


def words(tokenizer: Tokenizer) -> Sequence[str]:
    """What the tokens of a vocabulary spell, as far as each is whole characters by itself."""
    return _Words(tokenizer.tokens)


def texts(vocabulary: Sequence[str], added: Sequence[str]) -> SearchStrategy[str]:
    """Texts of up to eight pieces; `added` are the contents of added tokens, which come with space around them."""
    from hypothesis import strategies as st

    return st.lists(_piece(vocabulary, added), max_size=8).map("".join)


def batches(vocabulary: Sequence[str], added: Sequence[str], most: int = BATCH) -> SearchStrategy[list[str]]:
    """Lists of `texts`, which one call encodes together; a failing list shrinks to a list of one.

    Without `unique`, Hypothesis repeats what it has: of 2,600 texts, 645 were different.
    """
    from hypothesis import strategies as st

    return st.lists(texts(vocabulary, added), min_size=1, max_size=min(most, BATCH), unique=True)


def _piece(vocabulary: Sequence[str], added: Sequence[str]) -> SearchStrategy[str]:
    from hypothesis import strategies as st

    categories = _categories()
    pieces = [
        st.sampled_from(_LETTERS),
        st.integers(0, 10**9).map(str),
        st.sampled_from(_SPACES),
        st.sampled_from(_SIGNS),
        st.builds("".join, st.tuples(st.sampled_from("'’"), st.sampled_from(_ENDINGS))),
        st.sampled_from(_JOINED + _SCRIPTS + _EMOJI),
        st.sampled_from(_BYTES + _CODE),
        # A table of all Unicode is not loaded: each category is as likely as the next, whatever its size.
        st.tuples(st.integers(0, len(categories) - 1), st.integers(0, 2**20)).map(
            lambda at: categories[at[0]][at[1] % len(categories[at[0]])]
        ),
    ]
    if vocabulary:
        word = st.integers(0, len(vocabulary) - 1).map(vocabulary.__getitem__)
        pieces += [word, word, word]
    if added:
        around = st.sampled_from(CONTEXTS)
        pieces.append(st.builds("".join, st.tuples(around, st.sampled_from(added), around)))
    return st.one_of(pieces)


@cache
def _categories() -> tuple[str, ...]:
    """The characters of each Unicode category below U+30000, and the planes that have none yet; no surrogates."""
    found: dict[str, list[str]] = {}
    for point in (*range(0x30000), *range(0xE0000, 0xE0200), *range(0xF0000, 0xF0100)):
        found.setdefault(unicodedata.category(chr(point)), []).append(chr(point))
    found.pop("Cs", None)
    return tuple("".join(found[category]) for category in sorted(found, key=lambda name: (name[0] != "L", name)))


class _Words(Sequence[str]):
    """Tokens as text, spelt out when asked for: a vocabulary holds 150,000 of them."""

    def __init__(self, tokens: Sequence[str | None]) -> None:
        self._tokens = tokens

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, at: int) -> str:  # type: ignore[override]
        return spelt(self._tokens[at] or "")


def spelt(token: str) -> str:
    """A stored token as the text it stands for: byte-level letters to bytes, `▁` to a space."""
    table = _byte_letters()
    if all(letter in table for letter in token):
        return bytes(table[letter] for letter in token).decode("utf-8", "ignore")
    return token.replace("\u2581", " ").encode("utf-8", "ignore").decode()


@cache
def _byte_letters() -> dict[str, int]:
    """Byte-level BPE's letter of each byte, as GPT-2 has them: printable ones themselves, the rest from U+0100."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in set(plain)]
    return {chr(byte): byte for byte in plain} | {chr(256 + at): byte for at, byte in enumerate(rest)}
