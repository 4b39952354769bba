"""Kind `scheme_siblings`: layers that readers fuse into one matrix share the number that the matrix has one of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from model_contracts.anatomy.storage.packed import PackedWeight
from model_contracts.checks.drafts import Draft
from model_contracts.checks.interface import (
    Comparisons,
    Examination,
    NoParameters,
    Where,
    not_owed,
    owed_to_schemes,
    static,
)
from model_contracts.outcome import Comparison, Place

#: The last step of a module's name to what is fused (vLLM's packed_modules_mapping; SGLang's is the same).
_FUSED = {"q_proj": "q, k and v", "k_proj": "q, k and v", "v_proj": "q, k and v"}
_FUSED |= {"gate_proj": "gate and up", "up_proj": "gate and up", "w1": "gate and up", "w3": "gate and up"}
_STEP = re.compile(r"^(.*)\.([^.]+)$")


def scheme_siblings(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the global scale of each group of siblings, part by part."""
    weights = owed_to_schemes(examination.view).weights
    if not any(part.fused for weight in weights for part in weight.layout.parts):
        raise not_owed("no layout of it has a number that fused layers share")
    groups: dict[tuple[str, str], list[PackedWeight]] = {}
    for weight in weights:
        step = _STEP.match(weight.module)
        if step is not None and step[2] in _FUSED:
            groups.setdefault((step[1], _FUSED[step[2]]), []).append(weight)
    for (parent, words), group in groups.items():
        if len(group) > 1:
            yield from _group(examination, parent, words, group)


def _group(examination: Examination, parent: str, words: str, group: list[PackedWeight]) -> Iterator[Draft]:
    for part in group[0].layout.parts:
        if not part.fused:
            continue
        found: dict[str, float] = {}
        for weight in group:
            tensor = weight.part(part) if weight.layout is group[0].layout else None
            figures = examination.sweep.packed.get(weight.name)
            numbers = figures.parts.get(tensor.name) if figures is not None and tensor is not None else None
            if tensor is not None and numbers is not None and numbers.count == 1 and numbers.finite:
                found[weight.module.rpartition(".")[2]] = numbers.maximum
        if len(found) < 2:
            continue
        same = len(set(found.values())) == 1
        yield Draft(same, partial(_shared, parent, words, part.names[0], found, same), len(found))


def _shared(parent: str, words: str, end: str, found: dict[str, float], same: bool) -> Comparison:
    return Comparison(
        measure="siblings_share",
        place=Place(tensor=f"{parent}.{next(iter(found))}{end}"),
        expected=f"one number for {words}",
        observed=", ".join(f"{name} {value:g}" for name, value in found.items()),
        holds=same,
        count=len(found),
        note=None if same else f"readers that fuse {words} take the largest for all of them (vLLM issue 54150)",
    )


SCHEME_SIBLINGS = static(NoParameters, scheme_siblings, reads_values=True)
