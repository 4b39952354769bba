"""YAML to typed objects that know the file and line of each of their values; errors name file, line and column.

The names are imported when they are asked for: outlines of the shipped definitions need no pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_contracts.definitions.errors import DefinitionError as DefinitionError
    from model_contracts.definitions.known import known_ids as known_ids
    from model_contracts.definitions.loading import KINDS as KINDS
    from model_contracts.definitions.loading import flattened as flattened
    from model_contracts.definitions.loading import invariant_of as invariant_of
    from model_contracts.definitions.loading import load as load
    from model_contracts.definitions.loading import load_contract as load_contract
    from model_contracts.definitions.loading import load_converter as load_converter
    from model_contracts.definitions.loading import load_corpus as load_corpus
    from model_contracts.definitions.loading import load_engines as load_engines
    from model_contracts.definitions.loading import load_families as load_families
    from model_contracts.definitions.loading import load_family as load_family
    from model_contracts.definitions.loading import load_invariant as load_invariant
    from model_contracts.definitions.loading import load_keys as load_keys
    from model_contracts.definitions.loading import load_pretokenizers as load_pretokenizers
    from model_contracts.definitions.loading import load_recipes as load_recipes
    from model_contracts.definitions.loading import load_schemes as load_schemes
    from model_contracts.definitions.loading import load_tokenizers as load_tokenizers
    from model_contracts.definitions.loading import load_towers as load_towers
    from model_contracts.definitions.outline import Outline as Outline
    from model_contracts.definitions.outline import outlines as outlines
    from model_contracts.definitions.shipped import Kind as Kind
    from model_contracts.definitions.shipped import find_contract as find_contract
    from model_contracts.definitions.shipped import shipped_ids as shipped_ids
    from model_contracts.definitions.typed import parameters as parameters

_MODULES = {
    "errors": ("DefinitionError",),
    "known": ("known_ids",),
    "loading": (
        "KINDS",
        "flattened",
        "invariant_of",
        "load",
        "load_contract",
        "load_converter",
        "load_corpus",
        "load_engines",
        "load_families",
        "load_family",
        "load_invariant",
        "load_keys",
        "load_pretokenizers",
        "load_recipes",
        "load_tokenizers",
        "load_towers",
        "load_schemes",
    ),
    "outline": ("Outline", "outlines"),
    "shipped": ("Kind", "find_contract", "shipped_ids"),
    "typed": ("parameters",),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found
