"""Owns what a declaration owes in tensors and lists: biases, layers of multi-token prediction, one entry a layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_contracts.anatomy.declared.declared_keys import DeclaredSide, Said
from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.prediction import predicts
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Comparisons
from model_contracts.checks.static.configuration.sentence_parts import parts_whole
from model_contracts.definitions import load_keys
from model_contracts.family import Family
from model_contracts.outcome import Comparison, Place, Uncompared


def declared_parts(view: View) -> Comparisons:
    """Compare what flags, counts and per-layer lists declare with what is there."""
    if _declares(view.artifact):
        keys = load_keys()
        side = DeclaredSide(view, keys, keys.values)
        layers = side.said.get("num_hidden_layers")
        count = layers.value if layers is not None and isinstance(layers.value, int) else None
        yield from _biases(side, count)
        yield from _prediction(side, count)
        yield from _per_layer(side, count)
    yield from parts_whole(view)


def _declares(artifact: Artifact) -> bool:
    """Whether any key could be such a declaration: most small files have none, and the table of keys is long."""
    said = (artifact.config or {}) if artifact.form.beside else artifact.metadata
    return any(
        not isinstance(value, int | float | str | None) or "bias" in key or "nextn" in key
        for key, value in said.items()
        if not key.startswith(("general.", "tokenizer."))
    )


def _biases(side: DeclaredSide, layers: int | None) -> Iterator[Comparison | Uncompared]:
    """Biases that a flag says there are none of; that those it asks for are there, G0-TENSOR-001 compares."""
    family = side.view.family
    for flag in ("attention_bias", "mlp_bias") if side.kind == "config" else ():
        owed = [bare for bare, one in family.tensors.items() if one and one.required_by == flag] if family else []
        if side.all.get(flag) is True and family is None:
            reason = "which tensors it asks for only a family could say"
            yield Uncompared(place=side.place(flag), reason=reason)
        for bare in owed if side.all.get(flag) is False else ():
            names = (bare.replace("{n}", str(layer)) for layer in range(min(layers or 0, 10_000)))
            there = [tensor for name in names if (tensor := side.view.by_canonical.get(name)) is not None]
            yield Comparison(
                measure=flag,
                place=Place(tensor=there[0].name) if there else side.place(flag),
                expected="no bias",
                observed=f"{len(there)} biases" if there else "none",
                holds=not there,
                note=f"{side.place(flag)} is false: transformers would not load them" if there else None,
            )


def _prediction(side: DeclaredSide, layers: int | None) -> Iterator[Comparison | Uncompared]:
    """Layers of multi-token prediction (MTP): declared by number, stored by name or after the last layer."""
    said = side.said.get("num_nextn_predict_layers")
    if said is None or not isinstance(said.value, int) or isinstance(said.value, bool) or said.value < 1:
        return
    names = [name for name in side.view.artifact.tensors if _predicts(name, layers, side)]
    family = side.view.family
    if not names and family is None:
        reason = f"whether the {said.value} layers of multi-token prediction are saved only a family could say"
        yield Uncompared(place=said.place, reason=reason)
        return
    if not names and family is not None and _may_lack_prediction(family):
        yield _predicted(said, 0, True, "transformers leaves them out, and no other layer reads them")
        return
    there = {number for name in names if (number := template(name)[1]) is not None}
    # mtp.layers.0 counts its own layers; the tensors around them have no number.
    count = len(there) if there and layers is not None and min(there) >= layers else said.value if names else 0
    absent = "tensors of such a layer are missing: speculative decoding would run on noise"
    yield _predicted(said, len(names), count == said.value, None if count == said.value else absent)


def _may_lack_prediction(family: Family) -> bool:
    """Whether the tensors of such layers are known to the family, and owed by nobody."""
    known = [weight for key, weight in family.tensors.items() if "nextn" in key and weight is not None]
    return bool(known) and all(weight.presence == "optional" for weight in known)


def _predicted(said: Said, names: int, holds: bool, note: str | None) -> Comparison:
    return Comparison(
        measure="num_nextn_predict_layers",
        place=said.place,
        expected=f"tensors of {said.value} layers of multi-token prediction (MTP)",
        observed=f"{names:,} tensors" if names else None,
        holds=holds,
        note=note,
    )


def _predicts(name: str, layers: int | None, side: DeclaredSide) -> bool:
    if predicts(name):
        return True
    number = template(name)[1]
    after = number is not None and layers is not None and number >= layers
    return after and side.kind == "config"


def _per_layer(side: DeclaredSide, layers: int | None) -> Iterator[Comparison]:
    for pattern in side.keys.per_layer:
        key = pattern.replace("{arch}", side.architecture)
        value: Any = side.all.get(key)
        if not isinstance(value, tuple) or not value or layers is None:
            continue
        yield Comparison(
            measure=key.rpartition(".")[2],
            place=side.place(key),
            expected=f"an array of {layers} entries, one a layer",
            observed=f"an array of {len(value)} entries",
            holds=len(value) == layers,
            count=layers if layers > 0 else 1,
        )
