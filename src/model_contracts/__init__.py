"""Says, with evidence, whether a language-model file is what it claims to be.

The house, from the ground up; imports run downward only (import-linter holds it):

* the nouns: `artifact`, `outcome`, `invariant`, `contract`, `family`, `containers`, `keys`, `scheme`, `playbook`, …
  Typed, frozen, no I/O; `decision` is the one pure function from outcomes to the exit code.
* `resources`, `log`, `paths`, `terminal`: shipped data, the log, the one module that builds every path, safe text.
* `system`: what one system has and another lacks: cores, files by position, processes; asked nowhere else.
* `door`, `placing`, `bounds`: the one way to open a file, the one way to put one in place, what a document may hold.
* `processes`: one run of somebody else's program, its last lines, and the end of all that it started.
* `sweep`: one streaming pass gives moments, pair measures and digests; `kernels` inside decode and reduce blocks.
* `definitions`: YAML to typed objects that know the line they came from.
* `formats`: a path to an Artifact, through bounded readers for safetensors, GGUF and .apr.
* `strategies`: Hypothesis generators of inputs.
* `anatomy`: what an artifact is beyond its container: family, canonical names, hyper-parameters, claims, pairing.
* `converters`, `runtimes`: what turns an artifact into another, what executes one; ours, or a program told of in YAML.
* `inference`: token ids and distributions compared: measures, budgets, sequential stopping, oracles.
* `checks`: an Artifact (or two) to what was compared and what stays uncompared, never a bool. One file a kind:
  `static` reads bytes, `running` needs a session and mostly generates its inputs.
* `engine`: plan, run, evidence. What was compared in part is Skipped, never green.
* `qualification`: a playbook, gate by gate: formats, modalities, conversions; why a gate does not hold.
* `compat`: files of other systems, one room a system; `schemas`: JSON Schemas, generated from the types.
* `audit`: evidence, ours or of the founding system, read for lines that prove nothing.
* `reporters`: evidence to text. `cli`: parses and prints, decides nothing.
* `api`: what a program imports from here; `pytest`: the same for tests.

To find the code behind a red gate: `contracts explain GATE` names the invariant and the kind of check, which is
`checks/static/`, `checks/running/` or `qualification/gates/`; its bounds are in `invariants/<id>.yaml`, and every
comparison says the line its bound came from.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import takes as long as the interpreter
if TYPE_CHECKING:
    from typing import Any

    from model_contracts.api import Checked as Checked
    from model_contracts.api import Clause as Clause
    from model_contracts.api import Comparison as Comparison
    from model_contracts.api import Contract as Contract
    from model_contracts.api import Conversion as Conversion
    from model_contracts.api import Outcome as Outcome
    from model_contracts.api import Outcomes as Outcomes
    from model_contracts.api import check as check
    from model_contracts.api import convert as convert
    from model_contracts.api import load_evidence as load_evidence
    from model_contracts.api import open_artifact as open_artifact

    __version__: str

#: What a program imports from here (docs/api.md); each is loaded when it is asked for.
__all__ = [
    "Checked",
    "Clause",
    "Comparison",
    "Contract",
    "Conversion",
    "Outcome",
    "Outcomes",
    "check",
    "convert",
    "load_evidence",
    "open_artifact",
]


def __getattr__(name: str) -> Any:
    """What is asked for, imported then: the package itself takes no time, and neither does `--help`."""
    if name == "__version__":
        from model_contracts.version import version

        return version()
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.api"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
