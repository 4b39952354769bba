"""Owns `--init`: a playbook for a model, written from what the model says of itself."""

from __future__ import annotations

import json
from pathlib import Path

from model_contracts.anatomy.view import View
from model_contracts.definitions import load_families
from model_contracts.engine.plan import UsageError
from model_contracts.formats.opening import open_artifact
from model_contracts.terminal import safe

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
    organisation = path.resolve().parent.name.strip() or "local"
    called = json.dumps(safe(artifact.name), ensure_ascii=False)
    lines = [
        f"# What {called} is qualified for; contracts list playbooks shows others.",
        f"id: {json.dumps(_printed(artifact.name), ensure_ascii=False)}",
        f'title: {called[:-1]} in three formats"',
        "model:",
        f"  id: {json.dumps(f'{_printed(organisation)}/{_printed(artifact.name)}', ensure_ascii=False)}",
    ]
    if view.family is not None:
        lines.append(f"  family: {view.family.id.split('/')[-1]}")
    known = {key: view.declared[key].value for key in _EXPECTED if key in view.declared}
    if known:
        lines.append("  expected:")
        lines += [f"    {key}: {value}" for key, value in known.items() if isinstance(value, int)]
    return "\n".join([*lines, f"tier: {tier}", ""])


def _printed(name: str) -> str:
    """A name as it is, what no terminal shows escaped."""
    return safe(name).strip("/")[:200] or "model"
