"""Runtime `acme_echo`: a stand-in that opens nothing; one that runs models answers as `runtimes/interface.py` says."""

from __future__ import annotations

from pathlib import Path

from model_contracts.runtimes.interface import Installed, Limits, NotInstalled, Session


class Echo:
    """See `model_contracts.runtimes.interface.Runtime`."""

    def installed(self) -> Installed:
        """It is here, and reads GGUF."""
        return Installed(
            "acme_echo", True, "1.2", "pip install acme-contracts", frozenset({"generate"}), frozenset({"gguf"})
        )

    def open(self, path: Path, limits: Limits) -> Session:
        """This one has no engine."""
        raise NotInstalled(f"acme_echo has no engine to run {path.name} with")
