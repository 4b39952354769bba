"""Owns the transformers runtime: torch on the CPU in float32, for every format that is read here."""

from __future__ import annotations

from pathlib import Path

from model_contracts.definitions.known import open_folders
from model_contracts.runtimes.installed import distribution
from model_contracts.runtimes.interface import Capability, Installed, Limits, NotInstalled
from model_contracts.runtimes.session.session import ChildSession, absolute

CAPABILITIES: frozenset[Capability] = frozenset(
    {"tokenize", "detokenize", "logits", "hidden_states", "generate", "chat", "serve"}
)


class Transformers:
    """Hugging Face transformers in a child process."""

    name = "transformers"

    def installed(self) -> Installed:
        """See Runtime."""
        torch, own = distribution("torch"), distribution("transformers")
        return Installed(
            runtime=self.name,
            available=torch is not None and own is not None,
            version=own and f"{own}, torch {torch or 'missing'}",
            how_to_get="pip install 'model-contracts[transformers]'",
            capabilities=CAPABILITIES,
            formats=frozenset({"safetensors", "gguf", "apr"}),
        )

    def open(self, path: Path, limits: Limits) -> ChildSession:
        """See Runtime; the session also has `rows`, `hidden_states` and `address`."""
        here = self.installed()
        if not here.available:
            raise NotInstalled(f"transformers or torch is not installed: {here.how_to_get}")
        module = "model_contracts.runtimes.transformers.served"
        words = {"path": absolute(path), "definitions": [absolute(folder.place) for folder in open_folders()]}
        return ChildSession(self.name, module, words, limits)
