"""Owns how a serving engine is explained: what was read of it, what it takes, and which devices it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_contracts.definitions.outline import Outline, outlines
from model_contracts.terminal import Pen, wrap


def explained(name: str, pen: Pen, columns: int) -> Iterator[str]:
    """The lines of an engine's explanation; none where no engine has that id."""
    for engine in outlines("engine"):
        if engine.id in (name, f"engines/{name}"):
            yield from _lines(engine, pen, columns)


def _lines(engine: Outline, pen: Pen, columns: int) -> Iterator[str]:
    yield f"{pen('bold', engine.id)}  {engine.get('title')}, {engine.get('version')}  {pen('dim', engine.where('id'))}"
    for at, fact in enumerate(engine.get("facts")):
        layouts = f" ({', '.join(fact['layouts'])})" if "layouts" in fact else ""
        yield f"  {', '.join(fact['schemes'])}{layouts}  {pen('dim', engine.where('facts', at))}"
        yield from wrap(f"{_asks(fact)}: {fact['says']}", columns, "    ", "      ")
        yield from wrap(f"read in {fact['file']}", columns, "    ", "      ")
    for scheme, device in engine.get("devices", {}).items():
        yield from wrap(f"{scheme} asks for {device}", columns, "  ", "    ")


def _asks(fact: dict[str, Any]) -> str:
    only = [f"{name} {' or '.join(map(_word, values))}" for name, values in fact.get("only", {}).items()]
    only += [f"{axis} a multiple of {size}" for axis, size in fact.get("multiples", {}).items()]
    return f"takes {'; '.join(only)}, {fact.get('effect', 'refuses')} others"


def _word(value: object) -> str:
    return "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
