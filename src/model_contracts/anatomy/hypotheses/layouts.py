"""Owns alternative hypotheses: the layouts that a wrongly made tensor may have, in the words of a report.

They are mutations of what is declared of the tensor, the steps that converters are known to do where none is declared,
and the same layout over other tensors of the source.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from math import prod

from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.families.steps import transposed, within_heads
from model_contracts.anatomy.families.stored_names import named
from model_contracts.anatomy.pairing.counterparts import Counterparts, DeclaredLayout
from model_contracts.anatomy.pairing.made import made_of
from model_contracts.anatomy.view import View
from model_contracts.artifact import Made, Tensor
from model_contracts.layout import (
    Apply,
    Concat,
    Expr,
    LayoutError,
    Stored,
    compiled,
    mutations,
    stored,
    substitute,
)
from model_contracts.sweep.interface import Pairing

#: What is wrong, and what the target would then hold.
Hypothesis = tuple[str, Tensor]

_HEADS = ("num_attention_heads", "num_key_value_heads")
#: Layers and experts on either side that are tried, and mutations of one way to write a layout.
_NEIGHBOURS, _MOST = 4, 128


@dataclass(frozen=True)
class Hypotheses:
    """What may be wrong with one pair."""

    pairing: Pairing
    target: View
    source: View
    #: The row that fits worst.
    row: int = 0

    def __iter__(self) -> Iterator[Hypothesis]:
        """Each, those in the words of their convention first; what was said in other words before is left out."""
        seen = set[object]()
        for words, tensor in self._all():
            if (made := tensor.made) is None:
                yield words, tensor
            elif (values := _values(made)) not in seen:
                seen.add(values)
                yield words, replace(tensor, made=replace(made, grain=self.pairing.target.dtype))

    def _all(self) -> Iterator[Hypothesis]:
        layout, parts = self.layout, self.parts
        for words, other in self._layouts():
            if other.shape == layout.shape and other != layout:
                yield words, made_of(other, parts, words)
        counterparts = Counterparts(self.source)
        yield from self._layers(counterparts)
        yield from self._experts()
        yield from self._others()

    @property
    def layout(self) -> Expr:
        """How the pair says that the target is made."""
        source = self.pairing.source
        return Stored(source.name, source.shape) if source.made is None else source.made.layout

    @property
    def parts(self) -> Mapping[str, Tensor]:
        """The tensors of the source in it."""
        source = self.pairing.source
        return {source.name: source} if source.made is None else source.made.parts

    def _layouts(self) -> Iterator[tuple[str, Expr]]:
        first = self.pairing.source.made is None or self._unordered() != self.layout
        yield from self._row_orders() if first else ()
        found = Counterparts(self.source).declared(self.target, self.pairing.target)
        if found is not None and self.pairing.source.made is not None and found.parts.keys() == self.parts.keys():
            for words, other in _mutations(found.whole):
                yield words, substitute(other, found.weights)
            yield from self._pieces(found)
            yield from _mutations(self.layout)
            yield from _mutations(found.layout)
        elif found is not None and found.whole.shape == self.layout.shape and len(self.parts) == 1:
            name = next(iter(self.parts))
            if [leaf.shape for leaf in stored(found.layout)][:1] == [self.parts[name].shape]:
                for words, other in _mutations(found.whole):
                    whole = substitute(other, found.weights)
                    yield words, substitute(whole, {leaf.name: self.layout for leaf in stored(whole)})
        else:
            yield from _mutations(self.layout)
        yield from () if first else self._row_orders()
        yield from self._undeclared()

    def _pieces(self, found: DeclaredLayout) -> Iterator[tuple[str, Expr]]:
        """Of a fused tensor of the source: another piece in the place of one, pieces not grouped or in other groups."""
        known, entry = self.source.conventions, self.target.entries[self.pairing.target.name]
        if known is None or entry is None or self.target.conventions is None:
            return
        keys = {named(key, entry.layer): key for key in self.target.conventions.keys(entry)}
        for words, other in known.otherwise([keys[name] for name in found.weights], entry.layer, self._heads()):
            weights = {name: other(key) for name, key in keys.items() if name in found.weights}
            held = {name: substitute(weight, found.turned) for name, weight in weights.items() if weight is not None}
            if len(held) == len(weights) and all(one.shape == found.weights[name].shape for name, one in held.items()):
                yield words, substitute(found.whole, held)

    def _heads(self) -> dict[str, int]:
        numbers = self.source.numbers
        return {name: value for name in _HEADS if isinstance(value := numbers.get(name), int) and value > 0}

    def _row_orders(self) -> Iterator[tuple[str, Expr]]:
        """llama.cpp's and Hugging Face's orders of rows within heads, of each head count that is declared."""
        base, heads = self._unordered(), self._heads()
        if base != self.layout:
            yield "rows not permuted (Q/K left in the source's order)", base
        for name, count in heads.items():
            there, back = _within_heads(base, count), _within_heads(base, count, True)
            if there is None or back is None:
                continue
            yield f"rows permuted to llama.cpp's order with {count} heads ({name})", there
            yield f"rows permuted to Hugging Face's order with {count} heads ({name})", back
            for others, other in heads.items():
                mixed = _within_heads(base, other) if other != count else None
                if mixed is not None and (taken := _within_heads(mixed, count, True)) is not None:
                    words = f"rows taken back from llama.cpp's order with {count} heads ({name})"
                    yield f"{words}, where they have {other} ({others}),", taken

    def _unordered(self) -> Expr:
        """The source's tensor where an order of rows is all that is declared; the declared layout else."""
        entry = self.target.entries.get(self.pairing.target.name)
        family = self.target.family
        weight = family.tensors.get(entry.key) if family is not None and entry is not None else None
        if weight is None or weight.heads is None or len(self.parts) != 1:
            return self.layout
        ((name, part),) = self.parts.items()
        return Stored(name, part.shape) if part.shape == self.layout.shape else self.layout

    def _undeclared(self) -> Iterator[tuple[str, Expr]]:
        """Steps that converters do to tensors of some families."""
        layout, shape = self.layout, self.layout.shape
        if len(shape) > 1 and shape[-1] == shape[-2]:
            yield "transposed", transposed(layout)
        if len(shape) == 1:
            yield "a norm that was given +1", Apply(layout, "add", 1.0)
            yield "a norm that lost 1", Apply(layout, "add", -1.0)

    def _layers(self, counterparts: Counterparts) -> Iterator[Hypothesis]:
        """The same layout over the tensors of a layer near by."""
        layer = self._layer()
        for number in range(layer - _NEIGHBOURS, layer + _NEIGHBOURS + 1) if layer is not None else ():
            others = {name: counterparts.beside(part, number) for name, part in self.parts.items()}
            known = {name: other for name, other in others.items() if other is not None}
            if number != layer and len(known) == len(others) and _alike(known, self.parts):
                words = f"layer {number} in place of layer {layer}"
                yield words, made_of(self.layout, known, words)

    def _layer(self) -> int | None:
        first = next(iter(self.parts.values()))
        return template(self.source.canonical.get(first.name) or self.source.bare.get(first.name, ""))[1]

    def _experts(self) -> Iterator[Hypothesis]:
        """Another expert in the place of one: in a stack of that of the worst row, else of the tensor itself."""
        if isinstance(self.layout, Concat) and self.layout.axis == 0 and len(self.layout.shape) > 1:
            yield from self._stacked(self.layout)
            return
        entry = self.source.entries.get(next(iter(self.parts.values())).name)
        if entry is None or entry.expert is None or len(self.parts) != 1:
            return
        ((name, part),) = self.parts.items()
        for other, found in self.source.entries.items():
            if found is None or found.expert is None or (found.key, found.layer) != (entry.key, entry.layer):
                continue
            tensor = self.source.artifact.tensors[other]
            if 0 < abs(found.expert - entry.expert) <= _NEIGHBOURS and _alike({name: tensor}, {name: part}):
                words = f"expert {found.expert} in place of expert {entry.expert}"
                yield words, made_of(self.layout, {name: tensor}, words)

    def _stacked(self, layout: Concat) -> Iterator[Hypothesis]:
        heights = [prod(part.shape[:-1]) for part in layout.parts]
        place = min(bisect_right(list(accumulate(heights)), max(self.row, 0)), len(heights) - 1)
        for other in range(max(place - _NEIGHBOURS, 0), min(place + _NEIGHBOURS + 1, len(heights))):
            if other == place or layout.parts[other].shape != layout.parts[place].shape:
                continue
            parts = list(layout.parts)
            parts[place] = layout.parts[other]
            names = self._called(layout.parts[place], place), self._called(layout.parts[other], other)
            yield (words := f"{names[1]} in place of {names[0]}"), made_of(Concat(tuple(parts)), self.parts, words)
            parts[other] = layout.parts[place]
            yield (words := f"{names[0]} and {names[1]} exchanged"), made_of(Concat(tuple(parts)), self.parts, words)

    def _called(self, part: Expr, number: int) -> str:
        tensor = self.parts[next(stored(part)).name]
        entry = self.source.entries.get(tensor.name)
        return f"expert {entry.expert}" if entry is not None and entry.expert is not None else f"part {number}"

    def _others(self) -> Iterator[Hypothesis]:
        """The same layout over another tensor of its shape in the same layer."""
        if len(self.parts) != 1 or (layer := self._layer()) is None:
            return
        ((name, part),) = self.parts.items()
        for canonical, tensor in self.source.by_canonical.items():
            if tensor.name != part.name and template(canonical)[1] == layer and _alike({name: tensor}, {name: part}):
                yield f"{tensor.name} in its place", made_of(self.layout, {name: tensor}, tensor.name)


def _mutations(layout: Expr) -> Iterator[tuple[str, Expr]]:
    try:
        yield from islice(mutations(layout), _MOST)
    except LayoutError:  # too scattered to be told apart
        return


def _values(made: Made) -> object:
    """What is equal for made tensors of the same values; of what is too scattered to be worked out, itself."""
    try:
        return frozenset((name, part.name) for name, part in made.parts.items()), compiled(made.layout)
    except LayoutError:
        return made.layout


def _alike(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    """Whether tensors can stand for others: of the same shapes, and there to be read."""
    return all(
        tensor.shape == theirs[name].shape and tensor.readable and not tensor.placeholder
        for name, tensor in ours.items()
    )


def _within_heads(layout: Expr, heads: int, back: bool = False) -> Expr | None:
    """Rows in the other order within each head; None where heads do not divide them."""
    try:
        return within_heads(layout, heads, back)
    except ValueError:
        return None
