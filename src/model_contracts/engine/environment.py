"""Owns what is recorded of the machine and the libraries a run stood on."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from model_contracts.outcome import Host
from model_contracts.sweep.engines import refused

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


def environment() -> dict[str, str]:
    """Versions of the libraries that can change a number, and `kernels` where numba was to be used and was not."""
    reason = refused()
    return {**_versions(), **({} if reason is None else {"kernels": f"numpy, for numba was not used: {reason}"})}


@cache
def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
