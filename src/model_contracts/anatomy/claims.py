"""Owns what an artifact claims of its element types, and which types a recipe gives a role."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import Literal

from model_contracts.anatomy.families.names import role, template
from model_contracts.artifact import Artifact, Tensor
from model_contracts.dtypes import DTYPES
from model_contracts.formats.beside import listing
from model_contracts.outcome import Place
from model_contracts.recipes import Mix, Recipe, Recipes

#: How diffusers calls files of one component in another type.
_VARIANT = re.compile(r"\.(?:fp16|fp32|bf16|non_ema)(?:-\d{5}-of-\d{5})?\.safetensors$")
Source = Literal["file_name", "file_type", "config_dtype", "apr_quantization", "request"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A recipe, who says it, and the words used. `recipe` is None where the words are not understood."""

    source: Source
    place: Place
    words: str
    label: str
    recipe: Recipe | None


class UnknownRecipe(ValueError):
    """A recipe that was asked for by name and that nothing defines."""


def requested(label: str, recipes: Recipes) -> Claim:
    """What `--dtype` asks for. Raises UnknownRecipe with the names there are."""
    name = _named(label.lower(), recipes)
    if name is None:
        raise UnknownRecipe(f"--dtype {label}: expected one of {', '.join(recipes.recipes)}")
    return Claim("request", Place(key="--dtype"), label, name, recipes.recipes[name])


def claims(artifact: Artifact, recipes: Recipes) -> Iterator[Claim]:
    """What the artifact says of itself: GGUF file type, config dtype, .apr quantization, label in its name.

    A name that says it is a mix (`UD-Q2_K_XL`) takes the promise from its label, and from the base type in the header.
    """
    metadata = artifact.metadata
    mix = mixed(artifact, recipes) if artifact.format == "gguf" else None
    if artifact.format == "gguf" and isinstance(number := metadata.get("general.file_type"), int):
        found = [(name, recipe) for name, recipe in recipes.recipes.items() if recipe.file_type == number]
        label, recipe = found[0] if found else (str(number), None)
        recipe = _any_type(recipe, mix)
        yield Claim("file_type", Place(key="general.file_type"), f"file_type {number} ({label})", label, recipe)
    if artifact.format == "apr" and isinstance(quantization := metadata.get("quantization"), Mapping):
        words = str(quantization.get("quant_type"))
        yield _claim("apr_quantization", Place(key="quantization.quant_type"), words, recipes)
    alone = artifact.form.beside and artifact.config is not None and not _variants(artifact)
    if alone and artifact.config is not None and "quantization_config" not in artifact.config:
        for key in ("dtype", "torch_dtype"):
            if isinstance(said := artifact.config.get(key), str):
                file = artifact.sidecars["config"].path.name if "config" in artifact.sidecars else "config.json"
                yield _claim("config_dtype", Place(file=file, key=key), said, recipes)
                break
    if (named := _label(artifact, recipes)) is not None:
        words, name = named
        recipe = _any_type(recipes.recipes[name], mix)
        yield Claim("file_name", Place(file=artifact.path.name), words, name, recipe)


def _variants(artifact: Artifact) -> bool:
    """Whether it and files of another type share one configuration (`model.fp16.safetensors`)."""
    found = listing(artifact) if artifact.layout == "file" else None
    return found is not None and any(_VARIANT.search(name) for name in found.names)


def expected_types(recipe: Recipe, recipes: Recipes, canonical: str | None, tensor: Tensor) -> tuple[str, ...]:
    """The types the recipe allows a tensor, with ggml's fallbacks where its row is no whole number of blocks."""
    if len(tensor.shape) < 2:
        return recipe.vectors
    types = _of_role(recipe, canonical or tensor.name)
    allowed = list(types)
    for name in types:
        if tensor.columns % DTYPES[name].block:
            allowed += recipes.fallbacks.get(name, ())
    if all(tensor.columns % DTYPES[name].block for name in allowed):
        allowed.append("F16")  # src/llama-quant.cpp: where the fallback does not divide either
    if own := kept(recipes, canonical, tensor):
        # The quantiser leaves these as it found them; a converter to a float type writes F32 or that type.
        allowed += ["F32", "F16", "BF16"] if DTYPES[types[0]].kind == "quantised" else own
    return tuple(dict.fromkeys(allowed))


def kept(recipes: Recipes, canonical: str | None, tensor: Tensor) -> tuple[str, ...]:
    """The types that llama.cpp keeps a tensor in whatever the label: F32 for most (routers, positions, biases …)."""
    names = {tensor.name, canonical or tensor.name}
    own = (line.types for line in recipes.kept if any(map(_one_of(line.names).match, names)))
    return tuple(dict.fromkeys(name for types in own for name in types))


def widened(recipes: Recipes, canonical: str) -> bool:
    """Whether a conversion to GGUF writes a tensor in F32, by its name, whatever type was asked for."""
    patterns = tuple(pattern for line in recipes.kept if line.converted for pattern in line.names)
    return _one_of(patterns).match(canonical) is not None


@lru_cache(maxsize=64)
def _one_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Many patterns as one: of 131,072 names, tried one by one, they were a third of a check."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")


def fell_back(recipe: Recipe, canonical: str | None, tensor: Tensor) -> bool:
    """Whether a tensor has a type only because its row is no whole number of the recipe's blocks."""
    types = _of_role(recipe, canonical or tensor.name)
    divides = all(tensor.columns % DTYPES[name].block == 0 for name in types)
    return len(tensor.shape) > 1 and tensor.dtype not in (*types, "F32") and not divides


def mixed(artifact: Artifact, recipes: Recipes) -> Mix | None:
    """How the artifact's name says that its label is only the base of a mix (None: it does not)."""
    name = artifact.name.lower()
    return next((mix for mix in recipes.mixes if re.search(mix.pattern, name)), None)


def _of_role(recipe: Recipe, canonical: str) -> tuple[str, ...]:
    lines = {line.role: line.types for line in recipe.roles}
    name = role(canonical)
    stem = re.sub(r"_(?:ch|sh)?exps?$", "", name)
    return lines.get(name) or lines.get(stem) or recipe.types


def _any_type(recipe: Recipe | None, mix: Mix | None) -> Recipe | None:
    """A recipe without its promises tensor by tensor, where the name calls it the base of a mix."""
    if recipe is None or mix is None:
        return recipe
    types = tuple(name for name, dtype in DTYPES.items() if dtype.kind in ("float", "quantised"))
    return Recipe(types=types, file_type=recipe.file_type, formats=recipe.formats)


def _claim(source: Source, place: Place, words: str, recipes: Recipes) -> Claim:
    name = _named(words.lower(), recipes)
    return Claim(source, place, words, name or words, recipes.recipes[name] if name else None)


def _named(word: str, recipes: Recipes) -> str | None:
    for name, recipe in recipes.recipes.items():
        if word == name.lower() or word in recipe.aliases:
            return name
    return None


def _label(artifact: Artifact, recipes: Recipes) -> tuple[str, str] | None:
    """The recipe named in the artifact's own name: the longest word between separators that is one."""
    words: dict[str, str] = {}
    for name, recipe in recipes.recipes.items():
        if artifact.format in recipe.formats:
            words |= dict.fromkeys((name.lower(), *recipe.aliases), name)
    text = artifact.name.lower()
    for word in sorted(words, key=len, reverse=True):
        if match := re.search(rf"(?:^|[-._ ]){re.escape(word)}(?=$|[-._ ])", text):
            start = match.start() + (match[0][0] in "-._ ")
            return artifact.name[start : start + len(word)], words[word]
    return None


def is_matrix_of_layers(canonical: str) -> bool:
    """Whether a canonical name belongs to a layer (and not to the embedding, head or final norm)."""
    return template(canonical)[1] is not None
