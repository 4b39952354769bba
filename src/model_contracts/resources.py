"""Owns where shipped data lies: `_data` inside an installed wheel, the top level of a checkout otherwise."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

Folder = Literal["contracts", "invariants", "schemas"]


@cache
def folder(name: Folder) -> Path:
    """The folder of shipped `contracts`, `invariants` or `schemas`."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "_data" / name, package.parent.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"{name}: the installation carries no such folder of shipped definitions")


def installed() -> bool:
    """Whether the shipped data lies in an installed package, where nobody edits it."""
    return folder("contracts").parent.name == "_data"
