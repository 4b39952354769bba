"""A room of `compat/` could be deleted whole: only its doors import it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from support.source_trees import tree_of

PACKAGE = Path(__file__).parents[2] / "src" / "model_contracts"
ROOM = "model_contracts.compat"
#: Modules outside that import it, and what each would lose with it.
DOORS = {
    "qualification/reading.py": "playbooks of the founding system",
    "cli/founding.py": "the report of its evidence",
    "schemas/generated.py": "the schema of its evidence",
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported, wherever in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_only_the_doors_import_the_files_of_other_systems() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "compat" not in path.relative_to(PACKAGE).parts
        and any(name.startswith(ROOM) for name in imported(tree_of(path)))
    }
    assert found == set(DOORS)


def test_an_import_elsewhere_would_be_seen() -> None:
    for text in ("from model_contracts import compat", f"def f():\n    import {ROOM}.apr_qa", f"from {ROOM} import x"):
        assert any(name.startswith(ROOM) for name in imported(ast.parse(text))), text
