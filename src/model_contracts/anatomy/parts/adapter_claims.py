"""Owns what an adapter_config.json claims of the adapter's tensors: modules, magnitudes, whole modules, a scale."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from model_contracts.artifact import Artifact
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable

Seen = Iterator[Comparison | Uncompared]
_LAYER = re.compile(r"[._](\d+)[._]")
_MOST = 4096
#: What is not known of an adapter alone: its base says whether it has such a module.
MAYBE = "lost, or"


def declared_of(artifact: Artifact, modules: list[str]) -> Seen:
    """Hold what the configuration of a low-rank adapter claims to `modules`, those that have a factor."""
    config = artifact.config or {}
    if not artifact.form.beside or "peft_type" not in config:
        return
    sidecar = artifact.sidecars.get("config")
    file = sidecar.path.name if sidecar is not None else "adapter_config.json"
    yield from _scale(config, file)
    yield from _magnitudes(artifact, config, modules)
    yield from _targets(config, file, modules)
    yield from _every_layer(file, modules)
    yield from _saved(artifact, config, file)


def _scale(config: Mapping[str, Any], file: str) -> Seen:
    if (alpha := config.get("lora_alpha")) is None:
        return
    number = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    holds = number and math.isfinite(alpha) and alpha != 0
    place = Place(file=file, key="lora_alpha")
    note = None if holds else "the update is multiplied by alpha / r: this one changes nothing, or cannot be computed"
    yield Comparison(
        measure="lora_alpha", place=place, expected="a number that is not 0", observed=jsonable(alpha), holds=holds,
        note=note,
    )  # fmt: skip


def _magnitudes(artifact: Artifact, config: Mapping[str, Any], modules: list[str]) -> Seen:
    """DoRA keeps a vector of magnitudes beside the two halves of each factor."""
    if config.get("use_dora") is not True:
        return
    for module in modules:
        names = (f"{module}.lora_magnitude_vector", f"{module}.lora_magnitude_vector.weight")
        there = any(name in artifact.tensors for name in names)
        yield Comparison(
            measure="dora_magnitude",
            place=Place(tensor=names[0]),
            expected="there: use_dora is declared true",
            observed="there" if there else "missing",
            holds=there,
        )


def _targets(config: Mapping[str, Any], file: str, modules: list[str]) -> Seen:
    """Each module that the configuration lists has a factor; a list may name more than the model has."""
    targets = config.get("target_modules")
    if not isinstance(targets, list) or not modules:
        return
    for target in [one for one in targets if isinstance(one, str)][:_MOST]:
        place = Place(file=file, key="target_modules")
        if any(module == target or module.endswith((f".{target}", f"_{target}")) for module in modules):
            yield Comparison(measure="target_module", place=place, expected=target, observed=target, holds=True)
        else:
            reason = f"no factor is of {target[:80]!r}: {MAYBE} the model has no such module"
            yield Uncompared(place=place, reason=reason)


def _every_layer(file: str, modules: list[str]) -> Seen:
    """A layer in which one module of a block has a factor, and a second has none that it has in other layers."""
    layers: dict[str, set[str]] = {}
    for module in modules:
        if (found := _LAYER.search(module)) is not None:
            layers.setdefault(_LAYER.sub(".{n}.", module, count=1), set()).add(found[1])
    blocks: dict[str, set[str]] = {}
    for name, numbers in layers.items():
        blocks.setdefault(name.rpartition(".")[0], set()).update(numbers)
    for name, numbers in layers.items():
        for number in sorted(blocks[name.rpartition(".")[0]] - numbers, key=int)[:_MOST]:
            reason = f"it has no factor, which other layers have, and its neighbours do: {MAYBE} no such module"
            yield Uncompared(place=Place(file=file, tensor=name.replace("{n}", number)), reason=reason)


def _saved(artifact: Artifact, config: Mapping[str, Any], file: str) -> Seen:
    """Modules saved whole: none of them there is a loss; one of several may be a name that the model does not have."""
    saved = config.get("modules_to_save")
    names = [name for name in saved if isinstance(name, str)][:_MOST] if isinstance(saved, list) else []
    held = {name for name in names if any(f".{name}." in f".{tensor}." for tensor in artifact.tensors)}
    place = Place(file=file, key="modules_to_save")
    if names and not held:
        yield Comparison(
            measure="module_saved", place=place, expected=list(names[:32]), observed="none of them", holds=False,
            note="the configuration says that they were trained and saved whole",
        )  # fmt: skip
        return
    for name in names:
        if name not in held and not {"classifier", "score"} >= set(names):
            yield Uncompared(place=place, reason=f"no tensor is of {name[:80]!r}: {MAYBE} the model has none")
