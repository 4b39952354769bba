"""Owns the step from plain values to a typed object: pydantic's errors come out with file, line and column."""

from __future__ import annotations

import json
from types import UnionType
from typing import Annotated, Any, TypeGuard, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from model_contracts.definitions.errors import DefinitionError, nearest, short
from model_contracts.definitions.tree import Mark, Pointer, Tree
from model_contracts.invariant import Definition, Origin

M = TypeVar("M", bound=BaseModel)

#: Our words for pydantic's.
_WORDS = {
    "text": "a valid string",
    "a list": "a valid array",
    "true or false": "a valid boolean",
    "a whole number": "a valid integer",
    "a number": "a valid number",
    "text that matches": "String should match pattern",
    "a mapping": "an object",
}


class Text(Origin):
    """An Origin that also knows columns, for errors found after loading."""

    def __init__(self, tree: Tree, digest: str) -> None:
        super().__init__(tree.file, {pointer: mark.key[0] for pointer, mark in tree.marks.items()}, digest)
        self.marks = tree.marks


def build(cls: type[M], tree: Tree) -> M:
    """`tree` as a `cls`; the first of pydantic's errors becomes the DefinitionError."""
    if not isinstance(tree.value, dict):
        tree.fail((1, 1), "a mapping with the keys of a definition", short(tree.value))
    _name(tree, getattr(cls, "NAMES", ()))
    return _typed(cls, tree.value, tree.file, tree.marks, ())


def _name(tree: Tree, names: tuple[Pointer, ...]) -> None:
    """Make numbers the text that is written where a definition has names; lists of names item by item."""
    for pointer, text in tree.written.items():
        parent: Any = tree.value
        if pointer in names or (pointer[:-1] in names and isinstance(pointer[-1], int)):
            for step in pointer[:-1]:
                parent = parent[step]
            parent[pointer[-1]] = text


def parameters(cls: type[M], value: object, definition: Definition, *pointer: str | int) -> M:
    """Parameters (those of a gate, typed by its kind of check) as a `cls`; errors point into the definition."""
    origin = definition._origin
    marks = origin.marks if isinstance(origin, Text) else {}
    file = definition.where(*pointer) if not marks else origin.file if origin else definition.id
    return _typed(cls, value, file, marks, pointer)


def _typed(cls: type[M], value: object, file: str, marks: dict[Pointer, Mark], base: Pointer) -> M:
    try:
        # Through JSON, strictly: `"3"` is no number and `yes` no boolean, while a list still becomes a tuple.
        return cls.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise _located(cls, error, file, marks, base) from None


def faults(cls: type[M], tree: Tree) -> list[DefinitionError]:
    """Everything that keeps `tree` from being a `cls`, one a place."""
    try:
        build(cls, tree)
    except DefinitionError as first:
        try:
            cls.model_validate_json(json.dumps(tree.value), strict=True)
        except ValidationError as error:
            found = [_one(cls, one, tree.file, tree.marks, ()) for one in error.errors(include_url=False)]
            return list({(one.line, one.column, "key" in one.expected): one for one in reversed(found)}.values())[::-1]
        return [first]
    return []


def _located(
    cls: type, error: ValidationError, file: str, marks: dict[Pointer, Mark], base: Pointer
) -> DefinitionError:
    # A key that is not known comes first: it is often the misspelling of one that is missing.
    first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
    return _one(cls, first, file, marks, base)


def _one(cls: type, first: Any, file: str, marks: dict[Pointer, Mark], base: Pointer) -> DefinitionError:
    kind, loc = first["type"], first["loc"]
    if kind == "missing":
        inside, missing = _follow(marks, (*base, *loc[:-1]), base), loc[-1]
        return DefinitionError(file, *_at(marks, inside, "value"), f"the key {missing!r}", "no such key")
    pointer = _follow(marks, (*base, *loc), base)
    if kind == "extra_forbidden":
        fields = _fields(cls, loc[:-1])
        name = str(loc[-1])
        expected = f"one of the keys {', '.join(fields)}" if fields else "no keys"
        return DefinitionError(file, *_at(marks, pointer, "key"), expected, f"{name!r}{nearest(name, fields)}")
    expected = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    for ours, theirs in _WORDS.items():
        expected = expected.replace(theirs, ours)
    side = "key" if loc and loc[-1] == "[key]" else "value"
    return DefinitionError(file, *_at(marks, pointer, side), expected, short(first["input"]))


def _at(marks: dict[Pointer, Mark], pointer: Pointer, side: str) -> tuple[int | None, int | None]:
    mark = marks.get(pointer)
    if mark is None:
        return None, None
    return mark.key if side == "key" else mark.value


def _follow(marks: dict[Pointer, Mark], loc: Pointer, base: Pointer) -> Pointer:
    """The deepest marked place along a `loc`, whose steps through unions and key checks are no keys of ours."""
    pointer = base
    while pointer and pointer not in marks:
        pointer = pointer[:-1]
    for step in loc[len(base) :]:
        if (*pointer, step) in marks:
            pointer = (*pointer, step)
    return pointer


def _fields(cls: object, loc: Pointer) -> list[str]:
    """The keys of the model at `loc`, followed through the annotations of the fields."""
    models: list[object] = [cls]
    for step in loc:
        models = [inner for model in models for inner in _step(model, step)]
    return sorted({name for model in models if _is_model(model) for name in model.model_fields})


def _step(annotation: object, step: str | int) -> list[object]:
    if _is_model(annotation):
        field = annotation.model_fields.get(str(step))
        return _alternatives(field.annotation) if field else []
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (tuple, list) and isinstance(step, int):
        return _alternatives(arguments[0])
    if origin is dict:
        return _alternatives(arguments[1])
    return [annotation]  # a step into a union: pydantic names the branch, we hold every branch already


def _alternatives(annotation: object) -> list[object]:
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [inner for part in get_args(annotation) for inner in _alternatives(part)]
    return [annotation]


def _is_model(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
