"""Whole processes through the installed command, against the imports that any such tool pays."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from timing import Row, command, side_by_side

IMPORTS = "import numpy, pydantic, jsonschema, yaml, structlog, hypothesis"
LIGHT = "import pydantic, jsonschema"
TINY = Path(__file__).resolve().parents[1] / "data" / "tiny-qwen2"


def rows(model: Path, runs: int) -> Iterator[Row]:
    """The check of the large and of a small model, and the commands that read no model."""
    contracts = installed()
    weights = str(model / "model.safetensors")
    with tempfile.TemporaryDirectory() as folder:
        check = command([contracts, "check", str(model), "-o", folder])
        baseline = command(
            ["sh", "-c", f"{sys.executable} -c '{IMPORTS}'; cat '{weights}' '{weights}' '{weights}' '{weights}'"]
        )
        ours, theirs = side_by_side(check, baseline, runs)
        yield Row("contracts check, 988 MB", "imports + 4 x cat", ours, theirs, 1.5, "at most")
        imports = command([sys.executable, "-c", IMPORTS])
        ours, theirs = side_by_side(command([contracts, "check", str(TINY), "-o", folder]), imports, 2 * runs)
        yield Row("contracts check, small file", "the same imports", ours, theirs, 1.5, "at most")
        light = command([sys.executable, "-c", LIGHT])
        for words in (
            ["evidence", "validate", f"{folder}/evidence.json"],
            ["list"],
            ["explain", "F-CONTRACT-I4-002"],
            ["--help"],
        ):
            ours, theirs = side_by_side(command([contracts, *words]), light, 2 * runs)
            yield Row(f"contracts {' '.join(words[:2])}".replace(folder, ""), LIGHT, ours, theirs, 1.5, "at most")


def installed() -> str:
    """The command beside this Python, else the one on the path."""
    beside = Path(sys.executable).with_name("contracts")
    found = str(beside) if beside.exists() else shutil.which("contracts")
    if found is None:
        raise SystemExit("the command `contracts` is not installed beside this Python")
    subprocess.run([found, "--version"], check=True, stdout=subprocess.DEVNULL)
    return found
