"""Owns YAML as plain values with their places: the YAML 1.2 core schema over a bounded, alias-free subset.

PyYAML's own constructors read `1e-3` as text, `yes` as true and keep the last of two equal keys; and its composer
recurses as deep as the text says. So the values are built here from its events, with a stack of our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NoReturn

import yaml

from model_contracts.definitions.errors import DefinitionError, short

Pointer = tuple[str | int, ...]
MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_DIGITS = 40

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a key and its value (or an item of a list) begin; lines and columns count from 1."""

    key: tuple[int, int]
    value: tuple[int, int]


@dataclass(slots=True)
class Tree:
    """One YAML document: its value and the mark of every key and item by its path."""

    file: str
    value: Any = None
    marks: dict[Pointer, Mark] = field(default_factory=dict)
    #: Plain scalars that are numbers or booleans, as they are written: `1.10` is 1.1, and the name 1.10.
    written: dict[Pointer, str] = field(default_factory=dict)

    def as_written(self, pointer: Pointer) -> str | None:
        """A scalar as the text that stands there; None for nothing, a list and a mapping."""
        value: Any = self.value
        for step in pointer:
            if isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                value = value.get(step) if isinstance(value, dict) else None
        return value if isinstance(value, str) else self.written.get(pointer)

    def fail(self, at: tuple[int, int], expected: str, found: str) -> NoReturn:
        """Raise the error of this file at a line and column."""
        raise DefinitionError(self.file, *at, expected, found)


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being filled; `key` is the key that waits for its value."""

    value: Any
    pointer: Pointer
    key: str | None = None
    key_at: tuple[int, int] = (1, 1)


def parse(data: bytes, file: str) -> Tree:
    """The one document in `data` (UTF-8, at most 1 MiB); DefinitionError names the place of whatever is refused."""
    tree = Tree(file)
    if len(data) > MAX_BYTES:
        tree.fail((1, 1), f"a definition of at most {MAX_BYTES:,} bytes", f"{len(data):,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        tree.fail((line, column), "UTF-8", f"the byte 0x{data[error.start]:02x}")
    _build(tree, _events(tree, text))
    return tree


def _events(tree: Tree, text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        context = f" {error.context}" if error.context else ""
        tree.fail(at, "well-formed YAML", f"{(error.problem or 'something else').removeprefix('found ')}{context}")
    except yaml.reader.ReaderError as error:
        tree.fail(_character(text, error.position), "printable text", f"the character U+{_code(error):04X}")
    except yaml.YAMLError as error:
        tree.fail((1, 1), "well-formed YAML", short(str(error)))


def _code(error: yaml.reader.ReaderError) -> int:
    character: Any = error.character
    return character if isinstance(character, int) else ord(str(character)[:1] or "\0")


def _character(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - before.rfind("\n")


def _build(tree: Tree, events: Iterator[Any]) -> None:
    stack: list[_Open] = []
    documents = 0
    for event in events:
        at = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                tree.fail(at, "one document", "a second one")
            if event.tags:
                tree.fail(at, "no tags", "a %TAG directive")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        _refuse_indirection(tree, at, event)
        if stack and isinstance(stack[-1].value, dict) and stack[-1].key is None:
            _take_key(tree, at, event, stack[-1])
            continue
        value, opens = _value(tree, at, event)
        pointer = _place(tree, at, value, stack)
        if isinstance(event, yaml.ScalarEvent) and isinstance(value, bool | int | float):
            tree.written[pointer] = event.value
        if opens:
            stack.append(_Open(value, pointer))
            if len(stack) > MAX_DEPTH:
                tree.fail(at, f"at most {MAX_DEPTH} levels", "one more")


def _refuse_indirection(tree: Tree, at: tuple[int, int], event: yaml.NodeEvent) -> None:
    if isinstance(event, yaml.AliasEvent):
        tree.fail(at, "a value", f"the alias *{event.anchor}")
    if event.anchor is not None:
        tree.fail(at, "no anchors", f"the anchor &{event.anchor}")
    if (tag := getattr(event, "tag", None)) is not None:
        tree.fail(at, "no tags", f"the tag {short(tag)}")


def _take_key(tree: Tree, at: tuple[int, int], event: yaml.NodeEvent, mapping: _Open) -> None:
    if not isinstance(event, yaml.ScalarEvent):
        tree.fail(at, "a key that is text", "a list or mapping as a key")
    key = event.value
    if _plain(event):
        if key == "<<":
            tree.fail(at, "no merge keys", "<<")
        if not isinstance(resolved := _resolve(tree, at, key), str):
            tree.fail(at, "a key that is text", f"{short(resolved)} (put it in quotes)")
    if key in mapping.value:
        first = tree.marks[(*mapping.pointer, key)].key
        tree.fail(at, f"each key once ({short(key)} stands at line {first[0]})", f"{short(key)} again")
    mapping.key, mapping.key_at = key, at


def _value(tree: Tree, at: tuple[int, int], event: yaml.NodeEvent) -> tuple[object, bool]:
    if isinstance(event, yaml.MappingStartEvent):
        return {}, True
    if isinstance(event, yaml.SequenceStartEvent):
        return [], True
    assert isinstance(event, yaml.ScalarEvent)  # the one kind of node that is left
    return (_resolve(tree, at, event.value) if _plain(event) else event.value), False


def _place(tree: Tree, at: tuple[int, int], value: object, stack: list[_Open]) -> Pointer:
    if not stack:
        tree.value = value
        tree.marks[()] = Mark(at, at)
        return ()
    parent = stack[-1]
    if isinstance(parent.value, list):
        pointer: Pointer = (*parent.pointer, len(parent.value))
        parent.value.append(value)
        tree.marks[pointer] = Mark(at, at)
        return pointer
    pointer = (*parent.pointer, parent.key or "")
    parent.value[parent.key] = value
    tree.marks[pointer] = Mark(parent.key_at, at)
    parent.key = None
    return pointer


def _plain(event: yaml.ScalarEvent) -> bool:
    return bool(event.implicit[0])


def _resolve(tree: Tree, at: tuple[int, int], text: str) -> str | int | float | bool | None:
    """A plain scalar by the core schema of YAML 1.2 (section 10.3.2); what is not finite is refused."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text) or _BASED.fullmatch(text):
        if len(text) > MAX_DIGITS:
            tree.fail(at, f"a number of at most {MAX_DIGITS} digits", f"{len(text):,}")
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    number = float(text) if _FLOAT.fullmatch(text) else None
    if _NOT_FINITE.fullmatch(text) or (number is not None and not isfinite(number)):
        tree.fail(at, "a finite number", short(text))
    return text if number is None else number
