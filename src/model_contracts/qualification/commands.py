"""Owns commands that show a cause again: from the source alone, the shortest that does."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

from model_contracts.artifact import Artifact
from model_contracts.containers import FORMS, Format
from model_contracts.paths import component, model_parts
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.programs import converter_name, converter_of, runtime_of

if TYPE_CHECKING:
    from model_contracts.containers import Format
    from model_contracts.qualification.matrix import Settled

_SUFFIX = {"safetensors": "", "gguf": ".gguf", "apr": ".apr"}
_LETTER = {"safetensors": "S", "gguf": "G", "apr": "A"}


def artifact_name(settled: Settled, chain: Chain, again: int = 0) -> str:
    """What the artifact of a chain is called: `name.S-A-G.gguf`; a folder for safetensors."""
    letters = "-".join(_LETTER[format] for format in chain) + (f"-{again}" if again else "")
    return component(model_parts(settled.model.id)[1], f".{letters}{_SUFFIX[chain[-1]]}")


def conversion(settled: Settled, source: Artifact, named: str, chain: Chain, tokenizer: Path | None = None) -> str:
    """A chain of conversions as one line, and behind it what the converter's own program is given."""
    names = [named, *(artifact_name(settled, chain[:end]) for end in range(2, len(chain) + 1))]
    asked = [] if converter_of(settled.system) is None else ["--converter", _converter(settled)]
    if settled.dtype is not None:
        asked += ["--dtype", settled.dtype]
    if tokenizer is not None:
        asked += ["--tokenizer", str(tokenizer)]
    steps = []
    for at, (before, after) in enumerate(pairwise(names), 2):
        # What is on the way is held to nothing here: only the last conversion is to show something.
        unchecked = ["--no-check"] if at < len(chain) else []
        steps.append(shlex.join(["contracts", "convert", before, after, *asked, *unchecked]))
    own = _own(settled, _weights(source, names[-2], chain), _weights_of(names[-1], chain[-1]), tokenizer)
    return " && ".join(steps) + (f"  # runs: {own}" if own else "")


def _converter(settled: Settled) -> str:
    """As `--converter` takes it: a shipped one by its name, another by its file."""
    named = settled.system.converter
    return named if named.endswith((".yaml", ".yml")) else converter_name(settled.system)


def _weights(source: Artifact, before: str, chain: Chain) -> str:
    """What a converter is given of what was before."""
    if len(chain) > 2:
        return _weights_of(before, chain[-2])
    return f"{before}/{source.files[0].name}" if source.path.is_dir() and len(source.files) == 1 else before


def _weights_of(name: str, format: Format) -> str:
    return f"{name}/model.safetensors" if FORMS[format].beside else name


def _own(settled: Settled, source: str, target: str, tokenizer: Path | None) -> str:
    """The program's own command; nothing for our own converter."""
    known = converter_of(settled.system)
    if known is None:
        return ""
    if known.source_is == "folder":
        source = source.removesuffix("/model.safetensors")
    words = [*known.arguments]
    values = {"source": source, "target": target}
    if tokenizer is not None:
        words += known.asked.tokenizer
        values["tokenizer"] = str(tokenizer)
    if settled.dtype is not None:
        words += known.asked.dtype
    values["dtype"] = known.dtypes.get(settled.dtype or "", settled.dtype or "")
    return shlex.join([known.program, *(word.format_map(values) for word in words)])


def looked_at(settled: Settled, named: str) -> str:
    """Have the converter's program look at a folder that is named like the model; nothing where it is not asked to."""
    known = converter_of(settled.system)
    if not settled.system.inspects or known is None:
        return ""
    organisation, name = map(component, model_parts(settled.model.id))
    folder = f"{organisation}/{name}"
    words = [word.format_map({"folder": folder}) for word in settled.system.inspects]
    made = shlex.join(["mkdir", "-p", organisation]), shlex.join(["cp", "-r", named, folder])
    return " && ".join((*made, shlex.join([known.program, *words])))


def asked(settled: Settled, weights: str, format: str, way: str, prompt: str) -> str:
    """One question to a command runtime, as its own command; nothing where that way is no command."""
    definition = runtime_of(settled.system.runtimes.get(cast("Format", format), ""))
    known = definition.complete.get(way) if definition is not None else None
    if definition is None or known is None or known.arguments is None:
        return ""
    values = {"artifact": weights, "prompt": prompt, "max_tokens": str(settled.tokens)}
    return shlex.join([definition.program, *(word.format_map(values) for word in known.arguments)])
