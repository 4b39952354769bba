"""Writes docs/api.md from the docstrings of `model_contracts.api`: `python -m support.api_page`, in `tests/`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import model_contracts
from model_contracts import api

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
HEAD = """# The API

What the command does, a program does with these names of `model_contracts`. `import model_contracts` loads nothing of
them; each is loaded when it is asked for. All of it is typed (`py.typed`).

Errors of a person are exceptions. What a file holds is an outcome, never an exception.
`tests/docs/test_api_page.py` writes this page from the docstrings and runs its examples.
"""
#: What is told first.
ORDER = ("check", "Outcomes", "Checked", "open_artifact", "convert", "load_evidence")


def page() -> str:
    """The page."""
    names = [*ORDER, *sorted(set(model_contracts.__all__) - set(ORDER))]
    return HEAD + "".join(f"\n## {name}\n\n" + "\n".join(_of(name)) + "\n" for name in names)


def _of(name: str) -> Iterator[str]:
    what = getattr(model_contracts, name)
    if inspect.isfunction(what):
        yield f"```python\n{_signature(name, what)}\n```\n"
    yield _told(api.__test__.get(name) or inspect.getdoc(what) or "")
    if name in api.__test__ and (fields := getattr(what, "model_fields", None)):
        yield "\nFields: " + ", ".join(f"`{field}`" for field in fields) + "."
    for method, member in vars(what).items() if inspect.isclass(what) and name not in api.__test__ else ():
        called = member.fget if isinstance(member, property) else member
        if method.startswith("_") or not callable(called):
            continue
        shown = f".{method}" if isinstance(member, property) else _signature(f".{method}", member)
        yield f"\n`{shown}`: {' '.join((inspect.getdoc(called) or '').split())}"


def _signature(name: str, what: Any) -> str:
    signature = inspect.signature(what)
    mine = [one for one in signature.parameters.values() if one.name != "self"]
    text = name + str(signature.replace(parameters=mine)).replace("'", "")
    return text if len(text) <= 80 or name[0] == "." else re.sub(r"^(\w+)\((.*)\) ->", _apart, text)


def _apart(found: re.Match[str]) -> str:
    return f"{found[1]}(\n    " + re.sub(r", (?=\w+:|\*)", ",\n    ", found[2]) + ",\n) ->"


def _told(docstring: str) -> str:
    """A docstring as Markdown: examples stand in blocks."""
    head, _, rest = docstring.partition("\n")
    lines = [head, *dedent(rest).splitlines()]
    text, inside = [], False
    for line in lines:
        if line.startswith(">>>") and not inside:
            text.append("```pycon")
            inside = True
        if inside and not line.strip():
            text.append("```")
            inside = False
        text.append(line.replace("`", "`"))
    return "\n".join(text).rstrip() + ("\n```" if inside else "")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
