"""Owns which definitions and plugins a command works with: those of its words, and of the working folder's project."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from model_contracts import door
from model_contracts.terminal import safe

PROJECT = "pyproject.toml"
_LIMIT = 1 << 20
_KEYS = ("definitions", "plugins")
#: Words of commands that name artifacts.
_ARTIFACTS = ("paths", "path", "against", "source", "model", "model_path", "init", "directory")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments, to every command that loads definitions."""
    group = parser.add_argument_group("definitions and plugins of others")
    group.add_argument(
        "--definitions", metavar="DIR", type=Path, action="append", help="open a folder of definitions (repeat)"
    )
    group.add_argument(
        "--plugins", metavar="NAME", action="append", help="use an installed package's kinds, reporters, runtimes"
    )


class WorldAsked(NamedTuple):
    """Folders of definitions and names of plugins."""

    definitions: tuple[Path, ...] = ()
    plugins: tuple[str, ...] = ()


def enter(arguments: argparse.Namespace) -> None:
    """Open what the words and the project of the working folder name. Raises DefinitionError, PluginRefused."""
    project = _project(arguments)
    folders = (*(getattr(arguments, "definitions", None) or ()), *project.definitions)
    names = (*(getattr(arguments, "plugins", None) or ()), *project.plugins)
    names = tuple(name for text in names for name in text.split(",") if name)
    if names:
        _name(names)
    if folders:
        from model_contracts.definitions.folders import open_all
        from model_contracts.definitions.known import use
        from model_contracts.definitions.loading import hold_own

        use(open_all(folders))
        hold_own()


def _name(names: tuple[str, ...]) -> None:
    from model_contracts import plugins
    from model_contracts.checks import OUR_KINDS
    from model_contracts.qualification.gates import GATES
    from model_contracts.reporters import REPORTERS
    from model_contracts.runtimes import our_names

    plugins.use(names)
    plugins.refuse_shadows("kinds", (*OUR_KINDS, *GATES))
    plugins.refuse_shadows("reporters", tuple(REPORTERS))
    plugins.refuse_shadows("runtimes", our_names())


def _project(arguments: argparse.Namespace) -> WorldAsked:
    """What pyproject.toml of the working folder asks for: nothing where the folder is that of an artifact.

    A downloaded folder may hold a pyproject.toml, and a person may have gone there.
    """
    here = Path.cwd()
    if not os.path.lexists(PROJECT):
        return WorldAsked()
    try:
        data = door.read(here / PROJECT, _LIMIT)
    except OSError:
        return WorldAsked()  # the file is another program's first of all
    if b"model-contracts" not in data or not any(key.encode() in data for key in _KEYS):
        return WorldAsked()
    asked = _read(here, data)
    if (asked.definitions or asked.plugins) and any(holds(place, here) for place in _artifacts(arguments)):
        said = f"{PROJECT} lies beside the artifact: what it names is not opened (--definitions and --plugins open it)"
        print(f"contracts: {safe(said)}", file=sys.stderr)
        return WorldAsked()
    return asked


def _read(here: Path, data: bytes) -> WorldAsked:
    import tomllib

    from model_contracts.definitions.errors import DefinitionError, nearest, short

    try:
        tree: Any = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DefinitionError(PROJECT, None, None, "TOML", " ".join(str(error).split())[:100]) from None
    tool = tree.get("tool")
    table = tool.get("model-contracts") if isinstance(tool, dict) else None
    if table is None:
        return WorldAsked()
    where = f"{PROJECT} [tool.model-contracts]"
    if not isinstance(table, dict):
        raise DefinitionError(where, None, None, "a table", short(table))
    for key, value in table.items():
        if key not in _KEYS:
            raise DefinitionError(where, None, None, f"one of {', '.join(_KEYS)}", f"{key!r}{nearest(key, _KEYS)}")
        if not isinstance(value, list) or not all(isinstance(one, str) and one and "\0" not in one for one in value):
            raise DefinitionError(where, None, None, f"{key} as a list of texts", short(value))
    return WorldAsked(tuple(here / name for name in table.get("definitions", ())), tuple(table.get("plugins", ())))


def _artifacts(arguments: argparse.Namespace) -> Iterator[Path]:
    for word in _ARTIFACTS:
        value = getattr(arguments, word, None)
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, Path):
                yield one


def holds(artifact: Path, here: Path) -> bool:
    """Whether a folder is the artifact's own, or lies in it; links followed and not."""
    own = artifact if os.path.isdir(artifact) else artifact.parent  # noqa: PTH112 -- raises for nothing
    for place in (Path(os.path.abspath(own)), Path(os.path.realpath(own))):  # noqa: PTH100 -- both
        for at in (here, Path(os.path.realpath(here))):
            if at == place or place in at.parents:
                return True
    return False
