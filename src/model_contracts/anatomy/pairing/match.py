"""Owns which tensor of a target answers to what of its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from model_contracts.anatomy.declared.built_rope import LISTED, listed_factors
from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.pairing.absent import Absent, absent
from model_contracts.anatomy.pairing.counterparts import Counterparts, Unmade, answered_in_part
from model_contracts.anatomy.pairing.keyed import kept_as_key
from model_contracts.anatomy.pairing.made import facing, parts_of
from model_contracts.anatomy.prediction import predicts, unknown
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.sweep.interface import Pairing


@dataclass(frozen=True, slots=True)
class Extra:
    """A tensor of the target that no tensor of the source answers to, and the explanation (None: there is none)."""

    tensor: Tensor
    explanation: str | None


@dataclass(frozen=True, slots=True)
class Match:
    """The bijection as found: pairs by target name, what is missing, what is extra, what only a family could say."""

    pairings: dict[str, Pairing]
    missing: tuple[Tensor, ...]
    explained_missing: tuple[tuple[Tensor, str], ...]
    extra: tuple[Extra, ...]
    #: Tensors of the target that are not made of the source's, and why.
    unmade: tuple[Unmade, ...] = ()
    #: Tensors of either side that may answer to each other under other names, in other shapes, fused or stacked.
    undecided: tuple[Tensor, ...] = ()
    #: What would be needed to decide those, and pairs whose layout nothing declares (None: nothing).
    unknown: str | None = None
    #: Layers of the source of which the target has no tensor at all.
    missing_layers: tuple[int, ...] = ()
    #: Tensors of either side that what the source lacks could answer, and why that is not known.
    absent: tuple[Tensor, ...] = ()
    absence: str | None = None


def match(target: View, source: View) -> Match:
    """Pair tensors by what they hold: logical weights of a family, else canonical names, else equal names."""
    counterparts = Counterparts(source)
    by_name: dict[str, Tensor] | None = None
    pairings: dict[str, Pairing] = {}
    used: set[str] = set()
    extra: list[Extra] = []
    unmade: list[Unmade] = []
    unknown = _unknown(target, source)
    for name, tensor in target.artifact.tensors.items():
        key = target.canonical[name] or target.bare[name]
        explanation = None
        answer = counterparts.of(target, tensor)
        if answer is None:
            by_name = _by_bare_name(source, target) if by_name is None else by_name
            answer = by_name.get(target.bare[name])
            answer = facing(tensor, answer) if answer is not None else None
        if isinstance(answer, Unmade):
            unmade.append(answer)
            used.update(answer.parts)
            continue
        if answer is None:
            answer, explanation = _explain(key, tensor, target, source)
            extra.append(Extra(tensor, explanation))
        else:
            used.update(part.name for part in parts_of(answer))
        if answer is not None and not tensor.placeholder and not answer.placeholder:
            same = target.way == source.way and target.bare[name] == source.bare.get(answer.name)
            pairings[name] = Pairing(tensor, _squeezed(answer, tensor), same or unknown is None)
    missing, explained = [], []
    used -= set(answered_in_part(target, source))
    for tensor in source.artifact.tensors.values():
        if tensor.name not in used and (tensor.name not in counterparts.doubles):
            reason = _may_be_dropped(tensor, target, source)
            if reason is None:
                missing.append(tensor)
            else:
                explained.append((tensor, reason))
    found = Match(pairings, tuple(missing), tuple(explained), tuple(extra), tuple(unmade))
    if (lacked := absent(source)) is not None:
        found = _without(found, lacked, target, source)
    return found if unknown is None else _in_doubt(found, unknown, target, source)


def _without(found: Match, lacked: Absent, target: View, source: View) -> Match:
    """The same with those tensors apart that files which the source lacks could answer."""
    held: list[Extra] = []
    apart: list[Tensor] = []
    for one in found.extra:
        key = target.canonical[one.tensor.name] or target.bare[one.tensor.name]
        if one.explanation is None and (lacked.may_hold(key) or lacked.may_hold(target.bare[one.tensor.name])):
            apart.append(one.tensor)
        else:
            held.append(one)
    parts = {
        tensor.name
        for tensor in found.missing
        if source.canonical[tensor.name] is None and lacked.may_complete(source.bare[tensor.name])
    }
    return replace(
        found,
        extra=tuple(held),
        missing=tuple(tensor for tensor in found.missing if tensor.name not in parts),
        absent=(*apart, *(tensor for tensor in found.missing if tensor.name in parts)),
        absence=lacked.reason,
    )


def _unknown(target: View, source: View) -> str | None:
    """What is not known of the two, as a sentence begins with it (None: a family knows both)."""
    ours, theirs = target.part, source.part
    if (ours.whole, theirs.whole) == (True, True) or "vocabulary" in (ours.name, theirs.name):
        pass
    elif ours.name != theirs.name:
        return f"the target is {ours.words} and the source {theirs.words}: what one owes the other is not known"
    elif ours.name != "projector" or target.family is None or source.family is None:
        return f"no family is shipped for {ours}: what a converter does to its tensors is not known"
    if source.family is not None and (target.family is not None or target.architecture is None):
        return None
    if target.family is not None and source.architecture is None:
        return None
    side = source if source.family is None else target
    return f"{side.unknown}: what a converter does to its names, shapes, row orders and values is not known"


def _in_doubt(found: Match, unknown: str, target: View, source: View) -> Match:
    """The same with those tensors undecided that a tensor without a counterpart on the other side could hold."""
    extra = [one for one in found.extra if one.explanation is None]
    if (
        target.part.name == source.part.name
        and target.way == source.way
        and not _packed(target)
        and not _packed(source)
    ):
        room, owed = (sum(tensor.elements for tensor in side) for side in ((e.tensor for e in extra), found.missing))
        missing = tuple(tensor for tensor in found.missing if tensor.elements > room and not _tied(tensor, source))
        # Of a source that lacks files it is not known how much it could answer.
        lone = [one for one in extra if one.tensor.elements > owed and found.absence is None]
    else:
        missing, lone = (), []
    kept = {id(one) for one in lone}
    names = {tensor.name for tensor in missing}
    return replace(
        found,
        missing=missing,
        extra=tuple(one for one in found.extra if one.explanation is not None or id(one) in kept),
        undecided=(
            *(tensor for tensor in found.missing if tensor.name not in names),
            *(one.tensor for one in extra if id(one) not in kept),
        ),
        unknown=unknown,
        missing_layers=tuple(_missing_layers(target, source)),
    )


def _packed(view: View) -> bool:
    """Whether one weight may be several tensors, which a storage scheme would have to say."""
    config = view.artifact.config or {}
    return "quantization_config" in config or "quantization" in config


def _tied(tensor: Tensor, source: View) -> bool:
    """Whether a tensor is an output head that the source may tie to its embedding, which a family would say."""
    head = source.canonical[tensor.name] == "output.weight" or source.bare[tensor.name].endswith("lm_head.weight")
    return head and source.tied is None


def _missing_layers(target: View, source: View) -> Iterator[int]:
    """Layers that the source declares and has, and of which no tensor of the target bears the number."""
    declared = source.declared.get("num_hidden_layers")
    if not (target.part.whole and source.part.whole):
        return
    theirs, ours = _layers(source.bare.values()), _layers(target.bare.values())
    if declared is None or not isinstance(declared.value, int) or not ours:
        return
    yield from sorted(layer for layer in theirs - ours if layer < declared.value)


def _layers(names: Iterable[str]) -> set[int]:
    return {layer for name in names if (layer := template(name)[1]) is not None}


def _by_bare_name(source: View, target: View) -> dict[str, Tensor]:
    """The source's tensors by their own names, where both sides name tensors the same way."""
    if target.way != source.way:
        return {}
    return {source.bare[name]: tensor for name, tensor in source.artifact.tensors.items()}


def _squeezed(source: Tensor, target: Tensor) -> Tensor:
    """The source in the target's shape, where the two differ only by axes of 1: the same values in the same order."""
    ours, theirs = ([size for size in tensor.shape if size != 1] for tensor in (target, source))
    if target.shape == source.shape or ours != theirs or source.type.kind == "quantised":
        return source
    return replace(source, shape=target.shape)


def _explain(key: str, tensor: Tensor, target: View, source: View) -> tuple[Tensor | None, str | None]:
    """The tensor an extra one is to be compared with, and why it may be there."""
    if key == "output.weight" and source.tied is not False:
        embedding = source.by_canonical.get("token_embd.weight")
        if embedding is not None:
            return embedding, "output head of a tied model: compared with the source's embedding"
    if (place := kept_as_key(key, tensor, target, source)) is not None:
        return None, f"{place} has the same value"
    family = target.family
    if family is not None and template(key)[0] in family.converter_only:
        return None, "written by the converter from the source's config"
    return None, None


def _may_be_dropped(tensor: Tensor, target: View, source: View) -> str | None:
    key = source.canonical[tensor.name] or source.bare[tensor.name]
    if target.convention != source.convention and (part := source.other_part(tensor.name)) is not None:
        return f"of the {part}: llama.cpp keeps it in a file of its own (mmproj)"
    if target.convention != source.convention and tensor.name in _ahead(source) and not any(map(predicts, target.bare)):
        return "of multi-token prediction: no other layer reads it"
    entry, layers = source.entries[tensor.name], target.numbers.get("num_hidden_layers")
    taken = source.layers_taken if entry is not None and entry.layer is not None else None
    if taken is not None and entry is not None and (entry.layer or 0) >= taken and layers == taken:
        return "behind the layer whose output is taken (vision_feature_layer): nothing reads it"
    if key in target.refused:
        return "the target declares it with a type that nobody knows"
    if key.endswith(source.computed):
        return "a buffer that readers compute"
    scaling = target.declared.get("rope_scaling_type")
    if key == "rope_freqs.weight" and scaling is not None and scaling.value == "llama3":
        return f"{scaling.place} declares the scaling that it was made from"
    if key in LISTED and (place := listed_factors(key, source, target)) is not None:
        return f"{place} lists the same factors"
    if (place := kept_as_key(key, tensor, source, target)) is not None:
        return f"{place} has the same value"
    role = source.role(key)
    if role is not None and role.presence == "optional" and not _owed(role.required_by, source):
        return "optional in its family"
    if key == "output.weight" and source.tied:
        return "output head of a tied model: readers take the embedding"
    if key == "output.weight" and (head := source.by_canonical.get(key)) is not None and head.placeholder:
        return "an entry without bytes"
    return None


def _ahead(source: View) -> set[str]:
    return {tensor.name for tensor in unknown(source).values()}


def _owed(flag: str | None, source: View) -> bool:
    return flag is not None and source.flag(flag)
