"""Owns the command runtime: a program that somebody else wrote, declared in YAML, run under the same limits."""

from __future__ import annotations

import shutil
from pathlib import Path

from model_contracts.runtime import CommandRuntime
from model_contracts.runtimes.interface import Capability, Installed, Limits, NotInstalled
from model_contracts.runtimes.session.session import ChildSession, absolute


class Command:
    """A runtime made of a definition (see `contracts/runtimes`)."""

    def __init__(self, definition: CommandRuntime) -> None:
        self.definition = definition
        self.name = definition.id.removeprefix("runtimes/")

    def installed(self) -> Installed:
        """See Runtime; the program is looked for, and not run."""
        known, found = self.definition, set[Capability]()
        for capability, way in (("tokenize", known.tokenize), ("logits", known.logits), ("serve", known.server)):
            if way is not None:
                found.add(capability)  # type: ignore[arg-type]
        if known.complete:
            found.add("generate")
        return Installed(
            runtime=self.name,
            available=shutil.which(known.program) is not None,
            version=None,
            how_to_get=known.how_to_get,
            capabilities=frozenset(found),
            formats=frozenset(known.formats),
        )

    def open(self, path: Path, limits: Limits) -> ChildSession:
        """See Runtime; the session also has `complete` and, where there is a server, `address`."""
        if not self.installed().available:
            raise NotInstalled(f"{self.definition.program} is not installed: {self.definition.how_to_get}")
        arguments = {"definition": self.definition.model_dump_json(), "path": absolute(path)}
        return ChildSession(self.name, "model_contracts.runtimes.command.served", arguments, limits)
