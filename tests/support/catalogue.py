"""Writes contracts/catalogue.json: run `python -m support.catalogue` in tests/ after a definition changed."""

from __future__ import annotations

import json
from pathlib import Path

from model_contracts.definitions import catalogue

FILE = Path(__file__).resolve().parents[2] / "contracts" / catalogue.FILE


def text() -> str:
    """The catalogue as it is to lie there: a line for each row, so that two changes merge."""
    found = catalogue.made()
    lists = ",\n".join(
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"
        for name, rows in found["lists"].items()
    )
    recipes, digest = json.dumps(found["recipes"]), json.dumps(found["digest"])
    return f'{{"digest": {digest},\n"recipes": {recipes},\n"lists": {{\n{lists}\n}}}}\n'


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
