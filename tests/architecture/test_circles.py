"""No two modules need each other, not even for a type: what both need stands where both can see it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from support.source_trees import tree_of

SOURCE = Path(__file__).parents[2] / "src"


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return ".".join((*parts[:-1], path.name.removesuffix(".py"))).removesuffix(".__init__")


def imported(tree: ast.AST, known: set[str]) -> Iterator[str]:
    """The modules of ours that a file imports, at its head, in a function or for types alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield from {whole if whole in known else node.module} & known
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & known


def graph() -> dict[str, set[str]]:
    paths = {module_of(path): path for path in (SOURCE / "model_contracts").rglob("*.py")}
    return {name: set(imported(tree_of(path), set(paths))) for name, path in paths.items()}


def test_no_imports_run_in_a_circle() -> None:
    found = graph()
    assert len(found) > 300 and sum(map(len, found.values())) > 1000
    TopologicalSorter(found).prepare()


def test_a_circle_would_be_seen() -> None:
    text = "def f():\n    from m.b import x\n"
    assert list(imported(ast.parse(text), {"m.b"})) == ["m.b"]
    with pytest.raises(CycleError):
        TopologicalSorter({"m.a": {"m.b"}, "m.b": {"m.a"}}).prepare()
