"""Owns the llama.cpp runtime: GGUF on the CPU through the library that the `xllamacpp` wheel carries."""

from __future__ import annotations

from pathlib import Path

from model_contracts.runtimes.installed import distribution
from model_contracts.runtimes.interface import Capability, Installed, Limits, NotInstalled
from model_contracts.runtimes.session.session import ChildSession, absolute

CAPABILITIES: frozenset[Capability] = frozenset({"tokenize", "detokenize", "logits", "generate", "chat", "serve"})


class LlamaCpp:
    """llama.cpp in a child process."""

    name = "llamacpp"

    def installed(self) -> Installed:
        """See Runtime."""
        found = distribution("xllamacpp")
        return Installed(
            runtime=self.name,
            available=found is not None,
            version=found and f"xllamacpp {found}",
            how_to_get="pip install 'model-contracts[llamacpp]'",
            capabilities=CAPABILITIES,
            formats=frozenset({"gguf"}),
        )

    def open(self, path: Path, limits: Limits) -> ChildSession:
        """See Runtime; the session also has `rows` and `address`."""
        here = self.installed()
        if not here.available:
            raise NotInstalled(f"xllamacpp is not installed: {here.how_to_get}")
        return ChildSession(self.name, "model_contracts.runtimes.llama_cpp.served", {"path": absolute(path)}, limits)
