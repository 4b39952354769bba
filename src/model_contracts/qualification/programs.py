"""Owns the programs of a system under test: where their definitions are, and what causes call them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model_contracts.converter import CommandConverter
from model_contracts.definitions import DefinitionError, load, load_converter, shipped_ids
from model_contracts.invariant import Definition
from model_contracts.playbook import System
from model_contracts.runtime import CommandRuntime
from model_contracts.runtimes import RUNTIMES, names

_FILES = (".yaml", ".yml")


def beside(system: System, file: Path) -> System:
    """The system with the files that it names found from its own folder."""
    runtimes = {format: _from(file.parent, name) for format, name in system.runtimes.items()}
    return system.model_copy(update={"converter": _from(file.parent, system.converter), "runtimes": runtimes})


def refuse_programs(system: System) -> None:
    """Raises DefinitionError for a system that names a converter or a runtime which is not shipped, by the file of it.

    Such a file names a program, and those come from the command line (--system FILE, --converter FILE).
    """
    converters = ("builtin", *(name.removeprefix("converters/") for name in shipped_ids("converter")))
    if system.converter.removeprefix("converters/") not in converters:
        expected = f"a shipped converter ({', '.join(converters)}): a program comes from the command line"
        raise DefinitionError(system.where("converter"), None, None, expected, repr(system.converter))
    for format, name in system.runtimes.items():
        if name not in names():
            expected = f"a runtime ({', '.join(names())}): a program comes from the command line"
            raise DefinitionError(system.where("runtimes", format), None, None, expected, repr(name))


def _from(folder: Path, name: str) -> str:
    return str(folder / name) if name.endswith(_FILES) and name not in shipped_ids("converter") else name


def converter_of(system: System) -> CommandConverter | None:
    """The converter under test where it is a program of others. Raises DefinitionError."""
    name = system.converter
    if name == "builtin":
        return None
    return load_converter(f"converters/{name}" if f"converters/{name}" in shipped_ids("converter") else name)


def runtime_of(name: str) -> CommandRuntime | None:
    """A runtime that is a program of others; None for ours, and for a name that nothing is called."""
    if name in RUNTIMES:
        return None
    if name.endswith(_FILES):
        return load(CommandRuntime, name)
    known = f"runtimes/{name}"
    return load(CommandRuntime, known) if known in shipped_ids("runtime") else None


def definitions(system: System) -> Iterator[Definition]:
    """The definitions of its programs: what a run of it stands on. Raises DefinitionError."""
    if (converter := converter_of(system)) is not None:
        yield converter
    for name in dict.fromkeys(system.runtimes.values()):
        if (runtime := runtime_of(name)) is not None:
            yield runtime


def converter_name(system: System) -> str:
    """The converter as causes name it: its id without its folder, never a path of this machine."""
    converter = converter_of(system)
    return "builtin" if converter is None else converter.id.removeprefix("converters/")


def runtime_name(name: str) -> str:
    """A runtime as causes name it."""
    runtime = runtime_of(name) if name.endswith(_FILES) else None
    return name if runtime is None else runtime.id.removeprefix("runtimes/")
