"""Owns which version of the program this is: looked up when it is asked for, which takes longer than `--help`."""

from __future__ import annotations


def version() -> str:
    """The version of the installed package; `0+unknown` for a checkout that is not installed."""
    from importlib import metadata

    try:
        return metadata.version("model-contracts")
    except metadata.PackageNotFoundError:
        return "0+unknown"
