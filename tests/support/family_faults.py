"""Makes what a wrong converter would write: each step of a family left out, done twice or for another head count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from model_contracts.family import Family, FamilyTensor, Fused, LayoutStep

#: How a report says that a step was left out, was done twice, and was done for other heads.
_WORDS = {
    "rows_within_heads": ("rows not permuted", "permuted twice", " heads"),
    "transpose": ("not transposed", "not transposed", ""),
    "tile": ("not permuted", "permuted", "permuted"),
    "tile_columns": ("columns not permuted", "columns permuted", "columns permuted"),
    "add": (" not added", " added twice", ""),
    "scale": ("not multiplied by", "twice", ""),
    "negative_exp": ("-exp(x) not taken", "-exp(x) taken twice", ""),
    "ternarise": ("not ternarised",),
}


class Fault(NamedTuple):
    """A family that says one thing wrong, of which weight or fused tensor, and what names it in a report."""

    title: str
    key: str
    family: Family
    words: str


def faults(family: Family, heads: int) -> Iterator[Fault]:
    """Each fault of each step; `heads` is another head count."""
    for key, weight in family.tensors.items():
        if weight is None:
            continue
        for side in ("gguf_steps", "huggingface_steps"):
            for at, step in enumerate(steps := getattr(weight, side)):
                (kind,) = step.model_fields_set
                if kind in _WORDS:
                    for number, (how, other) in enumerate(_wrong(step, heads)):
                        said = (*steps[:at], *other, *steps[at + 1 :])
                        yield Fault(f"{key}: {kind} {how}", key, _with(family, key, side, said), _WORDS[kind][number])
    for convention, table in family.fused.items():
        for name, fused in table.items():
            if fused is not None:
                yield from _regrouped(family, convention, name, fused)


def _wrong(step: LayoutStep, heads: int) -> Iterator[tuple[str, tuple[LayoutStep, ...]]]:
    yield "left out", ()
    if step.ternarise is None:
        yield "done twice", (step, step)
    if step.rows_within_heads is not None:
        yield "for other heads", (LayoutStep(rows_within_heads=heads),)
    elif step.tile is not None:
        yield "the other way round", (LayoutStep(tile=step.tile[::-1]),)
    elif step.tile_columns is not None:
        yield "the other way round", (LayoutStep(tile_columns=step.tile_columns[::-1]),)


def _regrouped(family: Family, convention: str, name: str, fused: Fused) -> Iterator[Fault]:
    tensors = [family.tensors[key] for key in fused.of]
    shapes = [weight.shape for weight in tensors if weight is not None]
    for first in range(len(shapes) - 1):
        if shapes[first] == shapes[first + 1]:
            of = list(fused.of)
            of[first], of[first + 1] = of[first + 1], of[first]
            yield _fused(family, convention, name, fused, "exchanged", of=tuple(of))
    if fused.groups:
        yield _fused(family, convention, name, fused, "", groups=())


def _fused(family: Family, convention: str, name: str, fused: Fused, words: str, **changed: object) -> Fault:
    table = {**family.fused[convention], name: fused.model_copy(update=changed)}  # type: ignore[index]
    said = family.model_copy(update={"fused": {**family.fused, convention: table}})
    return Fault(f"{name}: {' '.join(changed)}", fused.of[0], said, words)


def _with(family: Family, key: str, side: str, steps: tuple[LayoutStep, ...]) -> Family:
    weight = family.tensors[key]
    assert isinstance(weight, FamilyTensor)
    changed = weight.model_copy(update={side: steps})
    return family.model_copy(update={"tensors": {**family.tensors, key: changed}})
