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

To find the code behind a red gate: `contracts explain GATE` names the invariant and the kind of check, which is
`checks/static/`, `checks/running/` or `qualification/gates/`; its bounds are in `invariants/<id>.yaml`, and every
comparison says the line its bound came from.
"""

from __future__ import annotations


def __getattr__(name: str) -> str:
    """`__version__`, looked up when it is asked for: importlib.metadata takes a third of the time of `--help`."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("model-contracts")
    except PackageNotFoundError:  # a checkout that is not installed
        return "0+unknown"
