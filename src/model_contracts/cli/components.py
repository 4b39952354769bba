"""Owns what `contracts inspect` says of the components of a repository, and of the parts of one model's tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from model_contracts.anatomy.families.multimodal import other_part
from model_contracts.anatomy.prediction import predicts
from model_contracts.anatomy.towers import TowerView, towers_of
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.terminal import plural, safe

_PREDICTION = "multi-token prediction"


def components(artifact: Artifact, view: View) -> list[dict[str, Any]]:
    """Each component by its name: what it is, the family that knows it, its tensors, and why it is not looked at."""
    found: list[dict[str, Any]] = [
        {
            "name": one.name,
            "what": one.kind,
            "family": None,
            "tensors": None,
            "opened": [path.name for path in one.paths],
            "reason": _why(one.there, bool(one.paths), one.reason),
        }
        for one in artifact.components
        if one.kind is not None
    ]
    found += [
        {
            "name": name,
            "what": None,
            "family": None,
            "tensors": None,
            "opened": [],
            "reason": "no component is named so",
        }
        for name in artifact.strays
    ]
    found += [
        {
            "name": one.path,
            "what": one.kind,
            "family": None,
            "tensors": len(one.container.tensors) if one.container is not None else None,
            "opened": [one.path] if one.config is not None or one.container is not None else [],
            "reason": None,
        }
        for one in artifact.modules
        if one.path
    ]
    return [*found, *_parts(view)]


def _why(there: bool, opened: bool, reason: str | None) -> str | None:
    if not there:
        return "its folder is not there"
    return None if opened else reason or "nothing in its folder is a model, or a part of one"


def _parts(view: View) -> Iterator[dict[str, Any]]:
    """The parts that tensors of one model are of: told where there is more than the language model."""
    towers = view if isinstance(view, TowerView) else towers_of(view)
    own = set(towers.artifact.tensors) if towers is not None else set()
    counts = Counter(_part(view, name, own) for name in view.artifact.tensors)
    if view.part.name not in ("whole", "projector") or set(counts) <= {"language model"}:
        return
    for part, count in counts.items():
        beside = towers if towers is not None and part not in ("language model", _PREDICTION) else view
        family = beside.family.id if beside.family is not None else None
        yield {"name": part, "what": None, "family": family, "tensors": count, "opened": [], "reason": None}


def _part(view: View, name: str, towers: set[str]) -> str:
    if isinstance(view, TowerView) and view.artifact.form.prefixed_keys:
        return {"v": "vision encoder", "a": "audio encoder"}.get(name.partition(".")[0], "projector")
    if name in towers:
        return other_part(name) or "towers"
    return _PREDICTION if predicts(name) else "language model"


def component_lines(told: list[dict[str, Any]]) -> Iterator[str]:
    """One line a component."""
    for one in told:
        facts = [safe(one["what"])] if one["what"] else []
        facts += [f"family {one['family']}"] if one["family"] else []
        facts += [plural(one["tensors"], "tensor")] if one["tensors"] is not None else []
        facts += [f"{len(one['opened'])} models"] if len(one["opened"]) > 1 else []
        facts += [f"not looked at: {safe(one['reason'])}"] if one["reason"] else []
        yield f"{safe(one['name'])}: {' · '.join(facts)}" if facts else safe(one["name"])
