"""Owns text that is safe and pleasant on a terminal: escapes, colours, wrapping, columns, numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import Literal

Colour = Literal["bold", "dim", "red", "green", "yellow"]
_CODES: dict[Colour, str] = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def safe(text: str) -> str:
    """`text` with everything escaped that a terminal would obey or hide.

    Names come from artifacts: control characters, escape sequences, bidirectional and zero-width marks, line
    separators and lone surrogates are shown as `\\x1b` or `\\u202e` (whatever Unicode does not call printable).
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def safe_json(text: str) -> str:
    """JSON text with the same characters escaped as JSON has it (`\\u202e`): they stand inside strings alone."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(c if c.isprintable() or c in "\n\t\r" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


class Pen:
    """Writes with colours, or without."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, colour: Colour, text: str) -> str:
        """`text` in a colour."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.color and text else text


def wrap(text: str, width: int, first: str = "", rest: str | None = None) -> Iterator[str]:
    """Lines of at most `width` columns; `first` stands before the first, `rest` (blank by default) before others.

    Words longer than a line (tensor names, paths) are kept whole: a name that is cut cannot be searched for.
    """
    from textwrap import wrap as fill

    after = " " * len(first) if rest is None else rest
    room = max(width, len(first) + 20)
    lines = fill(
        text, room, initial_indent=first, subsequent_indent=after, break_long_words=False, break_on_hyphens=False
    )
    yield from lines or [first.rstrip()]


def cut(text: str, room: int) -> str:
    """`text` in one line of at most `room` columns (at least 20), with an ellipsis where it is longer."""
    return text if len(text) <= max(room, 20) else f"{text[: max(room, 20) - 1].rstrip()}…"


def number(value: object) -> str:
    """A value for people: thousands separated, six digits of a float, text as it is (escaped, at most 100 columns)."""
    if isinstance(value, bool) or value is None:
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        whole = isfinite(value) and value.is_integer() and abs(value) < 1e15
        return f"{value:,.0f}" if whole else f"{value:.6g}"
    if isinstance(value, list | tuple):
        text = f"[{', '.join(number(item) for item in value)}]"
    elif isinstance(value, dict):
        text = f"{{{', '.join(f'{safe(str(key))}: {number(item)}' for key, item in value.items())}}}"
    else:
        text = safe(str(value))
    return text if len(text) <= 100 else f"{text[:99]}…"


def plural(count: int, word: str) -> str:
    """`1 gate`, `2 gates`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def columns(rows: Sequence[Sequence[str]], right: Sequence[bool] = ()) -> list[str]:
    """Rows as aligned columns, the first row being the heading; `right` says which columns align to the right."""
    if not rows:
        return []
    sides = [*right, *[False] * (len(rows[0]) - len(right))]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(wide) if side else cell.ljust(wide) for cell, wide, side in zip(row, widths, sides, strict=True)
        ).rstrip()
        for row in rows
    ]


def items(parts: Iterable[str], width: int, first: str = "", *, lead: str = "", between: str = ", ") -> Iterator[str]:
    """`lead` and `parts` as `wrap` has them, no part broken in two."""
    whole = (part.replace(" ", "\xa0") for part in parts)
    for line in wrap(lead + between.join(whole), width, first):
        yield line.replace("\xa0", " ")
