"""Owns where a row of a stored tensor stands in its family: which weight, expert, head and row it is of a layer."""

from __future__ import annotations

from dataclasses import replace

from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.anatomy.families.steps import transposed
from model_contracts.anatomy.families.stored_names import NotKnown, StoredEntry
from model_contracts.anatomy.pairing.made import is_turned
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.layout import LayoutError, compiled, stored


def logical_place(view: View, tensor: Tensor, row: int) -> str | None:
    """In words, where the stored place says less: of a stacked, fused or permuted tensor, or one with heads."""
    known, entry = view.conventions, view.entries.get(tensor.name)
    if known is None or entry is None or row < 0 or len(tensor.shape) < 2:
        return None
    try:
        whole = replace(known, shapes_only=True).stored(entry)
        whole = transposed(whole) if is_turned(tensor) else whole
        if whole.shape != tensor.shape or row >= tensor.rows:
            return None
        piece = compiled(whole).rows(row, row + 1).pieces[0]
        shape = next(leaf.shape for leaf in stored(whole) if leaf.name == piece.name)
        return _words(known, entry, piece.name, shape, piece.first, row)
    except (NotKnown, LayoutError, ValueError):
        return None


def _words(
    known: Conventions, entry: StoredEntry, name: str, shape: tuple[int, ...], first: int, row: int
) -> str | None:
    columns = shape[-1]
    number = first // columns
    found = []
    if len(shape) == 3:
        expert, number = divmod(number, shape[1])
        found.append(f"expert {expert}")
    heads = _heads(known, entry, name) if len(shape) == 2 else 0
    if heads and shape[0] % heads == 0:
        found.append(f"head {number // (shape[0] // heads)}")
    if entry.layer is not None and found:
        found.insert(0, f"layer {entry.layer}")
    if not found and not entry.fused and number == row:
        return None
    return f"row {row} is row {number} of {name}" + (f" ({', '.join(found)})" if found else "")


def _heads(known: Conventions, entry: StoredEntry, name: str) -> int:
    """How many heads the rows of a logical weight are; 0 where its family says none."""
    for key in known.keys(entry):
        weight = known.family.tensors.get(key)
        if weight is not None and key.replace("{n}", str(entry.layer)) == name:
            said = [word for word in weight.shape[0] if isinstance(word, str) and word.endswith("heads")]
            return known.size((said[0],), entry.layer) if len(said) == 1 and len(weight.shape[0]) > 1 else 0
    return 0
