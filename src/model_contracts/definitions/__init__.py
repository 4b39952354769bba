"""YAML to typed objects that know the file and line of each of their values; errors name file, line and column."""

from __future__ import annotations

from model_contracts.definitions.errors import DefinitionError
from model_contracts.definitions.load import (
    invariant_of,
    load,
    load_contract,
    load_families,
    load_family,
    load_invariant,
    load_recipes,
)
from model_contracts.definitions.shipped import KINDS, Kind, find_contract, shipped_ids
from model_contracts.definitions.typed import parameters

__all__ = [
    "KINDS",
    "DefinitionError",
    "Kind",
    "find_contract",
    "invariant_of",
    "load",
    "load_contract",
    "load_families",
    "load_family",
    "load_invariant",
    "load_recipes",
    "parameters",
    "shipped_ids",
]
