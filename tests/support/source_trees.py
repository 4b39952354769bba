"""Owns the source as it is parsed: once a process, whichever law looks at it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def tree_of(path: Path) -> ast.Module:
    """A Python file, parsed; nobody changes it."""
    return ast.parse(path.read_text("utf-8"))
