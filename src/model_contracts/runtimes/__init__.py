"""What executes an artifact: one room a runtime, each in a child process with a time and a memory limit.

`session/` is that child and what is asked of it, `http/` a server on loopback, `text/` tokenizers and chat templates
without a model; `transformers/`, `llama_cpp/` and `command/` are the runtimes, `interface` what each of them owes.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from model_contracts import plugins
from model_contracts.runtimes.interface import NotInstalled, Runtime

#: Name to the module and the class of a runtime; a name that is not here is looked for among `contracts/runtimes`.
RUNTIMES: dict[str, tuple[str, str]] = {
    "transformers": ("model_contracts.runtimes.transformers.runtime", "Transformers"),
    "llamacpp": ("model_contracts.runtimes.llama_cpp.runtime", "LlamaCpp"),
}


def our_names() -> tuple[str, ...]:
    """Every runtime that is shipped, by name: our own, then those declared in YAML."""
    from model_contracts.definitions.shipped import shipped_ids

    return (*RUNTIMES, *(name.removeprefix("runtimes/") for name in shipped_ids("runtime")))


def names() -> tuple[str, ...]:
    """Every runtime by name: those that are shipped, then those of plugins that were named."""
    return (*our_names(), *plugins.names("runtimes"))


def runtime(name: str) -> Runtime:
    """A runtime by its name, or a command runtime by the path of its YAML. Raises NotInstalled for an unknown name."""
    if name in RUNTIMES:
        module, kind = RUNTIMES[name]
        return cast("Callable[[], Runtime]", getattr(import_module(module), kind))()
    if (offer := plugins.offer("runtimes", name)) is not None:
        from model_contracts.runtimes.plugged import Plugged

        return Plugged(offer)
    from model_contracts.definitions.loading import load
    from model_contracts.runtime import CommandRuntime
    from model_contracts.runtimes.command.runtime import Command

    if name in names():
        return Command(load(CommandRuntime, f"runtimes/{name}"))
    if name.endswith((".yaml", ".yml")):
        return Command(load(CommandRuntime, name))
    raise NotInstalled(f"no runtime is called {name!r}; there are {', '.join(names())}")
