"""Owns what the tensors of an adapter owe each other: both halves of a factor, one rank, declared sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from model_contracts.anatomy.parts import adapter_kinds
from model_contracts.anatomy.parts.adapter_claims import declared_of
from model_contracts.anatomy.parts.adapter_factors import AdapterHeld, Factor, held_by
from model_contracts.anatomy.parts.adapter_settings import AdapterSettings
from model_contracts.artifact import Artifact, Tensor
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable

Seen = Iterator[Comparison | Uncompared]


def known(artifact: Artifact) -> bool:
    """Whether it is an adapter of a kind whose tensors are known."""
    return _low_rank(artifact) or adapter_kinds.known(_kind(artifact))


def tensors(artifact: Artifact) -> Seen:
    """Compare the tensors with those that adapters of the kind are made of."""
    kind = _kind(artifact)
    if adapter_kinds.known(kind):
        yield from adapter_kinds.tensors(artifact, kind)
        yield from _strangers(artifact, lambda name: adapter_kinds.own(name, kind))
        return
    held = held_by(artifact)
    for factor in held.factors:
        yield from _pair(factor)
        yield from _not_empty(factor)
    yield from declared_of(artifact, [factor.module for factor in held.factors if factor.halves])
    own = _own(held)
    yield from _strangers(artifact, lambda name: name in own)


def shapes(artifact: Artifact) -> Seen:
    """Compare the shapes of each factor's tensors with each other."""
    if adapter_kinds.known(kind := _kind(artifact)):
        yield from adapter_kinds.shapes(artifact, kind)
        return
    for factor in held_by(artifact).factors:
        if len(factor.halves) < 2:
            continue  # tensors() tells of a half that is missing
        a, b = factor.halves["A"], factor.halves["B"]
        holds = len(a.shape) > 1 and len(b.shape) > 1 and (a.shape[0] == b.shape[1] or factor.by_rows)
        rank = a.shape[0] if a.shape else "?"
        yield _shape("lora_rank", b, f"[out, {rank}], for A is {list(a.shape)}", holds, a)
        for beside, words in ((factor.magnitude, "magnitudes"), (factor.bias, "bias")):
            if beside is not None and holds and len(b.shape) == 2:
                expected = [b.shape[0]]
                plain = [axis for axis in beside.shape if axis != 1] == [axis for axis in expected if axis != 1]
                yield _shape("lora_beside", beside, f"{expected}: {words} of {factor.module}", plain)


def sizes(artifact: Artifact) -> Seen:
    """Compare the ranks with those that are declared, and whether there is a scale."""
    if adapter_kinds.known(kind := _kind(artifact)):
        yield from adapter_kinds.sizes(artifact, kind)
    elif artifact.form.prefixed_keys:
        alpha = artifact.metadata.get("adapter.lora.alpha")
        holds = isinstance(alpha, int | float) and not isinstance(alpha, bool) and 0 < alpha < 1e6
        place = Place(key="adapter.lora.alpha")
        yield Comparison(
            measure="lora_alpha", place=place, expected="a number above 0", observed=jsonable(alpha), holds=holds
        )
    elif artifact.config is None or "r" not in artifact.config:
        for name, tensor in artifact.tensors.items():
            reason = "no adapter_config.json says of which rank it is"
            yield Uncompared(place=Place(file=tensor.file.name, tensor=name), reason=reason)
    else:
        yield from _ranks(artifact)


def _ranks(artifact: Artifact) -> Seen:
    settings = AdapterSettings.of(artifact)
    experts = bool(settings.said.get("target_parameters"))
    for factor in held_by(artifact).factors:
        if (a := factor.halves.get("A")) is None or (rank := factor.rank) is None:
            continue  # tensors() and shapes() tell of those
        declared = settings.rank(factor.name)
        if declared is None:
            reason = "which rank is declared for it is not known: its rank_pattern is not evaluated, or is no number"
            yield Uncompared(place=Place(file=a.file.name, tensor=a.name), reason=reason)
            continue
        holds = rank == declared or (experts and rank > 0 and rank % declared == 0)
        yield Comparison(
            measure="lora_rank",
            place=Place(file=a.file.name, tensor=a.name),
            expected=declared,
            observed=rank,
            holds=holds,
            note=None if holds else "the scale of the update is alpha / r",
        )


def _pair(factor: Factor) -> Seen:
    if not factor.halves:
        return  # magnitudes or a bias alone: _strangers tells of them
    there = factor.first
    whole = len(factor.halves) == 2
    yield Comparison(
        measure="lora_pair",
        place=Place(file=there.file.name, tensor=there.name),
        expected="both halves of the factor",
        observed="both" if whole else f"half {'B' if 'A' in factor.halves else 'A'} is missing",
        holds=whole,
        note=None if whole else f"{factor.module} would be left as it is, or the adapter is refused",
    )


def _not_empty(factor: Factor) -> Seen:
    """No half has an axis of 0: a writer under ZeRO-3 that did not gather its weights saves such."""
    for tensor in factor.halves.values():
        if not tensor.elements:
            yield _shape("lora_empty", tensor, "values: a shape without an axis of 0", False)


def _own(held: AdapterHeld) -> frozenset[str]:
    found = [tensor.name for factor in held.factors if factor.halves for tensor in _tensors(factor)]
    found += [tensor.name for tensor in (*held.others, *held.tokens.values())]
    return frozenset(found)


def _tensors(factor: Factor) -> Iterator[Tensor]:
    yield from factor.halves.values()
    yield from (tensor for tensor in (factor.bias, factor.magnitude) if tensor is not None)


def _strangers(artifact: Artifact, own: Callable[[str], bool]) -> Seen:
    config = artifact.config or {}
    saved = config.get("modules_to_save")
    modules = [name for name in saved if isinstance(name, str)] if isinstance(saved, list) else []
    biases = config.get("bias") in ("all", "lora_only")
    for name, tensor in artifact.tensors.items():
        if not own(name):
            yield _beside(artifact, name, tensor, modules, biases)


def _beside(artifact: Artifact, name: str, tensor: Tensor, modules: list[str], biases: bool) -> Comparison | Uncompared:
    """A tensor that is no factor: one of a module that the config says was saved whole, or nobody's."""
    place = Place(file=tensor.file.name, tensor=name)
    if any(f".{module}." in f".{name}." for module in modules):
        return Comparison(measure="module_saved", place=place, expected=list(modules[:32]), observed=name, holds=True)
    if biases and name.endswith(".bias"):
        return Comparison(measure="bias_saved", place=place, expected="biases, as bias says", observed=name, holds=True)
    if ".base_layer." in name:
        expected = "the weight of a module that has a factor"
        return Comparison(measure="base_saved", place=place, expected=expected, observed=name, holds=True)
    if artifact.form.beside:
        return Uncompared(place=place, reason="the adapter's kind has none such, and its config names no such module")
    expected = "names that end in .lora_a and .lora_b"
    return Comparison(measure="tensor_known", place=place, expected=expected, observed=name, holds=False)


def _shape(measure: str, tensor: Tensor, expected: str, holds: bool, beside: Tensor | None = None) -> Comparison:
    return Comparison(
        measure=measure,
        place=Place(file=(beside or tensor).file.name, tensor=tensor.name),
        expected=expected,
        observed=list(tensor.shape),
        holds=holds,
    )


def _kind(artifact: Artifact) -> object:
    return (artifact.config or {}).get("peft_type")


def _low_rank(artifact: Artifact) -> bool:
    kind = (artifact.config or {}).get("peft_type", "LORA")
    return kind in ("LORA", "lora") and artifact.metadata.get("adapter.type", "lora") == "lora"
