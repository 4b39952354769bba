"""Kind `claimed_types`: the element types are those that the artifact says it has, role by role."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

from pydantic import Field

from model_contracts.anatomy.claims import Claim, expected_types, fell_back
from model_contracts.anatomy.families.names import role
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, gap
from model_contracts.checks.interface import Comparisons, Examination, Where, missing_input, not_owed, static
from model_contracts.dtypes import DTYPES
from model_contracts.outcome import Comparison, Place, Record
from model_contracts.recipes import Recipe

#: Roles that every decoder has and every recipe speaks of: no family is needed to say which type they get.
_EVERYWHERE = frozenset(
    ("token_embd", "output", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
)


class ClaimedTypesParameters(Record):
    """Which claims a gate is about, and when bits per weight mean something."""

    claims: tuple[Literal["file_name", "file_type", "config_dtype", "apr_quantization", "request"], ...]
    minimum_parameters: int = Field(
        1_000_000_000, description="Below it, small matrices of other types weigh too much."
    )
    bits_per_weight: float = Field(0.15, description="Relative distance from the recipe's published figure.")


def claimed_types(examination: Examination, parameters: ClaimedTypesParameters, where: Where) -> Comparisons:
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


def _claim(examination: Examination, claim: Claim) -> Comparisons:
    recipe, recipes = claim.recipe, examination.recipes
    assert recipe is not None
    bound_from = recipes.where("recipes", claim.label)
    tensors = [
        (examination.view.canonical[name], tensor)
        for name, tensor in examination.view.artifact.tensors.items()
        if not tensor.placeholder and tensor.packed is None and _holds_weights(examination, name, tensor)
    ]
    expected = [_expected(examination, recipe, canonical, tensor) for canonical, tensor in tensors]
    honest = any(len(t.shape) > 1 and t.dtype in types for (_, t), types in zip(tensors, expected, strict=True))
    for (_, tensor), types in zip(tensors, expected, strict=True):
        holds = tensor.dtype in types
        if not holds and honest and examination.view.family is None and _left_alone(tensor, types):
            reason = f"{tensor.dtype} where {claim.words} gives {types[0]}: only a family knows which tensors it keeps"
            yield gap(tensor, reason, max(tensor.elements, 1))
            continue
        yield Draft(holds, partial(_compared, claim, tensor, types, holds, bound_from))
    yield from _fallbacks(claim, recipe, tensors)


def _compared(claim: Claim, tensor: Tensor, types: tuple[str, ...], holds: bool, bound_from: str) -> Comparison:
    return Comparison(
        measure="tensor_type",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=list(types) if len(types) > 1 else types[0],
        observed=tensor.dtype,
        holds=holds,
        bound_from=bound_from,
        note=None if holds else f"{claim.place} says {claim.words}",
    )


def _holds_weights(examination: Examination, name: str, tensor: Tensor) -> bool:
    """Whether a claim is about a tensor: one of floats or blocks, or of any type where the family keeps weights."""
    view = examination.view
    canonical = view.canonical[name]
    known = canonical is not None and view.role(canonical) is not None and name not in view.storage.parts
    return known or tensor.type.kind in ("float", "quantised")


def _left_alone(tensor: Tensor, types: tuple[str, ...]) -> bool:
    """Whether a tensor may simply not have been converted: a float of more bits than the label gives."""
    wider = all(tensor.type.bits > DTYPES[name].bits for name in types)
    return wider and tensor.type.kind == "float" and role(tensor.name) not in _EVERYWHERE


def _fallbacks(claim: Claim, recipe: Recipe, tensors: list[tuple[str | None, Tensor]]) -> Iterator[Comparison]:
    """How much has a type only because its rows are no whole number of blocks: told, and no fault."""
    fell = [tensor for canonical, tensor in tensors if fell_back(recipe, canonical, tensor)]
    if not fell:
        return
    total = sum(tensor.elements for _, tensor in tensors)
    share = sum(tensor.elements for tensor in fell) / max(total, 1)
    types = ", ".join(sorted({tensor.dtype for tensor in fell}))
    yield Comparison(
        measure="fallback_share",
        expected=f"any (rows that are no whole number of {claim.label} blocks)",
        observed=f"{share:.1%}",
        holds=True,
        note=f"{share:.1%} of the values are {types} because their rows do not divide into the recipe's blocks",
    )


def _expected(examination: Examination, recipe: Recipe, canonical: str | None, tensor: Tensor) -> tuple[str, ...]:
    if examination.target.form.free_vectors and len(tensor.shape) < 2:
        # A checkpoint may keep its vectors in float32, or in the type of its matrices.
        return tuple(dict.fromkeys((*recipe.types, "F32")))
    return expected_types(recipe, examination.recipes, canonical, tensor)


def _bits_per_weight(
    examination: Examination, claim: Claim, parameters: ClaimedTypesParameters, where: Where
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


CLAIMED_TYPES = static(ClaimedTypesParameters, claimed_types)
