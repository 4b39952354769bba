"""Owns `contracts completion`: what a shell has to run so that it completes commands, options, gates and names.

argcomplete answers the shell; gates, contracts and recipes come from the catalogue, so that no definition is parsed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

SHELLS = ("bash", "zsh", "fish")
#: Where the shell says what was typed so far.
LINE = "COMP_LINE"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to complete")


def run(arguments: argparse.Namespace) -> int:
    """0; the script is printed."""
    import argcomplete

    print(argcomplete.shellcode(["contracts"], shell=arguments.shell))  # type: ignore[attr-defined]
    return 0


def complete(parser: argparse.ArgumentParser, chosen: argparse.ArgumentParser | None) -> None:
    """Answer the shell and end the process. Raises nothing: a shell that is not answered shows nothing."""
    import argcomplete

    for action in chosen._actions if chosen is not None else ():
        names = _NAMED.get(action.metavar) if isinstance(action.metavar, str) else None
        if names is not None:
            action.completer = _those(names)  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options="long")


def _those(names: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    return lambda prefix, **_: [name for name in names() if name.startswith(prefix)]


def _gates() -> Iterable[str]:
    from model_contracts.definitions.catalogue import listed

    return dict.fromkeys(row[0] for row in listed("gates")[1:])


def _contracts() -> Iterable[str]:
    from model_contracts.definitions.catalogue import listed

    return [row[0] for row in listed("contracts")[1:]]


def _recipes() -> Iterable[str]:
    from model_contracts.definitions.catalogue import recipe_names

    return recipe_names()


def _explained() -> Iterable[str]:
    from model_contracts.definitions.catalogue import listed

    return [*_gates(), *(row[0] for name in ("invariants", "contracts", "engines") for row in listed(name)[1:])]


#: How an argument shows what it takes, to what it may be.
_NAMED: dict[str, Callable[[], Iterable[str]]] = {
    "GATE": _gates,
    "ID|FILE": _contracts,
    "RECIPE": _recipes,
    "GATE|ID|WORD": _explained,
}
