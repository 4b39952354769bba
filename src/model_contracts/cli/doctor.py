"""Owns `contracts doctor`: what is installed here, what is missing and how to get it, and what would be slow."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from model_contracts.terminal import columns, safe, safe_json

#: What each extra brings, and what it is for.
_EXTRAS = {
    "transformers": (("torch", "transformers", "tokenizers", "jinja2"), "running safetensors, .apr and GGUF in torch"),
    "llamacpp": (("xllamacpp",), "running GGUF as its users do"),
}
_OURS = ("numpy", "numba", "pydantic", "jsonschema", "hypothesis", "gguf", "blake3", "structlog")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is written")


def run(arguments: argparse.Namespace) -> int:
    """0, whatever is missing: what it means is told, and nothing is judged."""
    told = examined()
    if arguments.format == "json":
        import json

        print(safe_json(json.dumps(told, indent=2, ensure_ascii=False)))
        return 0
    print("\n".join(_text(told)))
    return 0


def examined() -> dict[str, Any]:
    """Everything that is told, as JSON values."""
    from model_contracts import resources
    from model_contracts.runtimes import names, runtime
    from model_contracts.system.cores import cores
    from model_contracts.version import version as own

    runtimes = [runtime(name).installed() for name in names()]
    extras = {
        name: {
            "installed": {package: _version(package) for package in packages},
            "for": purpose,
            "get": None if all(map(_version, packages)) else f"pip install 'model-contracts[{name}]'",
        }
        for name, (packages, purpose) in _EXTRAS.items()
    }
    kernels = _kernels()
    return {
        "contracts": own(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": cores(),
        "definitions": str(resources.folder("contracts").parent),
        "libraries": {name: _version(name) for name in _OURS},
        "extras": extras,
        "runtimes": {one.runtime: one.version or ("here" if one.available else None) for one in runtimes},
        "kernels": kernels,
        "slow": [*_slow(kernels)],
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _kernels() -> dict[str, Any]:
    """Whether numba is there, and whether its kernels were compiled before."""
    if importlib.util.find_spec("numba") is None:
        return {"numba": None, "folder": None, "compiled": []}
    try:
        from model_contracts.sweep.kernels.engine_numba import compiled

        folder, kernels = compiled()
        return {"numba": _version("numba"), "folder": str(folder), "compiled": [*kernels]}
    except Exception as error:  # whatever numba raises on a system that it was not built for
        return {"numba": None, "folder": None, "compiled": [], "failed": f"{type(error).__name__}: {error}"}


def _slow(kernels: dict[str, Any]) -> list[str]:
    found = []
    if kernels["numba"] is None:
        found.append("numba is not there: blocks are decoded by numpy, at a third of the speed and on fewer cores")
    elif not kernels["compiled"]:
        found.append("kernels are compiled by the first check of a large file: some ten seconds, once")
    if kernels["folder"] is not None and not _writable(kernels["folder"]):
        found.append(f"{kernels['folder']} cannot be written: kernels are compiled by every run")
    if sys.platform != "linux":
        found.append("measured on Linux alone")
    return found


def _writable(folder: str) -> bool:
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):  # noqa: PTH112, PTH120 -- raises for nothing
        folder = os.path.dirname(folder)  # noqa: PTH120
    return os.access(folder, os.W_OK)


def _text(told: dict[str, Any]) -> list[str]:
    lines = columns(
        [
            ("contracts", f"{told['contracts']}, definitions in {safe(told['definitions'])}"),
            ("python", f"{told['python']} on {told['system']}, {told['cores']} cores to use"),
            ("libraries", ", ".join(f"{name} {found or 'missing'}" for name, found in told["libraries"].items())),
        ]
    )
    lines += ["", "Extras"]
    for name, extra in told["extras"].items():
        here = ", ".join(f"{package} {found or 'missing'}" for package, found in extra["installed"].items())
        lines.append(f"  {name}: {here}, for {extra['for']}" + (f" → {extra['get']}" if extra["get"] else ""))
    lines += ["", "Runtimes (contracts runtimes says what each can do)"]
    lines += [f"  {name}: {found or 'not here'}" for name, found in told["runtimes"].items()]
    kernels = told["kernels"]
    made = f"{len(kernels['compiled'])} compiled in {safe(kernels['folder'])}" if kernels["folder"] else "none"
    lines += ["", f"Kernels: {made}"]
    lines += ["", "Slow", *(f"  · {safe(one)}" for one in told["slow"])] if told["slow"] else []
    return lines
