"""Owns which element type each tensor gets: the recipe's for its role, else the source's where the target holds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from model_contracts.anatomy.claims import UnknownRecipe, expected_types, kept, requested, widened
from model_contracts.anatomy.families.names import role, template
from model_contracts.artifact import Tensor
from model_contracts.containers import FORMS, Format
from model_contracts.converters.interface import ConversionRefused
from model_contracts.converters.quantise import writable
from model_contracts.dtypes import DTYPES, GGML_CODES
from model_contracts.recipes import Recipe, Recipes

#: What a target holds. ggml's Q8_1 and Q8_K are for computing, no file has them; .apr: what its core reader reads.
HOLDS: dict[Format, frozenset[str]] = {
    "safetensors": frozenset({"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"}),
    "gguf": frozenset(GGML_CODES.values()) - {"Q8_1", "Q8_K"},
    "apr": frozenset({"F64", "F32", "F16", "BF16", "I64", "I32", "I8", "U8", "Q4_K", "Q6_K"}),
}
#: Recipes that give every third layer, and the first and last eighth, their second type (llama.cpp `use_more_bits`).
_MORE_BITS = ("Q4_K_M", "Q5_K_M")


@dataclass(slots=True)
class Types:
    """Chooses types for one conversion, and keeps what people should know of it."""

    format: Format
    recipes: Recipes
    label: str | None
    layers: int
    #: Whether the embedding is the output head too: it is then held as the head is.
    tied: bool
    #: Whether some block type of the source has no place in the target: then none is kept, for no label fits a mixture.
    decoded: bool = False
    #: The type of weights that were packed: that of the source's others, as the libraries that unpack them have it.
    unpacked: str = "F32"
    notes: list[str] = field(default_factory=list)
    _fallbacks: Counter[tuple[str, str]] = field(default_factory=Counter)
    _decoded: Counter[str] = field(default_factory=Counter)
    _opened: Counter[str] = field(default_factory=Counter)

    @classmethod
    def asked(cls, dtype: str | None, format: Format, recipes: Recipes, layers: int, tied: bool) -> Types:
        """The types that `--dtype` asks for. Raises ConversionRefused for a label the target's format has not."""
        if dtype is None:
            return cls(format, recipes, None, layers, tied)
        try:
            claim = requested(dtype, recipes)
        except UnknownRecipe as error:
            raise ConversionRefused(str(error)) from None
        able = [
            name for name, one in recipes.recipes.items() if format in one.formats and one.types[0] in HOLDS[format]
        ]
        able = [name for name in able if writable(recipes.recipes[name].types[0])]
        if claim.label not in able:
            raise ConversionRefused(f"--dtype {dtype}: {format} is written as one of {', '.join(able)}")
        return cls(format, recipes, claim.label, layers, tied)

    @property
    def recipe(self) -> Recipe | None:
        """The recipe that was asked for."""
        return self.recipes.recipes[self.label] if self.label is not None else None

    def of(self, tensor: Tensor, canonical: str | None) -> str:
        """The type that a source's tensor gets."""
        if tensor.kind not in ("float", "quantised"):
            if tensor.dtype not in HOLDS[self.format]:
                raise ConversionRefused(f"{tensor.name}: {self.format} holds no {tensor.dtype}")
            return tensor.dtype
        fixed = FORMS[self.format].vectors
        # One that is quantised already is left to whoever took it for no exception.
        plain = canonical is not None and tensor.kind == "float"
        if fixed is not None and plain and widened(self.recipes, canonical or ""):
            return fixed
        recipe = self.recipe
        if recipe is None:
            return self._kept(tensor)
        if len(tensor.shape) < 2:
            return self._vector(recipe, tensor)
        return self._matrix(recipe, tensor, canonical)

    def _kept(self, tensor: Tensor) -> str:
        fixed = FORMS[self.format].vectors
        if fixed is not None and len(tensor.shape) < 2:
            return fixed
        # A row of one format may be padded where another's may not.
        whole = tensor.columns % tensor.type.block == 0
        # A config.json names one type of all matrices: beside decoded ones it is theirs.
        named = FORMS[self.format].beside and tensor.dtype in ("F16", "BF16") and len(tensor.shape) > 1
        mixed = tensor.packed is not None or (self.decoded and (tensor.type.kind == "quantised" or named))
        if tensor.dtype in HOLDS[self.format] and whole and not mixed:
            return tensor.dtype
        if tensor.packed is not None:
            self._opened[tensor.packed.layout] += 1
            return self.unpacked
        self._decoded[tensor.dtype] += 1
        return "F32"

    def _vector(self, recipe: Recipe, tensor: Tensor) -> str:
        if FORMS[self.format].free_vectors:
            return recipe.types[0]
        if self.format == "apr" and tensor.dtype in recipe.vectors:
            return tensor.dtype
        return recipe.vectors[0]

    def _matrix(self, recipe: Recipe, tensor: Tensor, canonical: str | None) -> str:
        types = self._ranked(recipe, canonical)
        able = [name for name in types if name in HOLDS[self.format]]
        if not able:
            raise ConversionRefused(
                f"{tensor.name}: {self.label} gives it {types[0]}, which {self.format} does not hold"
            )
        if FORMS[self.format].padded_rows or tensor.columns % DTYPES[able[0]].block == 0:
            return able[0]
        for name in (*self.recipes.fallbacks.get(able[0], ()), "F16"):
            if tensor.columns % DTYPES[name].block == 0:
                self._fallbacks[able[0], name] += 1
                return name
        return "F32"

    def _ranked(self, recipe: Recipe, canonical: str | None) -> tuple[str, ...]:
        """The types of a tensor's role, the one to take first."""
        name = role(canonical) if canonical is not None else ""
        lines = {line.role: line.types for line in recipe.roles}
        types = lines.get(name, recipe.types)
        if name == "token_embd" and self.tied and (head := lines.get("output")) and head[0] in types:
            return (head[0], *types)
        layer = template(canonical)[1] if canonical is not None else None
        if layer is None or name not in ("attn_v", "ffn_down") or len(types) < 2:
            return types
        better = _better(self.label, name, layer, self.layers)
        return types if better is None else (types[better], *types)

    def conclude(self) -> tuple[str, ...]:
        """What was chosen otherwise than asked, in words."""
        for (asked, given), count in sorted(self._fallbacks.items()):
            self.notes.append(f"{count} tensors are {given}: their rows are no whole number of {asked} blocks")
        for dtype, count in sorted(self._decoded.items()):
            held = dtype in HOLDS[self.format]
            why = "beside types that it does not hold" if held else f"which {self.format} does not hold"
            self.notes.append(f"{count} tensors were {dtype}, {why}: decoded to F32 (--dtype names another type)")
        for layout, count in sorted(self._opened.items()):
            told = f"{count} weights were packed ({layout}): unpacked to {self.unpacked} (--dtype names another type)"
            self.notes.append(told)
        return tuple(self.notes)


def _better(label: str | None, role: str, layer: int, layers: int) -> int | None:
    """Which of a role's types a layer takes in place of the first (llama.cpp src/llama-quant.cpp)."""
    if label in _MORE_BITS:
        return 1 if _more_bits(layer, layers) else None
    if label == "Q3_K_M" and role == "attn_v":
        return 1 if layer < 2 else None
    if label == "Q3_K_M":
        return 2 if layer < layers // 16 else 1
    return None


def _more_bits(layer: int, layers: int) -> bool:
    """llama.cpp src/llama-quant.cpp, `use_more_bits`."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def label_of(
    tensors: Iterable[tuple[str | None, Tensor]], recipes: Recipes, format: Format, claimed: str | None
) -> str | None:
    """The label whose recipe allows every type that is there (None: none does): the claimed one, else the plainest."""
    held = [
        (canonical, tensor)
        for canonical, tensor in tensors
        if tensor.type.kind in ("float", "quantised") and len(tensor.shape) > 1
    ]
    counted = Counter(tensor.dtype for name, tensor in held if not kept(recipes, name, tensor))
    if not counted:
        return None
    common = counted.most_common(1)[0][0]
    for name, recipe in sorted(recipes.recipes.items(), key=lambda item: item[0] != claimed):
        fits = format in recipe.formats and common in recipe.types
        if fits and all(t.dtype in expected_types(recipe, recipes, canonical, t) for canonical, t in held):
            return name
    return None
