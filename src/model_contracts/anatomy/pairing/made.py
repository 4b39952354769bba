"""Owns tensors without a place of their own: what several stored ones make, and a turned packed weight as plain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from model_contracts.anatomy.families.steps import transposed
from model_contracts.artifact import Made, Tensor
from model_contracts.layout import Expr, Stored, simplify, stored


def parts_of(tensor: Tensor) -> Iterator[Tensor]:
    """The stored tensors that one is made of; itself where it is stored."""
    if tensor.made is None:
        yield tensor
    else:
        yield from tensor.made.parts.values()


def made_of(expression: Expr, known: Mapping[str, Tensor], target: str) -> Tensor:
    """What several tensors, or a changed one, make: a tensor without a place of its own."""
    parts = {leaf.name: known[leaf.name] for leaf in stored(expression)}
    first = next(iter(parts.values()))
    types = Counter(part.dtype for part in parts.values())
    others = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
    return replace(
        first,
        name=f"{first.name}{others} as {target}",  # one tensor may be parts of several
        dtype=types.most_common(1)[0][0],
        shape=expression.shape,
        nbytes=sum(part.nbytes for part in parts.values()),
        row_bytes=None,
        readable=all(part.readable for part in parts.values()),
        packed=next((part.packed for part in parts.values() if part.packed is not None), None),
        made=Made(expression, parts),
        computed=None,
    )


def is_turned(tensor: Tensor) -> bool:
    """Whether it is packed with the last two axes of its plain tensor exchanged; a made tensor is plain."""
    packed = tensor.packed
    return packed is not None and packed.turned and packed.shape_known and tensor.made is None and len(tensor.shape) > 1


def plain(tensor: Tensor) -> Tensor:
    """The plain tensor of a weight that is packed turned; itself else."""
    return _exchanged(tensor, tensor.name) if is_turned(tensor) else tensor


def facing(target: Tensor, source: Tensor) -> Tensor:
    """The source with its axes in the order of a target of the same convention, where one is packed turned."""
    return _exchanged(source, target.name) if is_turned(target) is not is_turned(source) else source


def _exchanged(tensor: Tensor, name: str) -> Tensor:
    if len(tensor.shape) < 2 or tensor.placeholder:
        return tensor
    whole = Stored(tensor.name, tensor.shape) if tensor.made is None else tensor.made.layout
    known = {tensor.name: tensor} if tensor.made is None else tensor.made.parts
    return made_of(simplify(transposed(whole)), known, name)
