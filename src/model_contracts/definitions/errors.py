"""Owns the error of a definition: the file, the line and the column, what was expected there and what was found."""

from __future__ import annotations

from collections.abc import Iterable


class DefinitionError(Exception):
    """A definition that cannot be used; prints as `file:line:column: expected ..., found ...`.

    `line` and `column` count from 1 and are None where there is no text to point at (an unknown id on a command line).
    """

    def __init__(self, file: str, line: int | None, column: int | None, expected: str, found: str) -> None:
        self.file, self.line, self.column, self.expected, self.found = file, line, column, expected, found
        super().__init__(str(self))

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return f"{place}: expected {self.expected}, found {self.found}"


class Shadows(DefinitionError):
    """A definition that claims what another has."""


def nearest(name: str, known: Iterable[str]) -> str:
    """` (nearest: X)` for the known name that is most like `name`, `` where none is near."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), 1, 0.5)
    return f" (nearest: {close[0]})" if close else ""


def short(value: object) -> str:
    """A value as an error shows it: one line, at most 60 characters, nothing that a terminal would obey."""
    if isinstance(value, dict):
        return f"a mapping of {len(value)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
