"""Owns the options that a run is judged by: waivers, a baseline, and what to fail on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_contracts import door
from model_contracts.cli.world import holds

if TYPE_CHECKING:
    from model_contracts.engine.judging import Judging

WAIVERS, CONTRACT = "waivers.yaml", "contracts.yaml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    group = parser.add_argument_group("what closes the gate")
    group.add_argument(
        "--waivers", metavar="FILE", type=Path, help="exceptions, each with an owner and a day on which it ends"
    )
    group.add_argument(
        "--baseline", metavar="DIR", type=Path, help="let through what did not hold there (contracts baseline DIR)"
    )
    group.add_argument(
        "--fail-on",
        choices=("must", "should", "not-proven", "never"),
        default="must",
        help="what closes it; never: exit 0 but for an error of ours",
    )
    group.add_argument(
        "--not-proven", choices=("fail", "pass"), default="fail", help="whether what is not proven closes it"
    )


def judging(arguments: argparse.Namespace, artifacts: Sequence[Path], contract: str | None = None) -> Judging | None:
    """What was asked for (None: nothing), with the waivers that lie beside a contract that a person chose.

    A person chooses a contract by `--contract FILE`, or by working in its folder. Waivers that lie in the folder of an
    artifact came with it, perhaps: they are not believed unless they are given.
    Raises DefinitionError for a file of waivers that is not one, and Unusable for a baseline, before anything is read.
    """
    nothing = arguments.baseline is None and (arguments.fail_on, arguments.not_proven) == ("must", "fail")
    if nothing and arguments.waivers is None and _beside(contract) is None:
        return None
    from model_contracts.engine.baseline import known_from
    from model_contracts.engine.judging import Judging, read_waivers
    from model_contracts.outcome import Terms

    given: Path | None = arguments.waivers
    notes: tuple[str, ...] = ()
    if given is None and (found := _beside(contract)) is not None:
        given, notes = _believed(found, artifacts)
    return Judging(
        waivers=read_waivers(given) if given is not None else None,
        baseline=known_from(arguments.baseline) if arguments.baseline is not None else None,
        terms=Terms(fail_on=arguments.fail_on, not_proven=arguments.not_proven),
        notes=notes,
    )


def _beside(contract: str | None) -> Path | None:
    """Waivers beside the contract that was named, else beside that of the working folder."""
    named = contract is not None and contract.endswith((".yaml", ".yml"))
    chosen = Path(contract) if named and contract is not None else Path.cwd() / CONTRACT
    found = chosen.parent / WAIVERS
    return found if door.is_regular(chosen) and door.is_regular(found) else None


def _believed(found: Path, artifacts: Sequence[Path]) -> tuple[Path | None, tuple[str, ...]]:
    if any(holds(artifact, found.parent.absolute()) for artifact in artifacts):
        return None, (f"{found} lies in the folder of the artifact and is not believed: --waivers FILE gives it",)
    return found, ()
