"""Owns whether a condition of a sign holds of a record; every form takes time in proportion to the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from model_contracts.sign import Condition, literal

Names = frozenset[str]
#: `Qwen2.5-Coder-0`: a version with a dot, and the digits before a size's dot, where no size stands yet.
_CUT = re.compile(r".*[0-9]\.[0-9].*[-_][0-9]{1,2}")
_SIZE = re.compile(r"[0-9][bBmM](?![A-Za-z])")
#: A line from its first character that is no space.
_LINE = re.compile(r"\S[^\n]*")
_MOST_WORDS = 32
_EXTENSIONS = {"apr", "gguf", "safetensors", "json", "bin"}


def holds(condition: Condition, record: dict[str, Any], names: Names) -> bool:
    """Whether one of the condition's fields is as its one form says; `names` are those of the models in the file."""
    (form,) = condition.forms()
    given = getattr(condition, form)
    asked = _FORMS[form]
    return any(asked(list(_values(record, path.split("."))), given, names) for path in condition.fields)


def _values(value: object, path: list[str]) -> Iterator[object]:
    """The values at a path; an absent key is None, and `*` is every item."""
    if not path:
        yield value
    elif path[0] == "*":
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for item in items:
            yield from _values(item, path[1:])
    else:
        yield from _values(value.get(path[0]) if isinstance(value, dict) else None, path[1:])


def _texts(values: list[object]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str))


def _equals(values: list[object], wanted: tuple[object, ...], _: Names) -> bool:
    return any(_same(value, one) for value in values for one in wanted)


def _differs(values: list[object], known: tuple[object, ...], _: Names) -> bool:
    return any(value is not None and not any(_same(value, one) for one in known) for value in values)


def _same(value: object, wanted: object) -> bool:
    """JSON's equality: 0 is 0.0 and is not false."""
    return isinstance(value, bool) == isinstance(wanted, bool) and value == wanted


def _blank(values: list[object], _: bool, __: Names) -> bool:
    return all(value is None or (isinstance(value, str | list | dict) and not _stripped(value)) for value in values)


def _stripped(value: str | list[Any] | dict[str, Any]) -> object:
    return value.strip() if isinstance(value, str) else value


def _contains(values: list[object], wanted: tuple[str, ...], _: Names) -> bool:
    return any(one in text for text in _texts(values) for one in wanted)


def _ends_with(values: list[object], wanted: tuple[str, ...], _: Names) -> bool:
    return any(text.rstrip().endswith(wanted) for text in _texts(values))


def _line_like(values: list[object], patterns: tuple[str, ...], _: Names) -> bool:
    return any(
        fnmatchcase(line, pattern)
        for text in _texts(values)
        for pattern in patterns
        for line in _lines_with(text, literal(pattern))
    )


def _lines_with(text: str, part: str) -> Iterator[str]:
    """The lines that contain a part: found in the whole text, since most lines of a long one do not."""
    at = text.find(part)
    while at >= 0:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[text.rfind("\n", 0, at) + 1 : end].strip()
        at = text.find(part, end)


def _only_lines_like(values: list[object], patterns: tuple[str, ...], _: Names) -> bool:
    return any(
        all(any(fnmatchcase(line[0].rstrip(), pattern) for pattern in patterns) for line in _LINE.finditer(text))
        for text in _texts(values)
    )


def _name_cut_after(values: list[object], before: str, names: Names) -> bool:
    for text in _texts(values):
        for line in _lines_with(text, before):
            if _is_cut(line.partition(before)[2], names):
                return True
    return False


def _is_cut(text: str, names: Names) -> bool:
    """Whether a path in a text (names of folders may hold spaces) ends in a model's name up to one of its dots."""
    return any(_cut_file(word.strip("'\"`,;:()"), names) for word in text.split()[:_MOST_WORDS])


def _cut_file(path: str, names: Names) -> bool:
    """Whether the file of a path is a model's name up to one of the name's dots, with an extension put on it."""
    *folders, file = path.replace("\\", "/").split("/")
    kept, dot, extension = file.rpartition(".")
    known = {*names, *folders}
    if not dot or extension.lower() not in _EXTENSIONS or kept in names:
        return False
    longer = (name[len(kept) + 1 :] for name in known if name.startswith(f"{kept}."))
    if any(rest.lower() not in _EXTENSIONS for rest in longer):
        return True
    return _CUT.fullmatch(kept[:200]) is not None and _SIZE.search(kept[:200]) is None


_FORMS: dict[str, Callable[[list[object], Any, Names], bool]] = {
    "equals": _equals,
    "differs": _differs,
    "blank": _blank,
    "contains": _contains,
    "ends_with": _ends_with,
    "line_like": _line_like,
    "only_lines_like": _only_lines_like,
    "name_cut_after": _name_cut_after,
}
