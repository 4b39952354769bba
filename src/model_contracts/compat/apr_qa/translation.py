"""Owns translating a foreign YAML document: what was taken from where, and by name what nothing here reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from model_contracts.definitions.errors import short
from model_contracts.definitions.tree import Pointer, Tree
from model_contracts.terminal import safe

MAX_LEFT = 200


@dataclass(slots=True)
class Translation:
    """Values of ours with the places of theirs. `taken` are the pointers that were looked at, `left` what is said."""

    theirs: Tree
    ours: Tree = field(init=False)
    taken: set[Pointer] = field(default_factory=set)
    left: list[tuple[Pointer, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ours = Tree(self.theirs.file, {}, {(): self.theirs.marks[()]})

    def get(self, *pointer: str | int) -> Any:
        """The value at a pointer, which counts as read from here on; None where there is none."""
        self.taken.add(pointer)
        return self.peek(*pointer)

    def peek(self, *pointer: str | int) -> Any:
        """The value at a pointer, which does not count as read; None where there is none."""
        value: Any = self.theirs.value
        for step in pointer:
            if isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                value = value.get(step) if isinstance(value, dict) else None
        return value

    def put(self, pointer: tuple[str, ...], value: object, *came_from: str | int) -> None:
        """Say a value of ours; errors in it point at the place it came from."""
        into = self.ours.value
        mark = self.theirs.marks.get(came_from, self.theirs.marks[()])
        for depth, key in enumerate(pointer[:-1], 1):
            into = into.setdefault(key, {})
            self.ours.marks.setdefault(pointer[:depth], mark)
        into[pointer[-1]] = value
        self.ours.marks[pointer] = mark

    def leave(self, why: str, *pointer: str | int) -> None:
        """Say that the value at a pointer is not evaluated."""
        self.taken.add(pointer)
        self.left.append((pointer, why))

    def text(self, *pointer: str | int) -> str | None:
        """A scalar as it is written: `1.10` and `2024-01-01` are names too. None for nothing, a list and a mapping."""
        self.taken.add(pointer)
        return self.theirs.as_written(pointer)

    def number(self, *pointer: str | int, whole: bool = False) -> float | int | None:
        """A number, in quotes or not. What is none is left, by name."""
        value = self.get(*pointer)
        found = _number(value)
        if value is not None and (found is None or (whole and found != int(found))):
            self.leave(f"expected a {'whole ' if whole else ''}number, found {short(value)}", *pointer)
            return None
        return int(found) if found is not None and whole else found

    def flag(self, *pointer: str | int) -> bool | None:
        """True or false, in quotes or not. What is neither is left, by name."""
        value = self.get(*pointer)
        known = {"true": True, "false": False}.get(str(value).strip().lower())
        if value is not None and known is None:
            self.leave(f"expected true or false, found {short(value)}", *pointer)
        return known

    def words(self, known: Mapping[str, str], *pointer: str | int) -> list[str]:
        """The items of a list that are known, in our words. The others are left, each by name."""
        found: list[str] = []
        for at, item in self._items(*pointer):
            text = self.theirs.as_written((*pointer, at)) or ""
            word = known.get(text.strip().lower())
            if word is None:
                names = dict.fromkeys(known.values())
                self.leave(f"{short(item)} is not known; known are {', '.join(names)}", *pointer, at)
            elif word not in found:
                found.append(word)
        return found

    def texts(self, *pointer: str | int) -> list[str]:
        """The items of a list that are text; the others are left."""
        found = []
        for at, item in self._items(*pointer):
            text = self.theirs.as_written((*pointer, at))
            if text and text.strip():
                found.append(text)
            else:
                self.leave(f"expected text, found {short(item)}", *pointer, at)
        return found

    def _items(self, *pointer: str | int) -> Iterator[tuple[int, Any]]:
        value = self.get(*pointer)
        if value is not None and not isinstance(value, list):
            self.leave(f"expected a list, found {short(value)}", *pointer)
        for at, item in enumerate(value if isinstance(value, list) else ()):
            self.taken.add((*pointer, at))
            yield at, item

    def said(self, whys: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Every key that is not evaluated, and why: what was left, and what nobody read. At most 200, then a count."""
        left = {pointer for pointer, _ in self.left}
        above = {pointer[:end] for pointer in self.taken for end in range(len(pointer))}
        unread = ((key, whys.get(_plain(key), "nothing here reads it")) for key in self._unread((), above, left))
        every = {_dotted(pointer): why for pointer, why in (*self.left, *unread)}
        listed = list(every.items())[:MAX_LEFT]
        return (*listed, *([("…", f"and {len(every) - MAX_LEFT:,} more keys")] if len(every) > MAX_LEFT else []))

    def _unread(self, pointer: Pointer, above: set[Pointer], left: set[Pointer]) -> Iterator[Pointer]:
        if pointer in left:
            return
        if pointer in above:
            value = self.peek(*pointer)
            if pointer not in self.taken and value is not None and not isinstance(value, dict | list):
                yield pointer  # a value where what was looked for lies deeper
            keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
            for key in keys:
                yield from self._unread((*pointer, key), above, left)
        elif pointer not in self.taken:
            yield pointer


def _number(value: object) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    try:
        found = float(value) if isinstance(value, str) and len(value) <= 40 else None
    except ValueError:
        return None
    return found if found is not None and abs(found) < 1e18 else None  # neither NaN nor infinite


def _dotted(pointer: Pointer) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step[:80]}" for step in pointer)
    return safe(text.removeprefix("."))


def _plain(pointer: Pointer) -> str:
    return ".".join(str(step) for step in pointer if isinstance(step, str))
