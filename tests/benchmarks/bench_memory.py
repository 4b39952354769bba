"""Peak private memory of full checks of sparse files and pairs of 20 GB, against the bound of 300 MB."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sparse_pairs import KINDS, write
from timing import Row

_MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def sparse_model(path: Path, tensors: int = 10, rows: int = 500_000, columns: int = 2048) -> None:
    """A safetensors file of `tensors` BF16 matrices of 2 GB each; nothing but its header takes room on disk."""
    size = 2 * rows * columns
    header = {
        f"model.layers.{n}.mlp.up_proj.weight": {
            "dtype": "BF16", "shape": [rows, columns], "data_offsets": [n * size, (n + 1) * size],
        }
        for n in range(tensors)
    }  # fmt: skip
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + tensors * size)


def rows(model: Path, runs: int) -> Iterator[Row]:
    """One run: memory does not depend on the machine's mood."""
    with tempfile.TemporaryDirectory(dir=model.parent) as folder:
        path = Path(folder) / "sparse.safetensors"
        sparse_model(path)
        yield _row("sparse 20 GB file", str(path))
        for kind in KINDS:
            target, source = write(kind, Path(folder))
            yield _row(f"sparse pair of 20 GB each, {kind}", str(target), "--against", str(source))


def _row(words: str, *arguments: str) -> Row:
    """The peak of one check."""
    contracts = str(Path(sys.executable).with_name("contracts"))
    peak = peak_of([contracts, "check", *arguments], ("1", "3"))
    return Row(f"peak memory, {words}", "300 MB", peak, 300, 1.0, "at most", "MB")


def peak_of(command: list[str], codes: tuple[str, ...] = ("0",)) -> float:
    """The most memory in megabytes that a command of its own takes."""
    done = subprocess.run([sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True, check=True)
    code, peak = done.stdout.split()
    assert code in codes, done.stdout
    return int(peak) / 1024
