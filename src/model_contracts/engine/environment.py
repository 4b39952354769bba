"""Owns what is recorded of the machine and the libraries a run stood on."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from model_contracts.outcome import Host

_LIBRARIES = ("numpy", "numba", "gguf", "hypothesis", "jsonschema", "pydantic", "blake3")


@cache
def host() -> Host:
    """The machine."""
    return Host(
        hostname=platform.node(),
        os=f"{platform.system()} {platform.release()}",
        cpu=platform.machine(),
        python=platform.python_version(),
    )


@cache
def environment() -> dict[str, str]:
    """Versions of the libraries that can change a number."""
    found: dict[str, str] = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
