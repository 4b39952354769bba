"""A whole conversion, its check against the source included, against copying the same file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench_commands import installed
from timing import Row, command, side_by_side


def rows(model: Path, runs: int) -> Iterator[Row]:
    """BF16 safetensors to an F16 GGUF, both in the page cache, written where the model lies."""
    with tempfile.TemporaryDirectory(dir=model.parent) as folder:
        target, copy = Path(folder) / "out.gguf", Path(folder) / "copy"
        # A reflink would copy nothing.
        theirs = command(["cp", "--reflink=never", str(model / "model.safetensors"), str(copy)])
        ours = command([installed(), "convert", str(model), str(target), "--dtype", "F16"])

        def clean() -> None:
            for path in (target, copy):
                path.unlink(missing_ok=True)

        convert, cp = side_by_side(ours, theirs, runs, before=clean)
        yield Row("contracts convert BF16 to F16 GGUF, 988 MB, checked", "cp of the file", convert, cp, 3.0, "at most")
