"""Owns how sub-commands print: the width, whether colours are wanted, and plain or rich tables."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

from model_contracts.terminal import columns


def width() -> int:
    """Columns of the terminal; 100 where there is none."""
    return max(40, min(shutil.get_terminal_size((100, 24)).columns, 160))


def colour(no_color: bool = False) -> bool:
    """Whether stdout wants ANSI colours: a terminal, or FORCE_COLOR; never with `--no-color` or NO_COLOR."""
    if no_color or os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")


def table(rows: Sequence[Sequence[str]], right: Sequence[bool] = (), *, no_color: bool = False) -> None:
    """Print rows: a table where stdout is a terminal, plain aligned columns otherwise."""
    if not rows:
        return
    lines = columns(rows, right)
    # A table wider than the terminal would fold names, and a folded name cannot be searched for.
    if not colour(no_color) or max(map(len, lines)) > shutil.get_terminal_size((100, 24)).columns:
        print("\n".join(lines))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(header_style="bold", box=None, pad_edge=False)
    for at, name in enumerate(rows[0]):
        shown.add_column(name, justify="right" if at < len(right) and right[at] else "left", no_wrap=True)
    for row in rows[1:]:
        shown.add_row(*(Text(cell) for cell in row))  # Text: square brackets in a name are no markup
    Console().print(shown)
