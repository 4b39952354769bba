"""Small tokenizers of each kind, edited on either side, and what the gates about tokenizers see of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model_contracts.artifact import Artifact
from model_contracts.checks import KINDS
from model_contracts.checks.drafts import written
from model_contracts.checks.interface import Examination, Skip
from model_contracts.checks.trial import Trial
from model_contracts.definitions import load_families, load_invariant, load_recipes
from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import Comparison, Uncompared
from support.gguf_models import GgufModel, read_gguf_model

DATA = Path(__file__).parents[1] / "data" / "tokenizers"
KIND_NAMES = ("sentencepiece", "wordpiece", "unigram")
_INVARIANTS = ("tokenizer/vocabulary", "I-5-tokenizer-round-trip")


def stored(kind: str, folder: Path, edit: Callable[[GgufModel], Any] = lambda model: None) -> Artifact:
    """The GGUF of a kind, with an edit of its keys."""
    model = read_gguf_model(DATA / f"{kind}.gguf")
    edit(model)
    return open_artifact(model.write(folder / f"{kind}.gguf"))


def published(kind: str, folder: Path, edit: Callable[[dict[str, Any]], Any] | None = None, *drop: str) -> Artifact:
    """The folder of a kind, with an edit of its tokenizer.json, and files taken from it."""
    target = folder / kind
    shutil.copytree(DATA / kind, target)
    if edit is not None:
        document = json.loads((target / "tokenizer.json").read_text("utf-8"))
        edit(document)
        (target / "tokenizer.json").write_text(json.dumps(document), "utf-8")
    for name in drop:
        (target / name).unlink()
    return open_artifact(target)


def seen(target: Artifact, source: Artifact | None) -> dict[str, tuple[list[Comparison], list[Uncompared]]]:
    """Of each gate about tokenizers that is not skipped: what does not hold, and what stayed uncompared."""
    examination = Examination(target, source, load_families(), load_recipes(), sweeper=None)  # type: ignore[arg-type]
    found = {}
    for invariant in map(load_invariant, _INVARIANTS):
        if invariant.subject == "pair" and source is None:
            continue
        for gate in invariant.gates:
            kind = KINDS[gate.check]
            try:
                held = kind.parameters.model_validate(gate.parameters)
                told = [written(one) for one in kind.run(examination, held, lambda *at: "here", Trial(0, None))]
            except Skip:
                continue
            broken = [one for one in told if isinstance(one, Comparison) and not one.holds]
            found[gate.id] = (broken, [one for one in told if isinstance(one, Uncompared)])
    return found
