"""Owns the config.json that a container of ours carries along, and whether a value stands in it."""

from __future__ import annotations

from typing import Any

from model_contracts.anatomy.declared.declared_keys import DeclaredSide
from model_contracts.anatomy.declared.declared_words import Plain
from model_contracts.anatomy.families import carried
from model_contracts.anatomy.pairing.same_values import same


def carried_config(side: DeclaredSide) -> dict[str, Any]:
    """That config.json; empty where there is none."""
    return carried.carried_config(side.view.artifact) or {}


def carries(side: DeclaredSide) -> bool:
    """Whether a container carries one along."""
    return side.kind != "config" and bool(carried_config(side))


def published(key: str | None, value: Plain, side: DeclaredSide) -> bool:
    """Whether a value stands under its key in the config.json that a container carries along."""
    config: Any = carried_config(side) if side.kind != "config" else {}
    for part in (key or "").split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config is not None and same(as_tuple(config), value, 1e-6)[0]


def as_tuple(value: Any) -> Any:
    """A list as the tuple that declared values are."""
    return tuple(value) if isinstance(value, list) else value
