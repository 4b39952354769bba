"""Owns text that is safe in Markdown (CommonMark and GitHub's): names from artifacts are neither links nor markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from model_contracts.terminal import number, safe

#: Punctuation about a word that is no part of it.
_BEFORE, _AFTER = "\"'(", ")\"',.;:?!…"
#: A word that Markdown leaves alone wherever it stands within a line.
_PLAIN = re.compile(r"""[^\W_]*(?:[-+=/.,'’%→·–±×][^\W_]*)*""")
#: What GitHub makes a link of without brackets.
_LINKED = re.compile(r"www\.|^gh-\d", re.I)


def prose(text: str) -> str:
    """A sentence: words that could be markup, a link, a mention or a reference stand as code, the others as they are.

    It is never the first thing on a line: our own words stand before it.
    """
    return " ".join(_word(word) for word in safe(text).split(" "))


def _word(word: str) -> str:
    inner = word.lstrip(_BEFORE)
    before, inner = word[: len(word) - len(inner)], inner.rstrip(_AFTER)
    after = word[len(before) + len(inner) :]
    if _PLAIN.fullmatch(inner) and not _LINKED.search(inner):
        return word
    return f"{before}{code(inner)}{after}"


def code(text: str) -> str:
    """A code span that its text cannot end; a pipe stands between spans, since it would end a table's cell."""
    return "&#124;".join(_span(part) for part in safe(text).split("|")) if text else "(empty)"


def _span(text: str) -> str:
    if not text:
        return ""
    fence = "`" * (_longest(text) + 1)
    pad = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def value(observed: object) -> str:
    """A value that was compared: a number as it is, everything else as code."""
    plain = observed is None or isinstance(observed, bool | int | float)
    return number(observed) if plain else code(number(observed))


def fenced(text: str) -> Iterator[str]:
    """Lines of a block of code that its text cannot end: one line, with everything that is not printable escaped."""
    fence = "`" * max(3, _longest(text) + 1)
    yield from (f"{fence}sh", safe(text), fence)


def _longest(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; its cells are already safe."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---' for _ in head)}|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
