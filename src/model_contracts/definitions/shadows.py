"""Owns that a user's definitions add and never shadow: words of families, methods of schemes and labels of recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from model_contracts.definitions.errors import Shadows
from model_contracts.family import Families, Family
from model_contracts.invariant import Definition
from model_contracts.recipes import Recipes
from model_contracts.scheme import Scheme

D = TypeVar("D", bound=Definition)
#: What a definition claims: the claim, in words, and the path of the value that makes it.
Claims = Iterator[tuple[str, tuple[str | int, ...]]]
#: What a family is found by, and what each is called.
_WORDS = {"architectures": "class", "model_types": "model type", "gguf": "GGUF architecture"}


def refuse_words(own: Sequence[Family], known: Families) -> None:
    """Raises DefinitionError for a word (a class, a model type, a GGUF architecture) that another family has."""
    words = {word for family in own for key in _WORDS for word in getattr(family, key)}
    bearing = {family.id: family for word in words for family in known.saying(word)}
    _refuse(own, bearing.values(), _words)


def refuse_methods(own: Sequence[Scheme], known: Sequence[Scheme]) -> None:
    """Raises DefinitionError for a method or a sign that another scheme has."""
    _refuse(own, known, _methods)


def _refuse(own: Iterable[D], known: Iterable[D], claims: Callable[[D], Claims]) -> None:
    places: dict[str, str] = {}
    for definition in known:
        for claim, pointer in claims(definition):
            places.setdefault(claim, definition.where(*pointer))
    for definition in own:
        mine: dict[str, str] = {}
        for claim, pointer in claims(definition):
            here = definition.where(*pointer)
            if (there := places.get(claim)) is not None:
                raise Shadows(here, None, None, f"{claim} once (it is that of {there} too)", "it again")
            mine.setdefault(claim, here)
        places |= mine


def _words(family: Family) -> Claims:
    if family.abstract:
        return
    for key, what in _WORDS.items():
        for at, word in enumerate(getattr(family, key)):
            yield f"the {what} {word!r}", (key, at)


def _methods(scheme: Scheme) -> Claims:
    for at, word in enumerate(scheme.methods):
        yield f"the quant_method {word!r}", ("methods", at)
    for name, layout in scheme.layouts.items():
        for at, sign in enumerate(layout.signs):
            yield f"the sign {sign!r}", ("layouts", name, "signs", at)


def merge_recipes(table: Recipes, own: Sequence[Recipes]) -> Recipes:
    """The table with the labels of others. Raises DefinitionError for a label, an alias or a file type known before."""
    recipes, places = dict(table.recipes), dict(_claimed(table))
    for other in own:
        for key in ("kept", "mixes", "fallbacks"):
            if getattr(other, key):
                expected = "labels only: what every label promises, or leaves open, is shipped"
                raise Shadows(other.where(key), None, None, expected, f"{key!r}")
        for claim, place in _claimed(other):
            if claim in places:
                raise Shadows(place, None, None, f"{claim} once (it is that of {places[claim]} too)", "it again")
        places |= dict(_claimed(other))
        recipes |= other.recipes
    merged = table.model_copy(update={"recipes": recipes})
    merged._origin = table._origin
    return merged


def _claimed(table: Recipes) -> Iterator[tuple[str, str]]:
    """What each recipe claims for itself, and where it says so."""
    for name, recipe in table.recipes.items():
        place = table.where("recipes", name)
        for word in dict.fromkeys((name.lower(), *(alias.lower() for alias in recipe.aliases))):
            yield f"the label {word!r}", place
        if recipe.file_type is not None:
            yield f"the file type {recipe.file_type}", place
