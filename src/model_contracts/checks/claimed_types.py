"""Kind `claimed_types`: the element types are those that the artifact says it has, role by role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from model_contracts.anatomy.claims import Claim, expected_types, fell_back
from model_contracts.artifact import Tensor
from model_contracts.checks.interface import Examination, Where, missing_input, not_owed
from model_contracts.family import Recipe
from model_contracts.outcome import Comparison, Place, Record


class Parameters(Record):
    """Which claims a gate is about, and when bits per weight mean something."""

    claims: tuple[Literal["file_name", "file_type", "config_dtype", "apr_quantization", "request"], ...]
    minimum_parameters: int = Field(
        1_000_000_000, description="Below it, small matrices of other types weigh too much."
    )
    bits_per_weight: float = Field(0.15, description="Relative distance from the recipe's published figure.")


def claimed_types(examination: Examination, parameters: Parameters, where: Where) -> Iterator[Comparison]:
    """Compare each tensor's type with what each claim gives its role."""
    asked = [claim for claim in examination.claims if claim.source in parameters.claims]
    if examination.request is not None and "request" in parameters.claims:
        asked.append(examination.request)
    if not asked:
        raise not_owed(f"the artifact claims nothing of its types by {', '.join(parameters.claims)}")
    understood = [claim for claim in asked if claim.recipe is not None]
    if not understood:
        raise missing_input(f"{asked[0].place}: no recipe is known by the name {asked[0].words!r}")
    for claim in understood:
        yield from _claim(examination, claim)
        yield from _bits_per_weight(examination, claim, parameters, where)


def _claim(examination: Examination, claim: Claim) -> Iterator[Comparison]:
    recipe, recipes = claim.recipe, examination.recipes
    assert recipe is not None
    said = f"{claim.place} says {claim.words}"
    bound_from = recipes.where("recipes", claim.label)
    fallbacks: Counter[str] = Counter()
    for name, tensor in examination.target.tensors.items():
        if tensor.placeholder or tensor.type.kind not in ("float", "quantised"):
            continue
        canonical = examination.view.canonical[name]
        expected = _expected(examination, recipe, canonical, tensor)
        holds = tensor.dtype in expected
        if holds and fell_back(recipe, recipes, canonical, tensor):
            fallbacks[tensor.dtype] += tensor.elements
        yield Comparison(
            measure="tensor_type",
            place=Place(file=tensor.file.name, tensor=name),
            expected=list(expected) if len(expected) > 1 else expected[0],
            observed=tensor.dtype,
            holds=holds,
            bound_from=bound_from,
            note=None if holds else said,
        )
    if fallbacks:
        total = sum(tensor.elements for tensor in examination.target.tensors.values())
        share = sum(fallbacks.values()) / max(total, 1)
        types = ", ".join(sorted(fallbacks))
        yield Comparison(
            measure="fallback_share",
            expected=f"any (rows that are no whole number of {claim.label} blocks)",
            observed=f"{share:.1%}",
            holds=True,
            note=f"{share:.1%} of the values are {types} because their rows do not divide into the recipe's blocks",
        )


def _expected(examination: Examination, recipe: Recipe, canonical: str | None, tensor: Tensor) -> tuple[str, ...]:
    if examination.target.format == "safetensors" and len(tensor.shape) < 2:
        # A checkpoint may keep its vectors in float32, or in the type of its matrices.
        return tuple(dict.fromkeys((*recipe.types, "F32")))
    return expected_types(recipe, examination.recipes, canonical, tensor)


def _bits_per_weight(
    examination: Examination, claim: Claim, parameters: Parameters, where: Where
) -> Iterator[Comparison]:
    assert claim.recipe is not None
    # An entry without bytes (a tied head of .apr) or with a shape that cannot be weighs nothing.
    tensors = [tensor for tensor in examination.target.tensors.values() if tensor.nbytes]
    elements = sum(tensor.elements for tensor in tensors)
    nominal = claim.recipe.bits_per_weight
    if nominal is None or elements < parameters.minimum_parameters:
        return
    actual = 8 * sum(tensor.nbytes for tensor in tensors) / elements
    distance = abs(actual - nominal) / nominal
    yield Comparison(
        measure="bits_per_weight",
        place=claim.place,
        expected=nominal,
        observed=round(actual, 4),
        holds=distance <= parameters.bits_per_weight,
        tolerance=parameters.bits_per_weight,
        smallest_passing_tolerance=distance,
        count=len(tensors),
        bound_from=where("bits_per_weight"),
    )
