"""Owns one packed weight: its parts, its settings as declared and as its own state says, and the shape it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod

from model_contracts.anatomy.storage.part_shapes import allowed, meets, solved
from model_contracts.anatomy.storage.quantization import ModuleSettings, Quantisation, settings_of
from model_contracts.anatomy.storage.state import Stated, document_of, integers_of, shape_of, told
from model_contracts.artifact import Packed, Tensor
from model_contracts.scheme import Scheme, StorageLayout, Value, WeightPart
from model_contracts.sweep.reads import Files
from model_contracts.sweep.schemes import grain
from model_contracts.sweep.schemes.nibbles import words_of

_WORD = 60


#: How weights are stored, without their tensors, and the part in each role by the end of its name.
_Form = tuple[Packed, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class PackedWeight:
    """One weight of several stored tensors; `parts` are those found, by the end of their names, the values first."""

    module: str
    scheme: Scheme
    layout: StorageLayout
    block: Quantisation | None
    entry: ModuleSettings | None
    settings: Mapping[str, Value]
    parts: dict[str, Tensor]
    #: Settings that the weight's own state gives (`quant_state` of bitsandbytes).
    state: Mapping[str, Value]
    shape: tuple[int, ...] | None
    #: Whether the layout is beyond doubt: declared, or no other has such parts. Else the parts owe nothing.
    certain: bool = True
    #: What `packed` came to for weights that are read alike and have parts alike.
    forms: dict[tuple[object, ...], _Form] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The name of the weight, as an unpacked model has it."""
        return self.module + self.layout.weight

    @property
    def title(self) -> str:
        """The layout in words, with its settings."""
        said = {name: "?" if value is None else str(value)[:_WORD] for name, value in self.settings.items()}
        return self.layout.title.format_map(_Said(said)).replace("groups of -1", "one group a row")

    @property
    def packed(self) -> Packed:
        """How it is stored, for the tensor that stands for it."""
        parts = self.parts
        key = (id(self.settings), self.shape, *((end, part.dtype, part.shape) for end, part in parts.items()))
        if (form := self.forms.get(key)) is None:
            form = self.forms[key] = self._form()
        said, roles = form
        own = tuple((role, parts[end]) for role, end in roles) if said.decoder is not None else ()
        return Packed(
            said.layout, tuple(parts.values()), said.shape_known, said.decoder, said.refused, own, said.settings,
            said.grain, said.turned,
        )  # fmt: skip

    def _form(self) -> _Form:
        """The same without its tensors, and the end of the part in each role."""
        plain = Packed(self.title, (), self.shape is not None, turned=self.layout.turned)
        decoder = self.layout.decoder
        if decoder is None or self.shape is None or not self.certain:
            return plain, ()
        roles, settings = self._roles, tuple(sorted(self.settings.items()))
        held = tuple((role, self.parts[end].dtype, self.parts[end].shape) for role, end in roles)
        found = grain(decoder, self.shape, held, settings)
        if isinstance(found, str):
            return replace(plain, refused=found), ()
        return replace(plain, decoder=decoder, settings=settings, grain=found), roles

    @property
    def _roles(self) -> tuple[tuple[str, str], ...]:
        """The parts that are there and that a decoder needs, by the ends of their names."""
        layout = self.layout.parts
        named = [("values", layout[0]), *((part.role, part) for part in layout[1:] if part.role is not None)]
        ends = ((role, next((end for end in part.names if end in self.parts), None)) for role, part in named)
        return tuple((str(role), end) for role, end in ends if end is not None)

    def part(self, part: WeightPart) -> Tensor | None:
        """The stored tensor of a part (None: it is not there)."""
        return next((self.parts[end] for end in part.names if end in self.parts), None)

    def owed(self, part: WeightPart) -> bool:
        """Whether the weight is incomplete without the part; what depends on settings that nothing says is not owed."""
        if self.block is None and not part.unless.keys() <= self.state.keys():
            return False
        return not part.optional and not (part.unless and meets(part.unless, self.settings))

    def shapes(self, part: WeightPart, shape: tuple[int, ...], **other: Value) -> list[tuple[int, ...]] | None:
        """Shapes that a part of a weight of that shape may have; None: any, or what they depend on is not known."""
        if len(shape) < 2 or (self.block is None and any(one.when for one in part.shapes)):
            return None
        settings = {**self.settings, **other}
        return allowed(part.shapes, {**settings, **self._derived(shape, settings)}, self._lead(shape))

    def _lead(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Axes of the weight before rows and columns; a layout that counts values alone has none of them."""
        return () if _counted(self.layout) else shape[:-2]

    def _derived(self, shape: tuple[int, ...], settings: Mapping[str, Value]) -> dict[str, Value]:
        bits, group, values = settings.get("bits"), settings.get("group"), self.part(self.layout.parts[0])
        derived: dict[str, Value] = {"O": shape[-2], "I": shape[-1], "N": prod(shape)}
        derived["width"] = int(values.type.bits // 8) if values is not None else 1
        derived["codes"] = values.shape[-1] if values is not None and values.shape else None
        if isinstance(bits, int) and 0 < bits <= 32:
            derived["fields"], derived["entries"] = 32 // bits, 1 << bits
        if isinstance(group, int) and group != 0:
            derived["words"] = words_of(shape[-1], group)
        return derived


class _Said(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


@dataclass(frozen=True)
class PackedReading:
    """How the parts of many modules are read alike: a layout, what declares it, and its settings.

    `shapes` keeps what the shape of the values comes to, which is the same for all of those modules.
    """

    scheme: Scheme
    layout: StorageLayout
    block: Quantisation | None
    entry: ModuleSettings | None
    settings: Mapping[str, Value]
    certain: bool
    shapes: dict[tuple[str, tuple[int, ...]], tuple[int, ...] | None] = field(default_factory=dict)
    forms: dict[tuple[object, ...], _Form] = field(default_factory=dict)

    @classmethod
    def of(
        cls, module: str, scheme: Scheme, layout: StorageLayout, block: Quantisation | None, certain: bool
    ) -> PackedReading:
        """The reading of a module in a layout, and of all that the same entry of the configuration is about."""
        entry = block.of(module) if block is not None else None
        mapping = entry.settings if entry is not None else block.block if block is not None else {}
        # What nothing declares is not known: defaults are those of a configuration that is there.
        if block is not None:
            settings = settings_of(layout, mapping)
        else:
            settings = {name: None if one.keys else one.default for name, one in layout.settings.items()}
        return cls(scheme, layout, block, entry, settings, certain)


def packed_weight(
    module: str, parts: Mapping[str, Tensor], reading: PackedReading, files: Files, stated: Stated
) -> PackedWeight:
    """The weight of a module as it is read; parts that the layout does not know stay outside of it."""
    layout, certain = reading.layout, reading.certain
    ordered = {end: parts[end] for part in layout.parts for end in part.names if end in parts}
    held = layout.shape.form if layout.shape is not None and certain else None
    shape = _known_shape(ordered, reading) if certain and held in (None, "metadata") else None
    declared = reading.block, reading.entry, reading.settings
    weight = PackedWeight(module, reading.scheme, layout, *declared, ordered, {}, shape, certain, reading.forms)
    if held is None:
        return weight
    if held == "integers":
        integers = integers_of(layout, ordered, files)
        return replace(weight, shape=integers if integers is not None else _known_shape(ordered, reading))
    document = document_of(layout, weight.name, ordered, files, stated)
    if document is None:
        return weight
    state = told(layout, document)
    shape = shape if held == "metadata" else shape_of(document.get("shape"))
    return replace(weight, settings={**weight.settings, **state}, state=state, shape=shape, forms={})


def _known_shape(parts: dict[str, Tensor], reading: PackedReading) -> tuple[int, ...] | None:
    """The shape that the part with the values gives, worked out once for all modules that have it alike."""
    end = next((end for end in reading.layout.parts[0].names if end in parts), None)
    if end is None:
        return None
    key = (end, parts[end].shape)
    if key not in reading.shapes:
        reading.shapes[key] = _from_values(parts[end], reading)
    return reading.shapes[key]


def _from_values(values: Tensor, reading: PackedReading) -> tuple[int, ...] | None:
    """The shape that the part with the values gives under the settings."""
    part = reading.layout.parts[0]
    if not part.shapes or _counted(reading.layout):
        return None
    return solved(part.shapes[0].axes, values, {**reading.settings, "codes": 1})


def _counted(layout: StorageLayout) -> bool:
    """Whether the values are counted and not laid out: any part of the matrix may lie in any row."""
    return any("N" in axis for one in layout.parts[0].shapes for axis in one.axes)
