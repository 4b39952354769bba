"""Kind `hyperparameters`: what an artifact declares of its size agrees with its tensors and with itself."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.anatomy.families.hyperparameters import Declared
from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.parts.part_tensors import sizes_of
from model_contracts.anatomy.towers import TowerView
from model_contracts.anatomy.view import View
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, missing_input, static
from model_contracts.checks.static.configuration.declared_parts import declared_parts
from model_contracts.family import Family
from model_contracts.hyperparameter import HyperParameter
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable

_COUNTS = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "vocab_size", "max_position_embeddings",
)  # fmt: skip


def hyperparameters(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare declared hyper-parameters with the tensors, and with each other."""
    view = examination.view
    if isinstance(view, TowerView) and view.family is not None:
        yield from _of_towers(view, view.family)
        return
    if not view.part.whole:
        yield from sizes_of(view.artifact, view.part)
        return
    yield from _sizes(view)
    if (towers := examination.towers) is not None:
        yield from _of_towers(towers, towers.family)
    yield from declared_parts(view)


def _sizes(view: View) -> Comparisons:
    if view.family is None:
        yield from _without_family(view)
        yield from declared_parts(view)
        return
    for name, parameter in view.family.hyperparameters.items():
        if parameter.owed and name not in view.declared and name not in view.numbers:
            yield _comparison(view, name, "declared", None, False, note=_undeclared(view, name, parameter))
    yield from _counts(view)
    yield from _layers(view)
    if view.by_canonical.get("token_embd.weight") is None:
        yield Uncompared(count=2, reason="there is no token embedding to hold vocab_size and hidden_size to")
    yield from _against_embedding(view)
    yield from _against_each_other(view)


def _of_towers(towers: TowerView, family: Family | None) -> Comparisons:
    """What towers declare of their sizes: what is owed, that each is a number, and a tensor in every layer."""
    if family is None:
        reason = f"{towers.unknown}: which sizes its towers declare, and where, is not known"
        yield Uncompared(place=Place(), reason=reason)
        return
    for name, parameter in family.hyperparameters.items():
        if parameter.owed and name not in towers.declared and name not in towers.numbers:
            yield _comparison(towers, name, "declared", None, False, note=_undeclared(towers, name, parameter))
    yield from _counts(towers)
    declared, heads = towers.numbers.get("num_hidden_layers"), towers.numbers.get("num_attention_heads")
    if _whole(declared) and isinstance(declared, int):
        there = towers.layer_count
        note = "layers counted by tensor names; a layer more than is declared is not read"
        yield _comparison(towers, "num_hidden_layers", there, declared, declared <= there, note=note)
    width = towers.numbers.get("hidden_size")
    if _whole(heads) and _whole(width) and isinstance(heads, int) and isinstance(width, int):
        yield _comparison(towers, "num_attention_heads", f"divides {width}", heads, width % heads == 0)


def _without_family(view: View) -> Comparisons:
    """What is decided without a family: numbers that are none, and layers that are declared and not there."""
    if view.architecture is None:
        raise missing_input(str(view.unknown))
    for comparison in _counts(view):
        # 0 says of many a size that the architecture has no such thing: heads, an MLP, rotary positions.
        if not comparison.holds and comparison.observed == 0:
            yield _not_decided(view, comparison)
        else:
            yield comparison
    yield from _layers_there(view)
    for comparison in _against_embedding(view):
        yield comparison if comparison.holds else _not_decided(view, comparison)
    yield Uncompared(reason=f"{view.unknown}: which other sizes it declares, and where, is not known")


def _not_decided(view: View, comparison: Comparison) -> Uncompared:
    observed, expected = comparison.observed, comparison.expected
    said = f"{comparison.measure} of {observed} is right where {comparison.note or 'it should be'} {expected}"
    return Uncompared(place=comparison.place, reason=f"{view.unknown}: whether {said} is not known")


def _layers_there(view: View) -> Comparisons:
    """Every layer that is declared has a tensor; one beyond them may be of another stack, or predict tokens ahead."""
    declared = view.declared.get("num_hidden_layers")
    numbers = {layer for name in view.bare.values() if (layer := template(name)[1]) is not None}
    if declared is None or not _whole(declared.value) or not numbers:
        yield Uncompared(reason=f"{view.unknown}: how many layers it declares, or how they are named, is not known")
        return
    assert isinstance(declared.value, int)
    absent = [layer for layer in range(min(declared.value, 10_000)) if layer not in numbers]
    ahead = view.artifact.metadata.get(f"{view.architecture.name if view.architecture else ''}.nextn_predict_layers")
    last = declared.value - ahead if isinstance(ahead, int) and 0 < ahead < declared.value else declared.value
    # Layers that share one set of tensors (ALBERT) bear one number; llama.cpp asks for the tensors of every block.
    shared = view.convention == "huggingface" and absent and min(absent) > max(numbers)
    if absent and (min(absent) >= last or shared or _may_be_empty(view)):
        reason = f"{view.unknown}: whether a layer may be without tensors is not known"
        yield Uncompared(place=declared.place, count=len(absent), reason=reason)
        return
    yield _comparison(
        view,
        "num_hidden_layers",
        declared.value,
        declared.value if not absent else f"no tensor of layer {', '.join(map(str, absent[:8]))}",
        not absent,
        note="layers that are declared have tensors" if not absent else "layers are missing",
    )


def _may_be_empty(view: View) -> bool:
    """Whether sizes are declared layer by layer, with a 0 among them (pruned models leave layers out)."""
    values = (*view.artifact.metadata.values(), *(view.artifact.config or {}).values())
    lists = [value for value in values if isinstance(value, list | tuple) and len(value) < 10_000]
    return any(0 in value for value in lists if value and all(type(item) is int for item in value)) or any(
        value and all(isinstance(item, dict) for item in value) for value in lists
    )


def _undeclared(view: View, name: str, parameter: HyperParameter) -> str:
    """What is missing; a GGUF key that stands under another architecture's prefix is named."""
    ends = tuple(key.removeprefix("{arch}") for key in parameter.gguf)
    keys = view.artifact.metadata if view.artifact.form.prefixed_keys and ends else ()
    elsewhere = next((key for key in keys if key.endswith(ends)), None)
    return f"{name} is owed and nothing declares it" + (f"; {elsewhere} is no key of it" if elsewhere else "")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _has_none(view: View, name: str) -> bool:
    """Whether a family has none of a thing, and its converter says so (Mamba has no attention heads)."""
    parameter = view.family.hyperparameters.get(name) if view.family is not None else None
    return parameter is not None and parameter.default is not None and parameter.default.value == 0


def _counts(view: View) -> Iterator[Comparison]:
    for name in _COUNTS:
        if name in view.declared:
            value = view.declared[name].value
            none = value == 0 and _has_none(view, name)
            yield _comparison(view, name, "a whole number above 0", value, none or _whole(value))
    for name in ("rope_theta", "rms_norm_eps"):
        if name in view.declared:
            value = view.declared[name].value
            positive = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e30
            yield _comparison(view, name, "a number above 0", value, positive)


def _layers(view: View) -> Iterator[Comparison]:
    """Layers counted by names; those that predict tokens ahead stand behind the last, where they are stored at all."""
    layers, value = view.layer_count, view.numbers.get("num_hidden_layers")
    if not layers or value is None:
        return
    ahead = view.numbers.get("num_nextn_predict_layers", 0)
    if isinstance(value, int) and isinstance(ahead, int) and ahead > 0 and layers == value + ahead:
        layers = value
    yield _comparison(view, "num_hidden_layers", layers, value, value == layers, note="layers counted by tensor names")


def _against_embedding(view: View) -> Iterator[Comparison]:
    embedding = view.by_canonical.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2 or (embedding.packed and not embedding.packed.shape_known):
        return
    for name, size in zip(("vocab_size", "hidden_size"), embedding.shape, strict=True):
        if name in view.declared:
            value = view.declared[name].value
            yield _comparison(view, name, size, value, value == size, note=f"{embedding.name} has")


def _against_each_other(view: View) -> Iterator[Comparison]:
    heads, groups = (view.numbers.get(name) for name in ("num_attention_heads", "num_key_value_heads"))
    if isinstance(heads, int) and isinstance(groups, int) and groups > 0:
        whole = heads % groups == 0
        yield _comparison(view, "num_key_value_heads", f"divides {heads} heads", groups, whole)
    head_dim = view.numbers.get("head_dim")
    if isinstance(head_dim, int):
        yield _comparison(view, "head_dim", "even (rotary halves)", head_dim, head_dim % 2 == 0)


def _comparison(
    view: View, name: str, expected: object, observed: object, holds: bool, note: str | None = None
) -> Comparison:
    declared = view.declared.get(name) or _made_of(view, name)
    return Comparison(
        measure=name,
        place=declared.place if declared else Place(),
        expected=jsonable(expected),
        observed=jsonable(observed),
        holds=holds,
        bound_from=view.family.where("hyperparameters", name) if view.family else None,
        note=note,
    )


def _made_of(view: View, name: str) -> Declared | None:
    """What is declared of the values that one is made of (blocks, of which some predict ahead)."""
    parameter = view.family.hyperparameters.get(name) if view.family else None
    parts = parameter.default.parts if parameter is not None and parameter.default is not None else ()
    return next((view.declared[part] for part in parts if part in view.declared), None)


HYPERPARAMETERS = static(NoParameters, hyperparameters)
