"""The line by which an editor finds the schema of a shipped file.

`python -m support.schema_lines`, run in `tests/`, writes it where it is missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from model_contracts import definitions, schemas
from model_contracts.definitions.shipped import shipped_path

ROOT = Path(__file__).resolve().parents[2]


def wanted() -> Iterator[tuple[Path, str]]:
    """Every shipped file, and its line."""
    for kind in definitions.KINDS:
        for name in definitions.shipped_ids(kind):
            path = shipped_path(kind, name)
            yield path, line(path, kind)


def line(path: Path, kind: str) -> str:
    """The line of a file of a kind, relative to where it lies."""
    schema = os.path.relpath(ROOT / "schemas" / schemas.file_name(kind), path.parent)
    return f"# yaml-language-server: $schema={Path(schema).as_posix()}\n"


if __name__ == "__main__":
    for path, text in wanted():
        if not (held := path.read_text("utf-8")).startswith(text):
            path.write_text(text + held, "utf-8")
            print(path.relative_to(ROOT))
