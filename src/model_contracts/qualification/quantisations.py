"""Owns which quantisations of a playbook the system under test can be asked for; the others are said, not refused."""

from __future__ import annotations

from collections.abc import Iterable

from model_contracts.anatomy.claims import UnknownRecipe, requested
from model_contracts.converters.interface import ConversionRefused
from model_contracts.converters.types import Types
from model_contracts.definitions import load_recipes
from model_contracts.playbook import System

_NOT_EVALUATED = "not evaluated"


def sorted_out(labels: Iterable[str], system: System) -> tuple[tuple[str, ...], dict[str, str]]:
    """The labels that a GGUF can be made and held to, as their recipes are called; and why each other is left out.

    Our own converter says itself what it makes. Of a program of others only the recipe has to be known, by which what
    it makes is held.
    """
    recipes = load_recipes()
    made: dict[str, None] = {}
    others: dict[str, str] = {}
    for label in labels:
        try:
            name = requested(label.strip(), recipes).label
            if system.converter == "builtin":
                Types.asked(name, "gguf", recipes, 0, tied=False)
        except UnknownRecipe:
            others[f"quantisation {label}"] = f"{_NOT_EVALUATED}: no recipe here says what it is made of"
        except ConversionRefused as refused:
            others[f"quantisation {label}"] = f"{_NOT_EVALUATED}: {str(refused).partition(': ')[2]}"
        else:
            made[name] = None
    return tuple(made), others
