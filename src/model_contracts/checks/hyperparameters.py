"""Kind `hyperparameters`: what an artifact declares of its size agrees with its tensors and with itself."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.anatomy.names import layer_count
from model_contracts.anatomy.view import View
from model_contracts.checks.declared_parts import declared_parts
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, family_of
from model_contracts.family import HyperParameter
from model_contracts.outcome import Comparison, Place, jsonable

_COUNTS = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "vocab_size", "max_position_embeddings",
)  # fmt: skip


def hyperparameters(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare declared hyper-parameters with the tensors, and with each other."""
    view = examination.view
    if view.family is None:
        yield from declared_parts(view)
    family = family_of(view)
    for name, parameter in family.hyperparameters.items():
        if parameter.owed and name not in view.declared:
            yield _comparison(view, name, "declared", None, False, note=_undeclared(view, name, parameter))
    yield from _counts(view)
    yield from _against_tensors(view)
    yield from _against_each_other(view)
    yield from declared_parts(view)


def _undeclared(view: View, name: str, parameter: HyperParameter) -> str:
    """What is missing; a GGUF key that stands under another architecture's prefix is named."""
    ends = tuple(key.removeprefix("{arch}") for key in parameter.gguf)
    keys = view.artifact.metadata if view.artifact.format == "gguf" and ends else ()
    elsewhere = next((key for key in keys if key.endswith(ends)), None)
    return f"{name} is owed and nothing declares it" + (f"; {elsewhere} is no key of it" if elsewhere else "")


def _counts(view: View) -> Iterator[Comparison]:
    for name in _COUNTS:
        if name in view.declared:
            value = view.declared[name].value
            whole = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
            yield _comparison(view, name, "a whole number above 0", value, whole)
    for name in ("rope_theta", "rms_norm_eps"):
        if name in view.declared:
            value = view.declared[name].value
            positive = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e30
            yield _comparison(view, name, "a number above 0", value, positive)


def _against_tensors(view: View) -> Iterator[Comparison]:
    layers = layer_count(view.canonical.values())
    if layers and "num_hidden_layers" in view.declared:
        value = view.declared["num_hidden_layers"].value
        yield _comparison(
            view, "num_hidden_layers", layers, value, value == layers, note="layers counted by tensor names"
        )
    embedding = view.by_canonical.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        return
    for name, size in zip(("vocab_size", "hidden_size"), embedding.shape, strict=True):
        if name in view.declared:
            value = view.declared[name].value
            yield _comparison(view, name, size, value, value == size, note=f"an axis of {embedding.name}")


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
    declared = view.declared.get(name)
    return Comparison(
        measure=name,
        place=declared.place if declared else Place(),
        expected=jsonable(expected),
        observed=jsonable(observed),
        holds=holds,
        bound_from=view.family.where("hyperparameters", name) if view.family else None,
        note=note,
    )
