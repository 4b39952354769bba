"""Owns how a sign of an audit is explained: what it speaks about, where it looks, what a person is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from model_contracts.definitions.outline import Outline, outlines
from model_contracts.terminal import Pen, wrap

_VERDICTS = {"green": "a green line that proves nothing", "red": "a red line that is the checker's own fault"}
_EVIDENCE = {"ours": "our evidence", "founding": "the founding system's evidence"}


def explained(name: str, pen: Pen, columns: int) -> Iterator[str]:
    """The lines of a sign's explanation; none where no sign has that id."""
    for sign in outlines("audit"):
        if sign.id in (name, f"audit/{name}"):
            yield from _lines(sign, pen, columns)


def _lines(sign: Outline, pen: Pen, columns: int) -> Iterator[str]:
    yield f"{pen('bold', sign.id)}  {sign.get('title')}  {pen('dim', sign.where('id'))}"
    yield from wrap(sign.get("reason"), columns, "  ")
    whose = " and ".join(_EVIDENCE[form] for form in sign.get("evidence"))
    yield f"  Speaks of: {_VERDICTS[sign.get('verdict')]}, in {whose}"
    yield from wrap(f"Gates: {', '.join(sign.get('gates', ['any']))}", columns, "  ", "    ")
    for at, conditions in enumerate(sign.get("any")):
        yield f"  {'or where' if at else 'Where'}  {pen('dim', sign.where('any', at))}"
        for condition in conditions:
            yield from wrap(_condition(condition), columns, "    - ")
    for condition in sign.get("unless", []):
        yield from wrap(_condition(condition), columns, "  unless ", "    ")
    yield from wrap(f"Source: {sign.get('source')}", columns, "  ", "    ")


def _condition(condition: dict[str, Any]) -> str:
    (form,) = condition.keys() - {"fields"}
    given = condition[form]
    words = {"blank": "is blank", "differs": "is there and is not"}.get(form, form.replace("_", " "))
    values = given if isinstance(given, list) else [given]
    said = "" if form == "blank" else " " + " or ".join(json.dumps(value, ensure_ascii=False) for value in values)
    return f"{' or '.join(condition['fields'])} {words}{said}"
