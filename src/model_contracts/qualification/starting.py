"""Owns `--init`: a playbook for a model, written from what the model says of itself."""

from __future__ import annotations

import json
from pathlib import Path

from model_contracts.anatomy.view import View
from model_contracts.definitions import load_families
from model_contracts.engine.plan import UsageError
from model_contracts.formats.opening import open_artifact

#: Hyper-parameters that tell one model from another, in the order they are written.
_EXPECTED = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "intermediate_size",
    "vocab_size",
)


def playbook_of(path: Path, tier: str) -> str:
    """The YAML of a playbook. Raises UsageError for what is no model."""
    artifact = open_artifact(path)
    if not artifact.readable:
        raise UsageError(f"{path}: no model that can be read; contracts check says why")
    view = View(artifact, load_families())
    organisation = path.resolve().parent.name or "local"
    called = json.dumps(artifact.name, ensure_ascii=True)
    lines = [
        f"# What {called} is qualified for; contracts list playbooks shows others.",
        f"id: {json.dumps(_id(artifact.name))}",
        f'title: {called[:-1]} in three formats"',
        "model:",
        f"  id: {json.dumps(f'{_word(organisation)}/{_word(artifact.name)}')}",
    ]
    if view.family is not None:
        lines.append(f"  family: {view.family.id.split('/')[-1]}")
    known = {key: view.declared[key].value for key in _EXPECTED if key in view.declared}
    if known:
        lines.append("  expected:")
        lines += [f"    {key}: {value}" for key, value in known.items() if isinstance(value, int)]
    return "\n".join([*lines, f"tier: {tier}", ""])


def _id(name: str) -> str:
    """A name as the id of a definition: what an id has no place for becomes a dash."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in name)
    return kept.lstrip("._-")[:100] or "model"


def _word(name: str) -> str:
    """A name as a part of a model's id: no separator, no space."""
    return "-".join(name.replace("/", " ").replace("\\", " ").split()) or "model"
