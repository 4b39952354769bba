"""Kind `scheme_coverage`: what is packed is what the configuration promises, module by module, and nothing else is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from model_contracts.anatomy.storage.packed import PackedWeight
from model_contracts.anatomy.storage.quantization import Quantisation
from model_contracts.anatomy.storage.storage_claims import claims_of
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft
from model_contracts.checks.interface import (
    Comparisons,
    Examination,
    NoParameters,
    Where,
    owed_to_schemes,
    static,
)
from model_contracts.family import FamilyTensor
from model_contracts.outcome import Comparison, Place, Uncompared

#: Weights of the families' tables that are linear layers wherever they stand: of attention, of an MLP and its experts.
_LINEAR = re.compile(
    r"[.](attn_(q|k|v|qkv|output|q_a|q_b|kv_a_mqa|kv_b|k_b|v_b)|ffn_(gate|up|down|gate_up)(_exps|_shexp)?([.]{e})?)[.]weight$"
)

#: What a scale of keys (k) or values (v) is called below its attention: by compressed-tensors now and before, ModelOpt.
_CACHE = ("{}_scale", "{0}_proj.{0}_scale", "{}_proj.output_scale", "attn.{}_scale")


def scheme_coverage(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare blocks, lists and single entries of the configurations with the modules that are packed."""
    view = examination.view
    found = owed_to_schemes(view)
    yield from claims_of(view.stored, found)
    for weight in found.weights:
        yield from _promised(weight)
        yield from _stays(view, weight)
    for block in found.declared:
        yield from _covered(view, block)
        yield from _cache(view, block)


def _promised(weight: PackedWeight) -> Iterator[Draft]:
    """A packed weight is of a module that the configuration packs, and no list of it leaves alone."""
    if weight.block is None:
        return
    hit = weight.block.ignored(weight.module)
    named = weight.entry is not None or not weight.block.entries
    yield Draft(hit is None and named, partial(_module, weight, hit, named))


def _module(weight: PackedWeight, hit: tuple[str, Place] | None, named: bool) -> Comparison:
    expected, note = "a module that the configuration packs", None
    if hit is not None:
        expected = f"not packed: {hit[1].key} names it"
        note = f"the ignore list has {hit[0][:120]!r}, and the module is packed all the same"
    elif not named:
        note = "no group of the configuration is for it"
    return Comparison(
        measure="module_packed" if hit is None else "module_ignored",
        place=Place(tensor=weight.module, key=hit[1].key if hit else None, file=hit[1].file if hit else None),
        expected=expected,
        observed=weight.title,
        holds=hit is None and named,
        note=note,
    )


def _covered(view: View, block: Quantisation) -> Comparisons:
    """Where a scheme is for every linear layer, each is packed or named by a list."""
    own = [weight for weight in view.storage.weights if weight.block is block]
    undecided = sorted(text for modules, _ in block.ignore for text in modules.undecided)
    if undecided:
        reason = f"{len(undecided)} expressions of its lists are not evaluated (they may take too long)"
        yield Uncompared(place=block.place, count=len(undecided), reason=reason)
    yield from _named(view, block)
    if not own or block.scheme is None or not block.scheme.every_linear:
        return
    if view.family is None:
        yield Uncompared(place=block.place, reason=f"{view.unknown}: which modules are linear layers is not known")
        return
    # Some writers keep experts in one tensor, which is no linear layer, and so pack none of them.
    experts = any(
        tensor.packed is not None and _is_expert(view, name) for name, tensor in view.artifact.tensors.items()
    )
    for name, tensor in view.artifact.tensors.items():
        owed = tensor.packed is None and _is_linear(view, name) and (experts or not _is_expert(view, name))
        if owed and block.of(name.removesuffix(".weight")) is not None:
            yield from _left(view, block, tensor)


def _is_expert(view: View, name: str) -> bool:
    entry = view.entries[name]
    return entry is not None and entry.expert is not None


def _is_linear(view: View, name: str) -> bool:
    """Whether a tensor is the weight of a linear layer by itself: of attention, or of an MLP, experts one by one."""
    entry, known = view.entries[name], view.conventions
    if entry is None or known is None or not name.endswith(".weight"):
        return False
    keys = known.keys(entry)
    stacked = any("_exps" in key for key in keys) and entry.expert is None
    return not stacked and all(_LINEAR.search(key) is not None for key in keys)


def _named(view: View, block: Quantisation) -> Comparisons:
    """A module that the configuration gives settings of its own is packed."""
    packed = {weight.module for weight in view.storage.weights}
    plain = {name.removesuffix(".weight"): tensor for name, tensor in view.stored.tensors.items()}
    for module, entry in block.single.items():
        if entry is None or (module not in packed and module not in plain):
            continue
        there = module in packed
        tensor = plain.get(module)
        yield Comparison(
            measure="module_promised",
            place=entry.place.model_copy(update={"tensor": module}),
            expected=f"packed ({block.method})",
            observed="packed" if there else str(tensor.dtype if tensor is not None else "missing"),
            holds=there,
            note=None if there else f"{entry.place} gives it settings of its own",
        )


def _stays(view: View, weight: PackedWeight) -> Iterator[Comparison]:
    """No norm is packed, and no module that writers of the scheme leave alone, unless the configuration names it."""
    entry, scheme = view.entries.get(weight.name), weight.scheme
    role = view.role(view.canonical.get(weight.name) or "")
    if entry is None or role is None:
        return
    kind = _kind(entry.key, role)
    if kind is None or (kind != "norm" and (kind not in scheme.stays or _declared(weight, kind))):
        return
    yield Comparison(
        measure="module_stays",
        place=Place(file=next(iter(weight.parts.values())).file.name, tensor=weight.module),
        expected="not packed",
        observed=weight.title,
        holds=False,
        note=f"writers of {scheme.title} leave such a module ({kind}) as it is, and the configuration does not name it",
    )


def _kind(key: str, role: FamilyTensor) -> str | None:
    """What a weight is where it is no linear layer between others."""
    if len(role.shape) == 1:
        return "norm"
    if key == "output.weight":
        return "head"
    if role.vocabulary_rows:
        return "embedding"
    return "router" if "ffn_gate_inp" in key else None


def _declared(weight: PackedWeight, kind: str) -> bool:
    """Whether the configuration speaks of that module, or of all of its class."""
    block = weight.block
    if block is None or block.single.get(weight.module) is not None:
        return True
    named = weight.entry is not None and weight.entry.modules is not None
    targets = weight.entry.settings.get("targets") if weight.entry is not None else None
    return named or (kind == "embedding" and isinstance(targets, list) and "Embedding" in targets)


def _cache(view: View, block: Quantisation) -> Comparisons:
    """Where scales of the key-value cache are promised, every attention has one for keys and one for values."""
    keys = block.scheme.cache if block.scheme is not None else ()
    said = next((key for key in keys if _promises(block.block.get(key))), None)
    if said is None or (block.dense and not view.storage.weights):
        return
    names = view.stored.tensors
    homes = dict.fromkeys(name.rpartition(".k_proj.")[0] for name in names if ".k_proj." in name)
    if not homes:
        yield Uncompared(place=block.place, reason="which modules keep keys and values is not known")
        return
    for home in homes:
        for end in ("k", "v"):
            there = any(f"{home}.{form.format(end)}" in names for form in _CACHE)
            yield Draft(there, partial(_scale_there, f"{home}.{end}_scale", said, there))


def _scale_there(name: str, said: str, there: bool) -> Comparison:
    return Comparison(
        measure="cache_scale_present",
        place=Place(tensor=name),
        expected=f"there: {said} promises it",
        observed="there" if there else "missing",
        holds=there,
    )


def _promises(value: object) -> bool:
    """Whether a key asks for scales that are stored: a word, or a group that is not dynamic."""
    if isinstance(value, dict):
        return bool(value) and value.get("dynamic") in (False, None)
    return isinstance(value, str) and value.upper() in ("FP8", "INT8")


def _left(view: View, block: Quantisation, tensor: Tensor) -> Comparisons:
    module = tensor.name.removesuffix(".weight")
    place = Place(file=tensor.file.name, tensor=module)
    hit = block.ignored(module)
    if hit is None and block.may_ignore(module):
        yield Uncompared(place=place, reason="whether a list of modules that stay as they are names it is not settled")
        return
    yield Comparison(
        measure="module_packed",
        place=place,
        expected=f"packed ({block.method}), or named by a list of modules that stay" if hit is None else "not packed",
        observed=tensor.dtype,
        holds=hit is not None,
        note=None if hit is not None else f"{block.place} is for every linear layer and its ignore list has none of it",
    )


SCHEME_COVERAGE = static(NoParameters, scheme_coverage)
