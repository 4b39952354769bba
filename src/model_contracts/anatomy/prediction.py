"""Owns layers of multi-token prediction (MTP) that a family does not spell out: their names, what each owes, shapes.

Such a layer is one of the model's own kind with a matrix and norms before it (DeepSeek, GLM, Qwen, MiMo): what every
layer of the model has, it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.outcome import Comparison, Place, Uncompared

Seen = Iterator[Comparison | Uncompared]
#: What the tensors of multi-token prediction are called (DeepSeek, GLM, Qwen, MiMo, llama.cpp).
PREDICTION = ("mtp.*", "*.mtp.*", "*.mtp_*", "*.nextn.*", "*nextn_*", "*.eh_proj.*", "*.enorm.*", "*.hnorm.*")
_OF_LAYER = re.compile(r"^(?:model\.)?(?:mtp\.layers|mtp_layers|mtp_block)\.(\d{1,3})\.(.+)$")
_OF_MODEL = re.compile(r"^(?:model\.)?layers\.(\d{1,5})\.(.+)$")
#: Around the layers of Qwen3-Next and Qwen3.5: one without the others is half of it.
_AROUND = ("mtp.fc.weight", "mtp.norm.weight", "mtp.pre_fc_norm_embedding.weight", "mtp.pre_fc_norm_hidden.weight")
_OTHERS = ("mtp.embed_tokens.weight", "mtp.lm_head.weight")
#: What joins the state and the embedding: twice as wide as it gives.
_JOINS = re.compile(r"(?:^|\.)(?:fc|eh_proj|input_proj)\.weight$")


def predicts(name: str) -> bool:
    """Whether a tensor's name says that it is of such a layer."""
    return any(fnmatchcase(name, pattern) for pattern in PREDICTION)


def unknown(view: View) -> dict[str, Tensor]:
    """The tensors of such layers that the artifact's family does not know, by their bare names."""
    if view.convention != "huggingface":
        return {}
    return {
        bare: view.artifact.tensors[name]
        for name, bare in view.bare.items()
        if view.entries[name] is None and (bare.startswith("mtp.") or _OF_LAYER.match(bare))
    }


def complete(view: View) -> Seen:
    """Compare each such layer with what all layers of the model have; what else it holds is told."""
    tensors, (every, any_) = unknown(view), _in_layers(view)
    layers: dict[str, set[str]] = {}
    for bare in tensors:
        if (match := _OF_LAYER.match(bare)) is not None:
            layers.setdefault(match[1], set()).add(match[2])
    for number, rests in layers.items():
        lacking = sorted(every - rests)
        yield Comparison(
            measure="prediction_layer",
            place=Place(tensor=f"layer {number} of multi-token prediction"),
            expected=f"the {len(every)} tensors that every layer of the model has",
            observed=f"no {lacking[0]}" if lacking else "all of them",
            holds=not lacking,
            count=max(len(every), 1),
            note="speculative decoding would run on noise" if lacking else None,
        )
    around = _AROUND if any(bare in tensors for bare in _AROUND[2:]) else ()
    for name in around:
        there = "there" if name in tensors else "missing"
        yield Comparison(
            measure="tensor_present", place=Place(tensor=name), expected="there", observed=there,
            holds=name in tensors,
        )  # fmt: skip
    for bare, tensor in tensors.items():
        match = _OF_LAYER.match(bare)
        if (match is None and bare not in (*around, *_OTHERS)) or (match is not None and match[2] not in any_):
            reason = "of multi-token prediction: the family does not say which tensors that has"
            yield Uncompared(place=Place(file=tensor.file.name, tensor=tensor.name), reason=reason)


def shapes(view: View) -> Seen:
    """Compare shapes with those of the same tensor in the model's own layers; another one may be right."""
    own: dict[str, set[tuple[int, ...]]] = {}
    for name, bare in view.bare.items():
        if (match := _OF_MODEL.match(bare)) is not None:
            own.setdefault(match[2], set()).add(view.artifact.tensors[name].shape)
    width = view.numbers.get("hidden_size")
    for bare, tensor in unknown(view).items():
        place = Place(file=tensor.file.name, tensor=tensor.name)
        match = _OF_LAYER.match(bare)
        alike = own.get(match[2], set()) if match is not None else set()
        joined = _joined(bare, width)
        if joined is not None and tensor.packed is None:
            expected = list(joined)
            yield Comparison(
                measure="shape", place=place, expected=expected, observed=list(tensor.shape),
                holds=tensor.shape == joined, count=len(joined), note="hidden_size, and twice that where two join",
            )  # fmt: skip
        elif tensor.shape in alike:
            yield Comparison(
                measure="shape", place=place, expected=list(tensor.shape), observed=list(tensor.shape), holds=True,
                count=max(len(tensor.shape), 1),
            )  # fmt: skip
        else:
            yield Uncompared(place=place, reason="of multi-token prediction: the family does not say its shape")


def _joined(bare: str, width: object) -> tuple[int, ...] | None:
    """The shape of what stands around the layers (None: it is not known)."""
    if not isinstance(width, int):
        return None
    return (width, 2 * width) if _JOINS.search(bare) else (width,) if bare in _AROUND[1:] else None


def _in_layers(view: View) -> tuple[set[str], set[str]]:
    """What all layers of the model have, and what any has, by the end of its name."""
    layers: dict[int, set[str]] = {}
    for bare in view.bare.values():
        if (match := _OF_MODEL.match(bare)) is not None:
            layers.setdefault(int(match[1]), set()).add(match[2])
    found = list(layers.values())
    return (set.intersection(*found), set.union(*found)) if found else (set(), set())
