"""Owns `extends`: the clauses of contracts flattened and the entries of families merged, each keeping its own line."""

from __future__ import annotations

from collections.abc import Callable

from model_contracts.contract import Clause, Contract
from model_contracts.definitions.errors import DefinitionError
from model_contracts.definitions.tree import Pointer
from model_contracts.family import Family
from model_contracts.invariant import Definition, Origin


class Layer(Origin):
    """An Origin of a merged definition: some values were written in other files."""

    def __init__(self, own: Origin, elsewhere: dict[Pointer, tuple[Origin, Pointer]]) -> None:
        super().__init__(own.file, own.lines, own.digest)
        self.own, self.elsewhere = own, elsewhere

    def under(self, pointer: Pointer) -> tuple[Origin, Pointer]:
        """The origin that wrote a value, and the value's path there."""
        origin: Origin = self.own
        if (found := self.elsewhere.get(pointer[:2])) is not None:
            origin, pointer = found[0], (*found[1], *pointer[2:])
        return origin.under(pointer) if isinstance(origin, Layer) else (origin, pointer)

    def where(self, *pointer: str | int) -> str:
        """`file:line` in the file that wrote the value."""
        origin, pointer = self.under(pointer)
        return origin.where(*pointer)


Written = tuple[Clause, Origin | None, int]


def flatten(contract: Contract, above: Callable[[Contract, int], Contract]) -> Contract:
    """The contract with every clause it is made of; `above(child, n)` loads the n-th contract that a child extends."""
    clauses = [written for group in _groups(contract, above, ()).values() for written in group]
    merged = contract.model_copy(update={"clauses": tuple(clause for clause, _, _ in clauses)})
    if contract._origin is not None:
        elsewhere: dict[Pointer, tuple[Origin, Pointer]] = {
            ("clauses", index): (origin, ("clauses", at))
            for index, (_, origin, at) in enumerate(clauses)
            if origin is not None
        }
        merged._origin = Layer(contract._origin, elsewhere)
    return merged


def _groups(
    contract: Contract, above: Callable[[Contract, int], Contract], path: tuple[str, ...]
) -> dict[str, list[Written]]:
    """Clauses by invariant, in order; those of a child stand where its parents' stood."""
    _refuse_cycle(contract, path)
    groups: dict[str, list[Written]] = {}
    for index in range(len(contract.extends)):
        groups.update(_groups(above(contract, index), above, (*path, contract.id)))
    own: dict[str, list[Written]] = {}
    for index, clause in enumerate(contract.clauses):
        before = own.setdefault(clause.invariant, [])
        _refuse_overlap(contract, index, before)
        before.append((clause, contract._origin, index))
    groups.update(own)
    return groups


def _refuse_overlap(contract: Contract, index: int, before: list[Written]) -> None:
    clause = contract.clauses[index]
    for other, _, at in before:
        both = set(clause.gates) & set(other.gates)
        if both or not clause.gates or not other.gates:
            expected = (
                f"each gate of {clause.invariant} in one clause (an earlier one: {contract.where('clauses', at)})"
            )
            place = contract.where("clauses", index)
            raise DefinitionError(place, None, None, expected, ", ".join(sorted(both)) or "all of its gates again")


def merge_family(family: Family, above: Callable[[Family], Family], path: tuple[str, ...] = ()) -> Family:
    """The family with the entries of all it extends; `above(child)` loads the one that a child extends."""
    _refuse_cycle(family, path)
    if family.extends is None:
        return family.model_copy(update={"tensors": {k: v for k, v in family.tensors.items() if v is not None}})
    base = merge_family(above(family), above, (*path, family.id))
    tensors = {**base.tensors, **family.tensors}
    merged = family.model_copy(
        update={
            "hyperparameters": {**base.hyperparameters, **family.hyperparameters},
            "tensors": {name: tensor for name, tensor in tensors.items() if tensor is not None},
            "converter_only": tuple(dict.fromkeys((*base.converter_only, *family.converter_only))),
            "computed": tuple(dict.fromkeys((*base.computed, *family.computed))),
            "fused": {
                convention: {
                    name: fused
                    for name, fused in {**base.fused.get(convention, {}), **family.fused.get(convention, {})}.items()
                    if fused is not None
                }
                for convention in (*base.fused, *family.fused)
            },
            "dialects": {name: said for name, said in {**base.dialects, **family.dialects}.items() if said is not None},
            "not_where": {**base.not_where, **family.not_where},
            "base_prefix": family.base_prefix if "base_prefix" in family.model_fields_set else base.base_prefix,
            "next_token": family.next_token and base.next_token,
            # What keeps a base's word from another family keeps its heirs from it too, but for one that says otherwise.
            "only_with": family.only_with if "only_with" in family.model_fields_set else base.only_with,
            "not_with": family.not_with if "not_with" in family.model_fields_set else base.not_with,
        }
    )
    if family._origin is not None and base._origin is not None:
        inherited: dict[Pointer, tuple[Origin, Pointer]] = {
            (table, name): (base._origin, (table, name))
            for table in ("hyperparameters", "tensors")
            for name in getattr(base, table)
            if name not in getattr(family, table)
        }
        merged._origin = Layer(family._origin, inherited)
    return merged


def _refuse_cycle(definition: Definition, path: tuple[str, ...]) -> None:
    if definition.id in path:
        chain = " -> ".join((*path, definition.id))
        raise DefinitionError(
            definition.where("extends"), None, None, "definitions that do not extend themselves", chain
        )
