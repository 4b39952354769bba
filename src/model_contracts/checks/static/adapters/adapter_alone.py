"""Kinds `adapter_declared`, `adapter_trained`: what an adapter says of its modules, and whether they add anything."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.parts.adapter_factors import AdapterHeld, Factor, held_by
from model_contracts.anatomy.parts.adapter_settings import AdapterSettings
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, not_owed, static
from model_contracts.family import Families
from model_contracts.outcome import Comparison, Place, Uncompared

Seen = Iterator[Comparison | Uncompared]


def adapter_declared(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the modules that have a factor with those that the configuration asks for, and with its flags."""
    artifact, settings, held = _low_rank(examination)
    if settings.gguf:
        yield from _of_family(artifact, held, examination.families)
        return
    listed = isinstance(settings.said.get("target_modules"), list)
    for factor in held.factors:
        yield from _asked(factor, settings) if listed else ()
        yield from _flags(factor, settings)
        yield from _scaled(factor, settings)
    if not held.factors:
        yield Uncompared(place=Place(file=artifact.path.name), reason="no tensor of it is a factor of a module")


def adapter_trained(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the halves of each factor with zero, and names with an expression of target_modules."""
    _, settings, held = _low_rank(examination)
    for factor in held.factors:
        yield from _trained(factor, examination)
        if isinstance(settings.said.get("target_modules"), str):
            yield from _asked(factor, settings)


def _low_rank(examination: Examination) -> tuple[Artifact, AdapterSettings, AdapterHeld]:
    artifact, part = examination.view.artifact, examination.view.part
    settings = AdapterSettings.of(artifact)
    if part.name != "adapter":
        raise not_owed(f"this is {part}, and no adapter")
    if not settings.low_rank:
        raise not_owed("it does not say that it is a low-rank adapter")
    return artifact, settings, held_by(artifact)


def _asked(factor: Factor, settings: AdapterSettings) -> Seen:
    """A factor that nothing asks for is not loaded: PEFT makes its modules first, and drops what is left over."""
    place = Place(file=factor.first.file.name, tensor=factor.first.name)
    named = settings.names_parameter_of(factor.name) or settings.names(factor.name)
    if named is None:
        key = "layers_pattern" if isinstance(settings.said.get("target_modules"), list) else "target_modules"
        yield Uncompared(place=place, reason=f"the expression of {key} is not evaluated: its cost has no bound")
    else:
        said = settings.said.get("target_modules")
        yield Comparison(
            measure="module_asked",
            place=place,
            expected=f"a module that target_modules names: {said}"[:200],
            observed=factor.name,
            holds=named,
            note=None if named else "PEFT makes no such module, and leaves this factor out without an error",
        )


def _flags(factor: Factor, settings: AdapterSettings) -> Seen:
    """A magnitude or a bias is there where the configuration says so, and nowhere else."""
    for key, tensor, words in (
        ("use_dora", factor.magnitude, "a vector of magnitudes"),
        ("lora_bias", factor.bias, "a bias beside B"),
    ):
        declared = settings.said.get(key) is True
        if (tensor is not None or declared) and not (key == "use_dora" and declared):  # G0-TENSOR-001 has those
            yield Comparison(
                measure=key,
                place=Place(file=factor.first.file.name, tensor=tensor.name if tensor is not None else factor.module),
                expected=words if declared else "none: the configuration does not ask for it",
                observed="there" if tensor is not None else "missing",
                holds=declared == (tensor is not None),
            )


def _scaled(factor: Factor, settings: AdapterSettings) -> Seen:
    """What the product is multiplied by can be computed from what is declared."""
    place = Place(file=factor.first.file.name, tensor=factor.first.name)
    scale = settings.scale(factor.name, factor.rank or 0)
    if isinstance(scale, str):
        yield Uncompared(place=place, reason=scale)
        return
    expected = "alpha / sqrt(r), a number" if settings.rooted else "alpha / r, a number"
    yield Comparison(measure="lora_scale", place=place, expected=expected, observed=scale, holds=True)


def _of_family(artifact: Artifact, held: AdapterHeld, families: Families) -> Seen:
    """Of a GGUF: names that a family of its architecture has, without the halves."""
    word = artifact.metadata.get("general.architecture")
    said = families.saying(word) if isinstance(word, str) else ()
    known = [family for family in said if word in family.gguf]
    names = {name for family in known for name in (*family.tensors, *family.fused.get("gguf", {}))}
    for factor in held.factors:
        place = Place(file=factor.first.file.name, tensor=factor.first.name)
        if not known:
            yield Uncompared(
                place=place, reason=f"no family is shipped for {str(word)[:40]!r}, which it says it is for"
            )
            continue
        there = template(factor.module)[0] in names
        expected = f"a tensor of {known[0].id}"
        yield Comparison(
            measure="module_known", place=place, expected=expected, observed=factor.module, holds=there,
            note=None if there else "llama.cpp refuses an adapter with a tensor that its base does not have",
        )  # fmt: skip


def _trained(factor: Factor, examination: Examination) -> Seen:
    for half in factor.halves.values() if len(factor.halves) > 1 else ():
        seen = examination.sweep.moments.get(half.name)
        place = Place(file=half.file.name, tensor=half.name)
        if seen is None:
            yield Uncompared(place=place, count=max(half.elements, 1), reason="its values were not read")
            continue
        zero = seen.zeros == seen.count
        yield Comparison(
            measure="factor_trained",
            place=place,
            expected="a value that is not 0",
            observed="zero in every place" if zero else "other values",
            holds=not zero,
            count=max(seen.count, 1),
            note=f"{factor.name} gets nothing added: training begins so" if zero else None,
        )


ADAPTER_DECLARED = static(NoParameters, adapter_declared)
ADAPTER_TRAINED = static(NoParameters, adapter_trained, reads_values=True)
